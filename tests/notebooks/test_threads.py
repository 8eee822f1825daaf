"""Threads and loops of the user's own in a notebook: they block on the pool, also while a cell blocks on them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notebooks.conftest import environment
from tests.notebooks.kernel import Kernel, kernel_in

pytestmark = pytest.mark.kernel

SETUP = """
import asyncio, concurrent.futures, multiprocessing.pool, os, pathlib, queue, signal, threading, time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import skyward as sky

@sky.compute
def double(x):
    return 2 * x

@sky.compute
def divide(x):
    return 1 / x

@sky.compute
def count(n):
    for k in range(n):
        yield k

@sky.compute
def total(numbers: Iterator[int]):
    return sum(numbers)

@sky.compute
def when(path):
    while not os.path.exists(path):
        time.sleep(.005)
    return path

async def numbers():
    for n in range(4):
        yield n

def beside(work):
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(work).result()

def in_a_loop(make):
    return beside(lambda: asyncio.run(make()))

def a_life():
    with sky.ComputePool(nodes=1) as other:
        other.scale(2)
        return double(1) @ other

async def an_awaited_life():
    async with sky.ComputePool(nodes=1) as other:
        return await other.run(double(3))

async def several():
    return await asyncio.gather(*(pool.run(double(n)) for n in range(20)))

async def streamed():
    return [n async for n in pool.stream(count(4))]

async def future():
    return await (double(4) > pool)

async def blocking():
    return double(4) >> pool

def table():
    shared = sky.dict("table")
    shared["a"] = 1
    return shared["a"], len(shared)

def row():
    shared = sky.queue("row")
    shared.put(5)
    return shared.get()

def counted():
    sky.counter("n").increment()
    return sky.counter("n").value

def locked():
    with sky.lock("one"):
        return True

def met():
    with ThreadPoolExecutor(2) as threads:
        return len(list(threads.map(lambda _: sky.barrier("meeting", parties=2).wait(), range(2))))

def jobs():
    with sky.Executor() as executor:
        return list(executor.map(abs, range(-3, 0)))

pool = sky.ComputePool(nodes=2).__enter__()
"""


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with the extension, a pool of two nodes and functions for it."""
    folder = tmp_path_factory.mktemp("threads")
    with kernel_in(folder, environment(folder)) as made:
        made.ok(SETUP)
        yield made


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("list(ThreadPoolExecutor(4).map(lambda n: double(n) >> pool, range(8)))", str(list(range(0, 16, 2)))),
        ("multiprocessing.pool.ThreadPool(3).map(lambda n: double(n) >> pool, range(4))", "[0, 2, 4, 6]"),
        ("beside(lambda: double(1) @ pool)", "[2, 2]"),
        ("beside(lambda: sky.gather(double(1), double(2)) >> pool)", "[2, 4]"),
        ("beside(lambda: (double(1) & double(2)) >> pool)", "(2, 4)"),
        ("beside(lambda: list(count(4) >> pool))", "[0, 1, 2, 3]"),
        ("beside(lambda: sorted(sky.gather(double(1), double(2), stream=True, ordered=False) >> pool))", "[2, 4]"),
        ("beside(lambda: total(iter(range(4))) >> pool)", "6"),
        ("beside(lambda: pool.map(double, range(3)))", "[0, 2, 4]"),
        ("beside(lambda: (double(5) > pool).result())", "10"),
        ("beside(lambda: get_ipython().run_cell_magic('sky', '--quiet --into found', '1') or found)", "[1, 1]"),
        ("beside(a_life)", "[2, 2]"),
        ("beside(table)", "(1, 1)"),
        ("beside(row)", "5"),
        ("beside(locked)", "True"),
        ("beside(counted)", "1"),
        ("met()", "2"),
        ("beside(jobs)", "[3, 2, 1]"),
    ],
)
def test_a_cell_blocks_on_a_thread_that_blocks_on_the_pool(cells: Kernel, code: str, shown: str) -> None:
    assert cells.ok(code).text == shown


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("lambda: pool.run(double(4))", "8"),
        ("lambda: pool.broadcast(double(4))", "[8, 8]"),
        ("several", str(list(range(0, 40, 2)))),
        ("streamed", "[0, 1, 2, 3]"),
        ("future", "8"),
        ("blocking", "8"),
        ("an_awaited_life", "6"),
    ],
)
def test_a_loop_of_its_own_in_a_thread(cells: Kernel, code: str, shown: str) -> None:
    assert cells.ok(f"in_a_loop({code})").text == shown


