"""Cells that fail: Run All stops, the error points at the cell as written, and the pool goes on."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.notebooks.conftest import ABOUT
from tests.notebooks.kernel import Kernel

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


@pytest.mark.parametrize(
    ("cell", "ename", "said"),
    [
        ("%%sky --node 2\n1", "UsageError", "did you mean --nodes"),
        ("%%sky --on 3\n1", "UnknownNode", "there is no node 3: this pool has 3 (0 to 2)"),
        ("%%sky --on x\n1", "UsageError", "'x' is no node number"),
        ("%%sky --pool nope\n1", "NoPool", "there is no pool 'nope'"),
        ("%%sky -i nope\n1", "UsageError", "no name nope"),
        ("%%sky -o nope\n1", "CellFailed", "-o nope, nodes 0-2: has no such name"),
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
    nodes.ok("%%sky --on 1\nimport threading\nthreading.Timer(0.05, os._exit, [0]).start()")
    gone = "import os, asyncio\npids = %sky pid\nasync def gone(pid):\n    while os.path.exists(f'/proc/{pid}'):\n"
    nodes.ok(f"{gone}        await asyncio.sleep(0.01)\nawait gone(pids[1])")
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


def test_run_all_stops() -> None:
    cells = ["%load_ext skyward", "%%sky --nodes 2\n1 / 0", "after = 1"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        NotebookClient(notebook, kernel_name="python3", timeout=60).execute()
    assert notebook.cells[2].execution_count is None
