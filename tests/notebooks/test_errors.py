"""Cells that fail: Run All stops, the error points at the cell as written, and the pool goes on."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent

import nbformat
import pytest

from tests.notebooks.conftest import ABOUT
from tests.notebooks.kernel import Kernel
from tools.execute import Stopped, execute

pytestmark = pytest.mark.kernel


def test_one_traceback_with_its_nodes_and_the_line_as_written(nodes: Kernel) -> None:
    shown = nodes.run("%%sky\n\nx = 1\nif n != 1:\n    1 / 0")
    assert shown.status == "error"
    assert shown.ename == "CellFailed"
    assert shown.traceback.startswith("[0,2] ZeroDivisionError: division by zero\n")
    assert "----> 5     1 / 0" in shown.traceback
    assert shown.traceback.count("---->") == 1
    assert "skyward_jupyter" not in shown.traceback


def test_distinct_causes(nodes: Kernel) -> None:
    shown = nodes.run("%%sky\nif n:\n    raise ValueError(f'bad {n}')\n1 / 0")
    assert "[0] ZeroDivisionError" in shown.traceback
    assert "[1-2] ValueError: bad 1" in shown.traceback
    assert "[2] ValueError: bad 2" in shown.traceback
    assert shown.traceback.count("Traceback (most recent") == 2


def test_functions_of_other_cells_show_their_lines(nodes: Kernel) -> None:
    number = nodes.ok(
        "def inner(x):\n    y = 1\n    return y / x\n\ndef outer(x):\n    return inner(x)\nIn[-1] and len(In) - 1"
    ).text
    for shown in (nodes.run("%%sky\nouter(0)"), nodes.run("%%sky\nouter(0)")):
        assert f"Cell In[{number}], line 6, in outer(x)" in shown.traceback
        assert (
            f"Cell In[{number}], line 3, in inner(x)\n      1 def inner(x):\n      2     y = 1\n----> 3"
            in shown.traceback
        )
    nodes.ok("import skyward as sky\n@sky.compute\ndef call(x):\n    z = 3\n    return outer(x)")
    shown = nodes.run("call(0) >> sky")
    assert (
        f"Cell In[{number}], line 3, in inner()\n      1 def inner(x):\n      2     y = 1\n----> 3" in shown.traceback
    )
    assert "----> 5     return outer(x)" in shown.traceback
    assert re.search(r"raised by call\(0\) on node \d", shown.traceback)


def test_no_error_shows_a_frame_of_ours(nodes: Kernel) -> None:
    nodes.ok("import skyward as sky, time\n@sky.compute\ndef divide(x):\n    left = x - 3\n    return 1 / left")
    for cell in (
        "divide(3) >> sky",
        "sky.gather(divide(4), divide(3)) >> sky",
        "(divide(3) > sky).result()",
        "list(sky.Executor().map(divide.function, [3]))",
        "await sky.pool().run(divide(3))",
    ):
        shown = nodes.run(cell)
        assert "raised by divide(3) on node" in shown.traceback, cell
        assert "----> 5     return 1 / left" in shown.traceback
        assert "skyward_jupyter" not in shown.traceback
        assert "hidden" not in shown.traceback
        seen = "import sys; tb = sys.last_exc.__traceback__\nwhile tb.tb_next: tb = tb.tb_next\ntb.tb_frame.f_locals"
        assert nodes.ok(seen).text == "{'x': 3, 'left': 0}"
    for cell, said in (
        ("sky.pool('none')", "NoPool: there is no pool 'none'"),
        ("sky.barrier('b', parties=9).wait(timeout=0.1)", "BarrierTimeout: 1 of 9"),
        ("sky.dict('d')['k']", "KeyError: 'k'"),
        ("divide >> sky", "UsageError: divide is a function, not a call: write divide(...) >> pool"),
        ("await (divide(4) >> sky)", "leave out `await`"),
    ):
        shown = nodes.run(cell)
        assert said in shown.traceback
        assert "skyward_jupyter/" not in shown.traceback
        assert "hidden" not in shown.traceback
    said = "<pool.run(...) has not begun: write await pool.run(...), or call >> pool>"
    assert nodes.ok("going = sky.pool().run(divide(4))\ngoing").text == said
    assert nodes.ok("await going").text == "1.0"
    nodes.ok("%config Skyward.full_tracebacks = True")
    assert "skyward_jupyter/" in nodes.run("sky.pool('none')").traceback
    nodes.ok("%config Skyward.full_tracebacks = False")


def test_a_cell_that_keeps_going_fails_no_other(nodes: Kernel) -> None:
    shown = nodes.run("%%sky --keep-going -o x --into y\nx = 6 // (n - 1)\nx * 2")
    assert shown.status == "ok"
    assert shown.ename == "CellFailed"
    assert shown.traceback.startswith("[1] ZeroDivisionError: ")
    assert "skyward_jupyter" not in shown.traceback
    assert "the cell failed on node 1; --keep-going: the cells below run all the same\n" in shown.stderr
    said = "[-6, ZeroDivisionError('integer division or modulo by zero'), 6]"
    assert nodes.ok("x").text == said
    assert nodes.ok("y").text == said.replace("6,", "12,").replace("6]", "12]")
    assert nodes.run("%time get_ipython().run_cell_magic('sky', '--keep-going', '1 / 0')").status == "ok"
    for cell in ("%%sky --keep-going\ndef f(:", "%%sky --keep-going --pool none\n1", "%%sky --keep-going -o none\n1"):
        shown = nodes.run(cell)
        assert shown.status == "ok"
        assert shown.ename
    assert nodes.run("%%sky --keep-goin\n1").status == "error"
    nodes.ok("%config Skyward.keep_going = True")
    assert nodes.run("%%sky\n1 / 0").status == "ok"
    nodes.ok("%config Skyward.keep_going = False")
    assert nodes.run("%%sky\n1 / 0").status == "error"


def test_run_all_and_nbconvert_go_on(tmp_path: Path) -> None:
    cells = ["%load_ext skyward", "%%sky --nodes 2 --keep-going\n1 / 0", "after = 'ran'\nafter", "%sky stop"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, tmp_path / "book.ipynb")
    done = execute(tmp_path / "book.ipynb")
    kinds = [[output.output_type for output in cell.outputs] for cell in done.cells]
    assert "error" in kinds[1]
    assert done.cells[2].outputs[0].data["text/plain"] == "'ran'"


def test_recursion_is_shown_by_its_ends(nodes: Kernel) -> None:
    nodes.ok("def down(n):\n    return down(n + 1)")
    shown = nodes.run("%%sky\ndown(0)")
    assert "[0-2] RecursionError: maximum recursion depth exceeded" in shown.traceback
    assert shown.traceback.count("----> 2     return down(n + 1)") == 4
    assert re.search(r"\d\d\d more frames of down at line 2 are left out", shown.traceback)


def test_what_was_being_handled_is_shown(nodes: Kernel) -> None:
    body = "try:\n    [][1]\nexcept IndexError:\n    {}['k']"
    said = "During handling of the above exception, another exception occurred"
    assert said in nodes.run(f"%%sky\n{body}").traceback
    lines = body.replace("\n", "\n    ")
    nodes.ok(f"import skyward as sky\n@sky.compute\ndef handles():\n    {lines}")
    shown = nodes.run("handles() >> sky")
    assert said in shown.traceback
    assert "IndexError: list index out of range" in shown.traceback
    caused = nodes.run("%%sky\ntry:\n    [][1]\nexcept IndexError as error:\n    raise ValueError('worse') from error")
    assert "[0-2] ValueError: worse" in caused.traceback
    assert "direct cause of the following" in caused.traceback


def test_a_broadcast_that_fails_shows_each_cause_once(nodes: Kernel) -> None:
    nodes.ok(
        "import skyward as sky\n@sky.compute\ndef part():\n    node = sky.instance_info().node\n"
        "    if node == 0:\n        return 1 / 0\n    raise ValueError(f'bad {node}')"
    )
    shown = nodes.run("part() @ sky")
    assert (shown.status, shown.ename, shown.stderr) == ("error", "ExceptionGroup", "")
    assert "----> 1 part() @ sky\n\nExceptionGroup: the call raised on 3 of 3 nodes" in shown.traceback
    assert "[0] ZeroDivisionError: division by zero\n" in shown.traceback
    assert "[1-2] ValueError: bad 1\n" in shown.traceback
    assert "[2] ValueError: bad 2" in shown.traceback
    assert shown.traceback.count("----> 7     raise ValueError(f'bad {node}')") == 1
    assert "skyward_jupyter" not in shown.traceback
    nodes.ok(
        "try:\n    part() @ sky\nexcept* ValueError as group:\n    two = group.exceptions\nexcept* Exception: pass"
    )
    assert nodes.ok("two").text == "(ValueError('bad 1'), ValueError('bad 2'))"


def test_a_group_of_a_call_names_the_cell_and_has_no_frame_of_ipython(nodes: Kernel) -> None:
    nodes.ok("import skyward as sky\n@sky.compute\ndef several():\n    raise ExceptionGroup('g', [ValueError(1)])")
    shown = nodes.run("several() >> sky")
    assert (shown.status, shown.ename, shown.stderr) == ("error", "ExceptionGroup", "")
    assert re.search(r"Cell In\[\d+\], line 1, in <module>", shown.traceback)
    assert re.search(r"Cell In\[\d+\], line 4, in several", shown.traceback)
    assert "| ValueError: 1" in shown.traceback
    assert "interactiveshell" not in shown.traceback


def test_a_group_in_a_cell_names_the_cell(nodes: Kernel) -> None:
    shown = nodes.run("%%sky\nraise ExceptionGroup('g', [ValueError(1), KeyError('k')])")
    assert re.search(r"Cell In\[\d+\], line 2, in <module>", shown.traceback)
    assert "KeyError: 'k'" in shown.traceback


def test_the_errors_are_there_for_code(nodes: Kernel) -> None:
    nodes.ok(
        "import skyward as sky\n"
        "try:\n    get_ipython().run_cell_magic('sky', '', 'raise KeyError(n)')\n"
        "except sky.CellFailed as error:\n    caught = error.errors"
    )
    assert nodes.ok("caught").text == "{0: KeyError(0), 1: KeyError(1), 2: KeyError(2)}"


def test_a_syntax_error_points_at_the_line_and_nothing_is_sent(nodes: Kernel) -> None:
    nodes.ok("%%sky\nsent = False")
    shown = nodes.run("%%sky\nsent = True\n\ndef f(:\n    pass")
    assert "line 4\n    def f(:\n" in shown.traceback
    assert "SyntaxError: invalid syntax" in shown.traceback
    assert nodes.ok("%sky sent").text == "[0-2] False"
    indented = nodes.run("%%sky\n\nfor i in range(3):\nprint(i)").traceback
    assert "line 4\n    print(i)" in indented
    assert "after 'for' statement on line 3" in indented


@pytest.mark.parametrize(
    ("cell", "ename", "said"),
    [
        ("%%sky --node 2\n1", "UsageError", "did you mean --nodes"),
        ("%%sky --on 3\n1", "UnknownNode", "there is no node 3: this pool has 3 (0 to 2)"),
        ("%%sky --on x\n1", "UsageError", "'x' is no node number"),
        ("%%sky --pool nope\n1", "NoPool", "there is no pool 'nope'"),
        ("%%sky -i nope\n1", "UsageError", "no name nope"),
        ("%%sky -o nope\n1", "CellFailed", "-o nope, nodes 0-2: has no such name"),
        ("x = 1\n%%sky\nx", "UsageError", "%%sky is the first line of its cell"),
        ("%sky frob x y", "UsageError", "neither a command nor an expression"),
        ("%sky statsu now", "UsageError", "did you mean %sky status?"),
        ("%sky scale none", "UsageError", "say how many nodes"),
        ("%sky start --nodes 9", "UsageError", "already runs"),
    ],
)
def test_one_sentence_that_says_what_to_do(nodes: Kernel, cell: str, ename: str, said: str) -> None:
    shown = nodes.run(cell)
    assert (shown.status, shown.ename) == ("error", ename)
    assert said in shown.evalue
    assert shown.traceback == f"{ename}: {shown.evalue}"


def test_a_name_that_cannot_be_pickled_is_named_with_its_path(nodes: Kernel) -> None:
    nodes.ok("import threading\nmodel = {'parts': [1, threading.Lock()]}")
    shown = nodes.run("%%sky\nprint('ran')\nmodel")
    assert shown.ename == "NotPicklable"
    assert "model['parts'][1] (a _thread.lock)" in shown.evalue
    assert shown.stdout == ""


def test_what_cannot_come_back_is_named_with_its_node(nodes: Kernel) -> None:
    shown = nodes.run("%%sky -o box\nimport threading\nbox = [n] if n != 1 else [threading.Lock()]")
    assert "-o box, node 1: box[0] (a _thread.lock) cannot leave the node" in shown.evalue
    assert nodes.run("box").ename == "NameError"


def test_a_process_that_ends_itself_fails_the_cell_and_is_replaced(nodes: Kernel) -> None:
    nodes.ok("%%sky\nkept = 1")
    shown = nodes.run("%%sky\nif n == 1:\n    os._exit(3)")
    assert "[1] SlotDied" in shown.traceback
    assert "node 1: what earlier cells bound there went" in shown.stderr
    assert nodes.ok("%sky 'kept' in globals()").text == "[0,2] True\n[1] False"
    nodes.ok(ABOUT)


def test_a_process_that_ended_between_cells_is_noticed(nodes: Kernel) -> None:
    nodes.ok("given = 5")
    nodes.ok("%%sky\nmade = given\npid = os.getpid()")
    gone = "import os, asyncio\npids = %sky pid\nasync def gone(pid):\n    while os.path.exists(f'/proc/{pid}'):\n"
    nodes.ok(f"{gone}        await asyncio.sleep(0.01)")
    nodes.ok("%%sky --on 1\nimport threading\nthreading.Timer(0.2, os._exit, [0]).start()")
    nodes.ok("await gone(pids[1])")
    shown = nodes.run("%%sky\ngiven, made")
    assert "[1] NameError: name 'made' is not defined" in shown.traceback
    assert "node 1: what earlier cells bound" in shown.stderr
    assert nodes.ok("%%sky\ngiven").text == "[0-2] 5"
    nodes.ok(ABOUT)


def test_a_timeout(nodes: Kernel) -> None:
    shown = nodes.run("%%sky --timeout 0.2\ntime.sleep(60)")
    assert "[0-2] TaskTimeout: the cell ran longer than its 0.2 s" in shown.traceback
    assert "----> 2 time.sleep(60)" in shown.traceback
    assert shown.seconds < 30
    assert nodes.ok("%%sky\n1").text == "[0-2] 1"


def test_run_all_stops(tmp_path: Path) -> None:
    cells = ["%load_ext skyward", "%%sky --nodes 2\n1 / 0", "after = 1"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    source = tmp_path / "stops.ipynb"
    source.write_text(nbformat.writes(notebook))
    with pytest.raises(Stopped, match="ZeroDivisionError") as caught:
        execute(source, timeout=60)
    assert caught.value.notebook.cells[2].execution_count is None


@pytest.mark.parametrize(
    "code",
    [
        "!sleep 30",
        "try:\n    time.sleep(30)\nexcept KeyboardInterrupt:\n    pass\nbound = 5",
        "try:\n    time.sleep(30)\nexcept BaseException:\n    raise ValueError('another')",
        "try:\n    time.sleep(30)\nfinally:\n    quit()",
        "import signal; _ = signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(2)",
        "%%time\n!sleep 30",
        "import asyncio\ntry:\n    await asyncio.sleep(30)\nexcept (KeyboardInterrupt, asyncio.CancelledError):\n    1",
    ],
)
def test_a_timeout_whatever_the_cell_makes_of_it(nodes: Kernel, code: str) -> None:
    shown = nodes.run(f"%%sky --timeout 0.6\n{code}")
    assert (shown.status, shown.ename) == ("error", "CellFailed")
    assert "[0-2] TaskTimeout: the cell ran longer than its 0.6 s" in shown.traceback
    assert "skyward_jupyter" not in shown.traceback
    assert nodes.ok("%%sky\nn").text.splitlines()[0] == "[0] 0"  # the session is the same


def test_a_timeout_that_costs_the_session_says_which_names_went(nodes: Kernel) -> None:
    nodes.ok("%%sky\nlater_gone = 1")
    stubborn = "while True:\n    try:\n        time.sleep(60)\n    except KeyboardInterrupt:\n        pass"
    shown = nodes.run(f"%%sky --on 1 --timeout 0.3\n{stubborn}")
    assert "[1] TaskTimeout: the task ran longer than its 0.3 s on node 1 and did not stop" in shown.traceback
    assert "node 1: what earlier cells bound there went with the process" in shown.stderr
    assert "later_gone" in shown.stderr
    nodes.ok(ABOUT)


def test_what_a_cell_bound_before_its_timeout_is_known(nodes: Kernel) -> None:
    nodes.run("%%sky --timeout 0.4\nstays = 7\n!sleep 30")
    nodes.ok("stays = 'of the notebook'")
    shown = nodes.ok("%%sky\nstays")
    assert shown.text == "[0-2] 7"
    assert "stays: nodes 0-2 have their own value" in shown.stderr


ONE_OF_MANY = "from pathlib import Path\nif n == 1:\n    raise LookupError('node 1 has it not')\nprint('went on')\n"
UNTIL = "while not Path('{mark}').exists(): time.sleep(.01)\n5"


def test_an_error_of_one_node_is_shown_while_the_others_run(nodes: Kernel, tmp_path: Path) -> None:
    mark = tmp_path / "end"
    shown = nodes.start(f"%%sky\n{ONE_OF_MANY}{UNTIL.format(mark=mark)}")
    nodes.until(shown, "are waited for")
    assert shown.status == ""
    mark.touch()
    nodes.finish(shown)
    early = re.sub(r"\x1b\[[0-9;]*m", "", shown.stderr)
    assert early.startswith("[1] LookupError: node 1 has it not\n")
    assert early.count("----> 4     raise LookupError('node 1 has it not')") == 1
    said = "node 1 failed; nodes 0,2 still run and are waited for; --fail-fast would interrupt them\n"
    assert early.endswith(said)
    assert "skyward_jupyter" not in early
    assert shown.stdout == "[0,2] went on\n"
    assert shown.text == "[0,2] 5"
    assert shown.ename == "CellFailed"
    assert "----> 4     raise LookupError('node 1 has it not')" in shown.traceback


def test_errors_of_all_nodes_at_once_are_shown_once(nodes: Kernel) -> None:
    shown = nodes.run("%%sky\n1 / 0")
    assert (shown.stderr, shown.ename) == ("", "CellFailed")


def test_failing_fast(nodes: Kernel, tmp_path: Path) -> None:
    nodes.ok("%%sky\nsession = os.getpid()")
    shown = nodes.run(f"%%sky --fail-fast\n{ONE_OF_MANY}{UNTIL.format(mark=tmp_path / 'never')}")
    assert (shown.status, shown.ename) == ("error", "CellFailed")
    assert shown.seconds < 30
    assert shown.evalue == "LookupError: node 1 has it not (on node 1 of 3)"
    assert shown.traceback.count("raise LookupError") == 1
    assert "KeyboardInterrupt" not in shown.traceback
    assert "nodes 0,2 were interrupted: the cell fails fast" in shown.traceback
    assert nodes.ok("%sky session == os.getpid()").text == "[0-2] True"
    assert nodes.ok("%%sky --fail-fast\n1").text == "[0-2] 1"


def test_failing_fast_in_the_background(nodes: Kernel, tmp_path: Path) -> None:
    nodes.ok(f"%%sky --fail-fast --bg --into run\n{ONE_OF_MANY}{UNTIL.format(mark=tmp_path / 'never')}")
    shown = nodes.run("await run")
    assert (shown.ename, shown.evalue) == ("CellFailed", "LookupError: node 1 has it not (on node 1 of 3)")
    assert nodes.ok("run.state").text == "'failed'"


@pytest.mark.parametrize("call", ["part() @ sky", "await sky.pool().broadcast(part())"])
def test_a_broadcast_says_for_whom_it_waits(nodes: Kernel, tmp_path: Path, call: str) -> None:
    mark = tmp_path / "end"
    body = indent(f"n = sky.instance_info().node\n{ONE_OF_MANY}{UNTIL.format(mark=mark)}", "    ")
    nodes.ok(f"import skyward as sky, time\n@sky.compute\ndef part():\n{body}")
    shown = nodes.start(call)
    nodes.until(shown, "are waited for")
    assert shown.status == ""
    mark.touch()
    nodes.finish(shown)
    early = re.sub(r"\x1b\[[0-9;]*m", "", shown.stderr)
    assert early.startswith("[1] LookupError: node 1 has it not\n")
    assert "raise LookupError('node 1 has it not')" in early
    assert "node 1 failed; nodes 0,2 still run and are waited for; call.with_fail_fast() would interrupt them" in early
    assert "skyward_jupyter" not in early
    assert shown.ename == "LookupError"


OWN = """
import skyward as sky, threading
class Own(Exception):
    def __init__(self, code, *, hint):
        self.code, self.hint = code, hint
        super().__init__(f'code {code}')