def test_a_cell_awaits_a_thread(cells: Kernel) -> None:
    assert cells.ok("await asyncio.to_thread(lambda: double(6) >> pool)").text == "12"
    assert cells.ok("await asyncio.to_thread(asyncio.run, several())").text == str(list(range(0, 40, 2)))


def test_a_thread_outlives_its_cell(cells: Kernel) -> None:
    cells.ok("found = []\nthread = threading.Thread(target=lambda: found.extend(double(n) >> pool for n in range(50)))")
    cells.ok("thread.start()")
    assert cells.ok("thread.join()\nfound == list(range(0, 100, 2))").text == "True"


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("sorted(one.result() for one in concurrent.futures.as_completed(double(n) > pool for n in range(9)))", None),
        ("done, rest = concurrent.futures.wait([double(n) > pool for n in range(9)])\nlen(done), len(rest)", "(9, 0)"),
        (
            (
                "both = [double(1) > pool, when('never') > pool]\nboth[1].cancel() if "
                "concurrent.futures.wait(both, return_when='FIRST_COMPLETED').not_done == {both[1]} else None"
            ),
            "True",
        ),
        ("one = double(7) > pool\nwhile not one.done(): time.sleep(.001)\none.result()", "14"),
        ("heard = queue.SimpleQueue()\n(double(8) > pool).add_done_callback(heard.put)\nheard.get().result()", "16"),
    ],
)
def test_a_cell_blocks_on_futures_by_the_standard_library(cells: Kernel, code: str, shown: str | None) -> None:
    assert cells.ok(code).text == (shown or str(list(range(0, 18, 2))))


def test_futures_that_have_not_ended_in_time(cells: Kernel) -> None:
    late = "one = when(os.path.abspath('late')) > pool\n"
    assert cells.ok(f"{late}len(concurrent.futures.wait([one], timeout=.05).not_done)").text == "1"
    assert cells.run("list(concurrent.futures.as_completed([one], timeout=.05))").ename == "TimeoutError"
    (cells.folder / "late").touch()
    assert cells.ok("next(concurrent.futures.as_completed([one])) is one").text == "True"


def test_an_error_in_a_thread_is_the_calls_own(cells: Kernel) -> None:
    shown = cells.run("beside(lambda: divide(0) >> pool)")
    assert (shown.ename, shown.evalue) == ("ZeroDivisionError", "division by zero")


def test_an_interrupt_ends_what_the_cell_blocks_on(cells: Kernel) -> None:
    wait = "print('begun', flush=True)\nconcurrent.futures.wait([when('never') > pool])"
    assert cells.run(wait, interrupt_at="begun").ename == "KeyboardInterrupt"
    cells.ok("pool.interrupt()")
    assert cells.ok("double(1) @ pool").text == "[2, 2]"


@pytest.mark.parametrize("make", ["asyncio.create_task({})", "asyncio.ensure_future(asyncio.wait_for({}, 30))"])
def test_a_task_beside_the_cell_blocks_too(cells: Kernel, make: str) -> None:
    assert cells.ok(f"await {make.format('blocking()')}").text == "8"


def test_a_callback_of_the_loop_blocks_too(cells: Kernel) -> None:
    code = "given = asyncio.get_running_loop().create_future()\n"
    code += "asyncio.get_running_loop().call_soon(lambda: given.set_result(double(9) >> pool))\nawait given"
    assert cells.ok(code).text == "18"


def test_only_what_would_wait_for_itself_is_refused(cells: Kernel) -> None:
    assert cells.ok("total(numbers()) >> pool").text == "6"
    shown = cells.run("async def task():\n    return total(numbers()) >> pool\nawait asyncio.create_task(task())")
    assert shown.ename == "BlockingRefused"
    assert "await pool.run(...)" in shown.evalue
    heard = "def hear(event):\n    try:\n        double(1) >> pool\n    except sky.BlockingRefused as error:\n"
    heard += "        refused.put(str(error))\nrefused = queue.SimpleQueue()\n"
    heard += "off = pool.on(sky.events.TaskQueued, hear)\ndouble(1) >> pool\noff()\nrefused.get()"
    assert "await pool.run(...)" in cells.ok(heard).text
