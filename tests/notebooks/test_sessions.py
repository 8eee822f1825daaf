"""Sessions that are lost: the user is told where it happens, and in every cell that misses what they had."""

from __future__ import annotations

import sys

import pytest

from tests.notebooks.conftest import ABOUT
from tests.notebooks.kernel import Kernel

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(sys.platform != "linux", reason="what an agent has open is told by /proc"),
]

WENT = "what earlier cells bound there went with the process that ran them"
STUBBORN = "while True:\n    try:\n        time.sleep(.05)\n    except KeyboardInterrupt:\n        pass"


def find(nodes: Kernel) -> None:
    """Have sessions with what `ABOUT` binds, and the notebook know their processes as `_pids`."""
    nodes.ok(ABOUT)
    nodes.ok("%%sky -o _pids\n_pids = os.getpid()")
    nodes.ok("import asyncio as _asyncio, contextlib as _contextlib, os as _os, signal as _signal, skyward")


#: Kills a session, and waits until its agent has closed the pipe that it read the session's output from.
_KILL = """
_pipe, _agent = _os.readlink(f"/proc/{_pids[RANK]}/fd/1"), f"/proc/{skyward.pool().nodes[RANK].pid}/fd"
def _reads():
    for fd in _os.listdir(_agent):
        with _contextlib.suppress(FileNotFoundError):
            if _os.readlink(f"{_agent}/{fd}") == _pipe:
                return True
assert _reads()
_os.kill(_pids[RANK], _signal.SIGKILL)
while _reads(): await _asyncio.sleep(.01)
"""


def kill(nodes: Kernel, rank: int) -> None:
    """Kill the session of a node between two cells."""
    find(nodes)
    nodes.ok(_KILL.replace("RANK", str(rank)))


@pytest.mark.parametrize("magic", ["%%sky\n", "%%sky --quiet\n", "%sky "])
def test_killed_between_two_cells(nodes: Kernel, magic: str) -> None:
    kill(nodes, 2)
    shown = nodes.run(f"{magic}time.sleep(0)")
    assert "name 'time' is not defined" in shown.traceback
    assert f"node 2: {WENT}" in shown.stderr
    assert "time" in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_each_cell_that_misses_a_name_says_so_until_it_is_bound_again(nodes: Kernel) -> None:
    kill(nodes, 2)
    assert f"node 2: {WENT}" in nodes.ok("%%sky\n1").stderr
    assert nodes.ok("%%sky\n2").stderr == ""
    for _ in range(2):
        shown = nodes.run("%%sky\ntime.sleep(0)")
        assert "name 'time' is not defined" in shown.traceback
        assert shown.stderr == f"node 2: {WENT} (time); run those cells again\n"
    nodes.ok(ABOUT)
    assert nodes.ok("%%sky\ntime.sleep(0)").stderr == ""


def test_a_name_that_the_notebook_has_too(nodes: Kernel) -> None:
    nodes.ok(f"{ABOUT}\nspeed = n + 100")
    nodes.ok("speed = 3")
    kill(nodes, 1)
    nodes.ok("%%sky\n1")
    shown = nodes.ok("%%sky\nspeed")
    assert shown.text == "[0] 100\n[1] 3\n[2] 102"
    assert f"node 1: {WENT} (speed); this cell uses the notebook's" in shown.stderr
    assert WENT not in nodes.ok("%%sky\nspeed").stderr


def test_stopped_while_an_interrupt_waits(nodes: Kernel) -> None:
    """A process that does not answer an interrupt in time is ended, as on a machine with too much to do."""
    find(nodes)
    nodes.ok("%%sky --bg --into run\nprint('begun', flush=True)\ntime.sleep(60)")
    nodes.ok("while not all('begun' in run[rank].output for rank in range(3)): await _asyncio.sleep(.01)")
    nodes.ok("_os.kill(_pids[2], _signal.SIGSTOP)")
    nodes.ok("run.cancel()")
    assert nodes.run("await run").ename == "TaskInterrupted"
    shown = nodes.run("%%sky\ntime.sleep(0)")
    assert "name 'time' is not defined" in shown.traceback
    assert shown.stderr == f"node 2: {WENT} (time); run those cells again\n"


def test_while_a_cell_waits_behind_the_one_that_it_ends_with(nodes: Kernel) -> None:
    find(nodes)
    nodes.ok(f"%%sky --bg --on 1 --into first\nprint('begun', flush=True)\n{STUBBORN}")
    nodes.ok("import asyncio\nwhile 'begun' not in first[1].output: await _asyncio.sleep(.01)")
    waiting = nodes.ok("%%sky --bg --on 1 --into second\ntime.sleep(0)")
    nodes.ok("first.cancel(); first.cancel()")
    nodes.run("await first")
    assert nodes.run("await second").ename == "CellFailed"
    text = waiting.displays[0]["text/plain"]
    assert "name 'time' is not defined" in text
    assert f"{WENT} (time); run those cells again" in text


def test_of_values_that_were_sent_it_is_said_too(nodes: Kernel) -> None:
    find(nodes)
    binds_nothing = "%%sky --on 3\nseen.append(1)\nlen(seen)"
    nodes.ok("%sky scale 4")
    nodes.ok("seen = []")
    nodes.ok(binds_nothing)
    assert nodes.ok(binds_nothing).text == "2"
    nodes.ok("%%sky --on 3 --into _pid\n__import__('os').getpid()")
    nodes.ok("_pids = {3: _pid}")
    nodes.ok(_KILL.replace("RANK", "3"))
    shown = nodes.ok(binds_nothing)
    assert shown.text == "1"
    assert shown.stderr == "node 3: the process that ran earlier cells there has ended, with what they changed there\n"
    nodes.ok("%sky scale 3")


def test_a_node_that_lost_its_session_begins_while_others_wait_for_it(nodes: Kernel) -> None:
    nodes.ok("def same(x): return x")
    nodes.ok("%%sky\nsame(1)")
    kill(nodes, 1)
    meet = "import skyward as sky\nsky.barrier('all', 3).wait()"
    shown = nodes.ok(f"%%sky\n{meet}\nsame(2)")
    assert shown.text == "[0-2] 2"
    assert f"node 1: {WENT}" in shown.stderr


def test_one_that_begins_anew_is_interrupted_with_the_others(nodes: Kernel) -> None:
    nodes.ok("def same(x): return x")
    nodes.ok("%%sky\nsame(1)")
    kill(nodes, 1)
    nodes.ok("%%sky --bg --into run\nimport time\nprint('here')\ntime.sleep(same(60))")
    nodes.ok("import asyncio\nwhile run.nodes[1].output != 'here\\n': await asyncio.sleep(.01)")
    nodes.ok("run.cancel()")
    shown = nodes.run("await run")
    assert shown.ename == "TaskInterrupted"
    assert shown.seconds < 30
    assert nodes.ok("run.state").text == "'cancelled'"
    nodes.ok(ABOUT)
