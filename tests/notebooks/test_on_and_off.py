"""``%sky on`` and ``%sky off``: plain cells run on the nodes until told otherwise, and each of them says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

BANNER = "(%sky on; %sky off has plain cells run here again)"


@pytest.fixture
def on(nodes: Kernel) -> Iterator[Kernel]:
    """A kernel whose plain cells run on nodes 0 and 1."""
    nodes.ok("%sky on --on 0,1")
    yield nodes
    nodes.ok("%sky off")


def _values(kernel: Kernel, code: str) -> str:
    """What a cell shows beside the banner, which it must have."""
    shown = kernel.ok(code)
    assert shown.displays[0]["text/plain"].startswith("on nodes 0-1 of pool ")
    assert shown.displays[0]["text/plain"].endswith(BANNER)
    return "\n".join(str(data["text/plain"]) for data in shown.displays[1:])


def test_plain_cells_run_there_and_say_so(on: Kernel) -> None:
    assert _values(on, "n") == "[0] 0\n[1] 1"
    assert _values(on, "there = n\nthere * 2") == "[0] 0\n[1] 2"
    on.ok("%sky off")
    assert on.run("there").ename == "NameError"
    assert on.ok("%%sky --on 0,1\nthere").text == "[0] 0\n[1] 1"


def test_their_errors_point_at_the_lines_as_typed(on: Kernel) -> None:
    shown = on.run("\nx = 1\n1 / 0")
    assert shown.ename == "CellFailed"
    assert "----> 3 1 / 0" in shown.traceback
    assert "line 1\n    y = = 2" in on.run("y = = 2").traceback
    assert _values(on, "x") == "[0-1] 1"


def test_magics_stay_sensible(on: Kernel) -> None:
    assert on.ok("%%sky\nn").text == "[0] 0\n[1] 1\n[2] 2"
    assert on.ok("%sky n").text == "[0] 0\n[1] 1\n[2] 2"
    assert on.ok("here = %sky n\nhere").text == "[0] 0\n[1] 1\n[2] 2"
    assert on.ok("%config Skyward.quiet").text == "False"
    assert on.ok("%load_ext skyward").displays == []
    assert on.ok("# only a comment").displays == []
    assert "[0-1] true" in on.ok("%%bash\necho true").stdout
    timed = on.ok("%%time\nt = n")
    assert all(line.startswith("[") for line in timed.stdout.splitlines())
    assert "Wall time" in timed.stdout
    assert on.ok("%%html\n<b>x</b>").displays[0]["text/html"] == "<b>x</b>\n"
    assert on.ok("!echo shell").stdout == "[0-1] shell\n"
    assert on.ok("%sky off\nhere = 2\nhere").text.endswith("2")
    assert on.ok("here").text == "2"


def test_a_cell_magic_of_the_users_own_runs_here(on: Kernel) -> None:
    on.ok("%sky off")
    on.ok(
        "from IPython.core.magic import register_cell_magic\n"
        "@register_cell_magic\ndef mine(line, cell):\n    print('mine', cell.strip())"
    )
    on.ok("%sky on --on 0,1")
    assert on.ok("%%mine\ncode").stdout == "mine code\n"


def test_an_interrupt_leaves_it_on(on: Kernel) -> None:
    shown = on.run("import time\nprint('go', flush=True)\ntime.sleep(600)", interrupt_at="go")
    assert shown.ename == "KeyboardInterrupt"
    assert _values(on, "n") == "[0] 0\n[1] 1"


def test_what_a_front_end_asks_for_by_itself_runs_here(on: Kernel) -> None:
    for asked in ({"silent": True}, {"store_history": False}):
        on.quietly("asked_here = 1", **asked)
    on.ok("%sky off")
    assert on.ok("asked_here").text == "1"


def test_wrong_options_are_refused_and_nothing_is_switched(nodes: Kernel) -> None:
    assert "there is no node 9" in nodes.run("%sky on --on 9").evalue
    assert "did you mean --group" in nodes.run("%sky on --grup same").evalue
    assert nodes.ok("1 + 1").text == "2"
    assert "plain cells run here" in nodes.ok("%sky off").stdout


def test_the_end_of_its_pool_ends_it_and_says_so(kernel: Kernel) -> None:
    assert "there is no pool" in kernel.run("%sky on").evalue
    assert "plain cells run on nodes 0-1 of pool" in kernel.ok("%sky on --nodes 2").stdout
    assert kernel.ok("a = 1; a").text.endswith("[0-1] 1")
    kernel.ok("%sky restart")
    assert kernel.ok("a = 2; a").text.endswith("[0-1] 2")
    assert "is stopped: they run here again" in kernel.ok("%sky stop").stdout
    assert kernel.ok("1 + 1").text == "2"
    kernel.ok("%sky on --nodes 2")
    kernel.ok("import skyward as sky, threading\n%sky status")
    kernel.ok("sky.pool().stop()  # %sky is not needed for that\n%sky pools")
    shown = kernel.run("b = 3")
    assert shown.ename == "UsageError"
    assert "this one was not run" in shown.evalue
    assert kernel.ok("b = 4; b").text == "4"


def test_unloading_ends_it(kernel: Kernel) -> None:
    kernel.ok("%sky on --nodes 1")
    assert kernel.ok("1").text.endswith(BANNER + "\n1")
    kernel.ok("%unload_ext skyward")
    assert kernel.ok("2").text == "2"
    kernel.ok("%load_ext skyward")
    assert kernel.ok("3").text == "3"
    kernel.ok("%sky stop")