class Holds(Exception):
    def __init__(self):
        self.lock = threading.Lock()
def fails(): raise Own(3, hint='h')
def fails_often(): raise ExceptionGroup('outer', [KeyError(1), ExceptionGroup('inner', [Own(4, hint='i'), Holds()])])
pool = sky.pool()
def of_a_call(f):
    try: sky.compute(f)() >> pool
    except Exception as error: return error
def of_a_cell(line):
    try: get_ipython().run_cell_magic('sky', '--on 0', line)
    except sky.CellFailed as failed: return failed.errors[0]
"""
CAUGHT = """
try: raise error
except* Own as own: print(len(own.exceptions))
except* Exception as rest: print(rest)
"""


def test_an_error_with_a_constructor_of_its_own_comes_from_cells_as_from_calls(nodes: Kernel) -> None:
    nodes.ok(OWN)
    for error in ("of_a_call(fails)", "of_a_cell('fails()')"):
        nodes.ok(f"error = {error}")
        assert nodes.ok("type(error) is Own, str(error), error.code, error.hint").text == "(True, 'code 3', 3, 'h')"


def test_a_group_keeps_its_parts_from_cells_as_from_calls(nodes: Kernel) -> None:
    nodes.ok(OWN)
    for error in ("of_a_call(fails_often)", "of_a_cell('fails_often()')"):
        nodes.ok(f"error = {error}")
        assert nodes.ok(CAUGHT).stdout == "1\nouter (2 sub-exceptions)\n"
        assert (
            nodes.ok("[type(part).__name__ for part in error.exceptions[1].exceptions]").text
            == "['Own', 'RemoteError']"
        )
