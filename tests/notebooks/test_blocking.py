"""Blocking calls in cells: the kernel's loop goes on meanwhile, and IPython notices nothing."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.notebooks.conftest import environment
from tests.notebooks.kernel import Kernel, kernel_in

pytestmark = pytest.mark.kernel

SETUP = """
import asyncio, contextvars, os, pathlib, signal, sys, time
import skyward as sky

@sky.compute
def double(x):
    return 2 * x

@sky.compute
def divide(x):
    return 1 / x

@sky.compute
def when(path):
    while not os.path.exists(path):
        time.sleep(.005)
    return path

pool = sky.ComputePool(nodes=2).__enter__()
"""
#: A cell that blocks until the file `there` is there.
BLOCKS = "print('begun', flush=True)\n_ = when(os.path.abspath('there')) >> pool"
#: An expression: whether asyncio's tasks are still those written in C, thus nothing has nested.
UNTOUCHED = "asyncio.Task.__module__ == '_asyncio'"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with the extension, a pool of two nodes and functions for it."""
    folder = tmp_path_factory.mktemp("blocking")
    with kernel_in(folder, environment(folder)) as made:
        made.ok(SETUP)
        yield made


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel without the extension."""
    made = Kernel(tmp_path, environment(tmp_path))
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _no_file(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "cells" in request.fixturenames:
        (request.getfixturevalue("cells").folder / "there").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("double(1) >> pool", "2"),
        ("def f(n):\n    return double(n) >> pool\nf(2)", "4"),
        ("[double(n) >> pool for n in range(4)]", "[0, 2, 4, 6]"),
        ("%time double(3) >> pool", "6"),
        ("%%time\ndouble(3) >> pool", "6"),
        ("double(4) @ pool", "[8, 8]"),
        ("pool.map(double, range(3))", "[0, 2, 4]"),
        ("list(pool.stream(sky.gather(double(1), double(2))))", "[2, 4]"),
        ("(double(5) > pool).result()", "10"),
        ("with sky.ComputePool(nodes=1) as other:\n    found = double(6) >> other\nfound", "12"),
        ("await asyncio.sleep(0)\ndouble(7) >> pool", "14"),
        ("async def f(n):\n    return double(n) >> pool\nawait f(8)", "16"),
        ("get_ipython().run_cell('double(9) >> pool').result", "18\n18"),
        ("await asyncio.sleep(0)\nget_ipython().run_cell('double(9) >> pool').result", "18\n18"),
        (
            "(await get_ipython().run_cell_async(code := 'found = double(9) >> pool', transformed_cell=code)).success",
            "True",
        ),
    ],
)
def test_a_call_gives_its_value_wherever_it_blocks(cells: Kernel, code: str, shown: str) -> None:
    assert cells.ok(code).text == shown
    assert cells.ok(UNTOUCHED).text == "True"


def test_magics_around_a_blocking_call(cells: Kernel) -> None:
    assert "1 loop each" in cells.ok("%timeit -n1 -r2 double(1) >> pool").stdout
    cells.ok("%%capture caught\nprint('before'); double(1) >> pool; print('after')")
    assert cells.ok("caught.stdout").text == "'before\\nafter\\n'"
    (cells.folder / "script.py").write_text("print(double(21) >> pool)")
    assert cells.ok("%run -i script.py").stdout == "42\n"
    assert cells.ok("%prun -q found = double(22) >> pool\nfound").text == "44"
    assert cells.ok(UNTOUCHED).text == "True"


def test_the_last_value_and_the_history(cells: Kernel) -> None:
    cells.ok("double(50) >> pool")
    assert cells.ok("_").text == "100"
    cells.ok("kept = double(51) >> pool")
    assert cells.ok("In[-2], Out[max(Out)]").text == "('kept = double(51) >> pool', 100)"


def test_output_stays_in_its_cell_and_in_order(cells: Kernel) -> None:
    shown = cells.ok(
        "print('a')\nprint(double(1) >> pool)\ndisplay('b')\nsys.stderr.write('c\\n')\nprint(double(2) >> pool)\n'd'"
    )
    assert shown.stdout == "a\n2\n4\n"
    assert shown.stderr == "c\n"
    assert shown.text == "'b'\n'd'"


def test_cells_that_wait_in_line_run_one_after_the_other(cells: Kernel) -> None:
    cells.ok("order = []")
    first = cells.start(BLOCKS)
    cells.until(first, "begun")
    line = [
        cells.start(f"order.append({n})\nprint('in', {n})\nprint(double({n}) >> pool)\norder.append(-{n})\n{n}")
        for n in range(1, 21)
    ]
    (cells.folder / "there").touch()
    cells.finish(line[-1])
    assert [shown.stdout for shown in line] == [f"in {n}\n{2 * n}\n" for n in range(1, 21)]
    assert [shown.text for shown in line] == [str(n) for n in range(1, 21)]
    assert cells.ok("order == [m for n in range(1, 21) for m in (n, -n)]").text == "True"


def test_the_loop_goes_on(cells: Kernel) -> None:
    cells.ok(
        "ticks = 0\nasync def tick():\n    global ticks\n    while ticks < 20:\n        await asyncio.sleep(.001)\n"
        "        ticks += 1\n    pathlib.Path('there').touch()"
    )
    assert cells.ok(f"ticking = asyncio.create_task(tick())\n{BLOCKS}\nticks").text == "20"
    assert cells.ok(UNTOUCHED).text == "True"


def test_a_widget_is_heard_while_a_cell_blocks(cells: Kernel) -> None:
    if cells.ok("import ipykernel\nipykernel.version_info[0]").text == "6":
        pytest.skip("ipykernel 6 handles no widget's messages while a cell runs, awaited or not")
    cells.ok(
        "def opened(comm, _):\n    comm.on_msg(lambda message: pathlib.Path('there').touch())\n"
        "get_ipython().kernel.comm_manager.register_target('clicks', opened)"
    )
    cells.tell("comm_open", comm_id="button", target_name="clicks", data={})
    shown = cells.start(BLOCKS)
    cells.until(shown, "begun")
    cells.tell("comm_msg", comm_id="button", data={})
    assert cells.finish(shown).status == "ok"


def test_an_interrupt_ends_the_call_and_nothing_else(cells: Kernel) -> None:
    cells.ok("beside = asyncio.create_task(asyncio.sleep(3600))")
    for code in (BLOCKS, f"try:\n    {BLOCKS.replace(chr(10), chr(10) + '    ')}\nfinally:\n    ended = True"):
        shown = cells.run(code, interrupt_at="begun")
        assert shown.ename == "KeyboardInterrupt"
        assert shown.seconds < 30
        assert cells.ok("double(1) >> pool").text == "2"
    assert cells.ok("ended, beside.done(), signal.getsignal(signal.SIGINT).__name__").text == "(True, False, 'handle')"
    cells.ok("beside.cancel()")


@pytest.mark.parametrize("cell", ["blocks", "awaits"])
def test_an_interrupt_can_be_caught_where_the_call_blocks(cells: Kernel, cell: str) -> None:
    code = "" if cell == "blocks" else "await asyncio.sleep(0)\n"
    code += (
        "try:\n    timer = asyncio.get_running_loop().call_later(.05, os.kill, os.getpid(), signal.SIGINT)\n"
        "    when(os.path.abspath('there')) >> pool\nexcept KeyboardInterrupt:\n    print('caught', double(4) >> pool)"
    )
    assert cells.ok(code).stdout == "caught 8\n"


def test_interrupts_at_random_moments_of_a_blocking_cell(cells: Kernel) -> None:
    cells.ok("beside = asyncio.create_task(asyncio.sleep(3600))")
    chance = random.Random(7)
    for _ in range(20):
        shown = cells.start("print('begun', flush=True)\nfor n in range(100): double(n) >> pool")
        cells.until_busy()
        if chance.random() < 0.8:
            time.sleep(chance.random() / 20)
            cells.interrupt()
        assert cells.finish(shown).ename in ("", "KeyboardInterrupt"), shown.traceback
        assert cells.run("0").status in ("ok", "error")
    assert cells.ok("beside.done(), double(1) >> pool").text == "(False, 2)"
    cells.ok("beside.cancel()")


def test_an_interrupt_while_the_cell_computes(cells: Kernel) -> None:
    shown = cells.run("double(1) >> pool\nprint('begun', flush=True)\nwhile True: pass", interrupt_at="begun")
    assert shown.ename == "KeyboardInterrupt"
    assert "while True: pass" in shown.traceback or "print('begun'" in shown.traceback
    assert cells.ok("double(1) >> pool").text == "2"


def test_an_interrupt_that_an_awaited_cell_hears_only_when_it_blocks(cells: Kernel) -> None:
    shown = cells.run(
        "await asyncio.sleep(0)\nprint('begun', flush=True)\nnow = time.monotonic()\n"
        "while time.monotonic() < now + 1: pass\nwhen(os.path.abspath('there')) >> pool",
        interrupt_at="begun",
    )
    assert shown.ename == "KeyboardInterrupt"
    assert shown.seconds < 30


def test_a_limit_around_a_blocking_call(cells: Kernel) -> None:
    shown = cells.run(f"async with asyncio.timeout(.1):\n    {BLOCKS.splitlines()[1]}")
    assert shown.ename == "TimeoutError"
    assert cells.ok("double(1) >> pool").text == "2"


ERRORS = [
    "def inner():\n    1 / 0\ninner()",
    "await asyncio.sleep(0)\n1 / 0",
    "f = asyncio.get_running_loop().create_future()\nf.set_exception(ValueError('x'))\nawait f",
    "try:\n    {}['a']\nexcept KeyError:\n    1 / 0",
    "raise SystemExit",
    "def (",
    "    x = 1\n  y = 2",
    "return 5",
    "%nomagic",
    "import json\njson.loads('{')",
]


def test_tracebacks_are_those_of_ipython_alone(cells: Kernel, bare: Kernel) -> None:
    bare.ok("import asyncio")
    for code in ERRORS:
        number = int(cells.ok("get_ipython().execution_count").text)
        bare.ok(f"get_ipython().execution_count = {number}")
        mine, theirs = cells.run(code), bare.run(code)
        assert mine.traceback.replace(f"In[{number + 1}]", "In[N]") == theirs.traceback.replace(
            f"In[{number + 1}]", "In[N]"
        )
        assert (mine.ename, mine.evalue, mine.stderr) == (theirs.ename, theirs.evalue, theirs.stderr)


def test_the_error_of_a_call(cells: Kernel) -> None:
    for code in ("divide(0) >> pool", "await asyncio.sleep(0)\ndivide(0) >> pool"):
        shown = cells.run(code)
        assert shown.ename == "ZeroDivisionError"
        assert "return 1 / x" in shown.traceback
        assert "greenlet" not in shown.traceback
        assert "skyward_jupyter" not in shown.traceback
    assert "return 1 / x" in cells.ok("%tb").traceback
    assert cells.ok("type(sys.last_value).__name__").text == "'ZeroDivisionError'"


def test_debugging_after_an_error(cells: Kernel) -> None:
    cells.run("def outer(n):\n    assert (double(n) >> pool) == 0\nouter(5)")
    shown = cells.start("%debug")
    assert cells.answer("p n + 99_995_100") == "ipdb> "
    assert cells.answer("p double(n * 7_777_777) >> pool") == "ipdb> "
    assert cells.answer("q") == "ipdb> "
    assert cells.finish(shown).status == "ok"
    assert "99995105" in shown.stdout
    assert "77777770" in shown.stdout.split("99995105")[1]


def test_asking_the_user(cells: Kernel) -> None:
    shown = cells.start("name = input('who? ')\nname * (double(1) >> pool)")
    assert cells.answer("ab") == "who? "
    assert cells.finish(shown).text == "'abab'"


@pytest.mark.parametrize("blocked", ["pass", "double(1) >> pool"])
def test_context_variables(cells: Kernel, blocked: str) -> None:
    cells.ok(f"var = contextvars.ContextVar('var', default=0)\n{blocked}\nvar.set(1)\n{blocked}")
    kept = cells.ok("var.get()").text
    assert kept == cells.ok(f"{blocked}\nvar.get()").text
    assert cells.ok(f"await asyncio.sleep(0)\nvar.set(2)\n{blocked}\nvar.get()").text == "2"
    assert cells.ok("var.get()").text == kept
    cells.ok(f"def other():\n    var.set(3)\n    {blocked}\n    return var.get()")
    assert cells.ok("contextvars.copy_context().run(other)").text == "3"
    assert cells.ok("var.get()").text == kept


def test_the_task_and_the_loop_are_the_cells(cells: Kernel) -> None:
    cells.ok("here = lambda: (asyncio.current_task(), asyncio.get_running_loop(), contextvars.copy_context().get(x))")
    cells.ok("x = contextvars.ContextVar('x', default=None)")
    assert cells.ok("before = here()\ndouble(1) >> pool\nbefore == here()").text == "True"


def test_a_greenlet_of_the_users_own(tmp_path: Path) -> None:
    with kernel_in(tmp_path, environment(tmp_path)) as made:
        made.ok(SETUP + "import greenlet")
        assert made.ok("greenlet.greenlet(lambda: double(4) >> pool).switch()").text == "8"
        assert made.ok("double(5) >> pool").text == "10"


def test_without_the_extension_cells_after_the_import_go_aside(bare: Kernel) -> None:
    bare.ok("import skyward")
    bare.ok(SETUP)
    assert bare.ok("double(2) >> pool").text == "4"
    assert bare.ok(UNTOUCHED).text == "True"


def test_the_very_first_cell_can_block_too(bare: Kernel) -> None:
    assert bare.ok(f"{SETUP}\ndouble(3) >> pool").text == "6"
    assert bare.ok("double(2) >> pool").text == "4"


def test_another_patch_of_the_loop_is_refused_where_it_would_be_nested(bare: Kernel) -> None:
    bare.ok("import asyncio")
    bare.ok("asyncio.run.__module__ = 'nest_asyncio'  # as nest_asyncio.apply() leaves it")
    shown = bare.run(f"{SETUP}\ndouble(3) >> pool")
    assert shown.ename == "BlockingRefused"
    assert "remove `nest_asyncio.apply()`" in shown.evalue
    assert "never awaited" not in shown.stderr
    assert bare.ok(f"{SETUP}\ndouble(3) >> pool").text == "6"


def test_unloading_leaves_blocking_as_it_is(cells: Kernel) -> None:
    cells.ok("%unload_ext skyward")
    assert cells.ok("double(1) >> pool").text == "2"
    assert cells.ok(UNTOUCHED).text == "True"
    cells.ok("%load_ext skyward")


def test_a_kernel_that_ends_while_a_cell_blocks_leaves_nothing(bare: Kernel) -> None:
    bare.ok("import skyward")
    bare.ok(SETUP)
    kernel = psutil.Process(int(bare.ok("os.getpid()").text))
    nodes = kernel.children(recursive=True)
    assert nodes
    shown = bare.start(BLOCKS)
    bare.until(shown, "begun")
    bare.restart()
    _, left = psutil.wait_procs(nodes, timeout=60)
    assert left == []
    assert bare.ok("1").text == "1"
