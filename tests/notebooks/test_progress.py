"""Cells that wait: a bar for many calls, a line that says for what; what of it stays in the cell."""

from __future__ import annotations

import re

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

CALLS = """
import pathlib, time
import skyward as sky

@sky.compute
def score(i):
    while not pathlib.Path("go").exists():
        if i < 4:
            break
        time.sleep(0.01)
    if i == 2:
        raise ValueError(i)
    return i
"""
BAR = r"score:  33%\|███▎      \| 4/12 \[00:0\d<00:\d\d, .* 3 done, 1 failed, 8 left\]"


@pytest.fixture(scope="module")
def calls(nodes: Kernel) -> Kernel:
    nodes.ok(CALLS)
    nodes.ok("pool = sky.pool()")
    return nodes


@pytest.fixture(autouse=True)
def held(nodes: Kernel) -> None:
    (nodes.folder / "go").unlink(missing_ok=True)


@pytest.mark.parametrize(
    "cell",
    [
        "found = sky.gather(*map(score, range(12)), return_exceptions=True) >> pool",
        "found = await pool.run(sky.gather(*map(score, range(12)), return_exceptions=True))",
        "found = pool.map(score, range(12), return_exceptions=True)",
        "found = list(sky.gather(*map(score, range(12)), return_exceptions=True, stream=True, progress=True) >> pool)",
    ],
)
def test_a_bar_says_how_far_calls_are_and_leaves_one_line(calls: Kernel, cell: str) -> None:
    shown = calls.start(cell)
    calls.until_text(shown, "3 done, 1 failed, 8 left")
    assert re.fullmatch(BAR, shown.text), shown.text
    (calls.folder / "go").touch()
    calls.finish(shown)
    assert re.fullmatch(r"score: 100%\|█{10}\| 12/12 \[00:\d\d, .* 11 done, 1 failed\]", shown.text), shown.text
    assert len(shown.displays) == 1
    assert set(shown.displays[0]) == {"text/plain"}
    assert shown.stdout == shown.stderr == ""
    assert calls.ok("len(found), type(found[2]).__name__").text == "(12, 'ValueError')"


def test_one_that_is_stopped_by_an_error_says_what_was_cancelled(calls: Kernel) -> None:
    shown = calls.run("found = sky.gather(*map(score, [4, 5, 2]), progress=True) >> pool")
    assert shown.ename == "ValueError"
    assert re.fullmatch(r"score:  33%\|.* 1/3 \[.* 1 failed, 2 cancelled\]", shown.text), shown.text


def test_one_that_is_interrupted_says_how_far_it_was(calls: Kernel) -> None:
    shown = calls.start("found = sky.gather(*map(score, [0, 4, 5, 6]), progress=True) >> pool")
    calls.until_text(shown, "1 done, 3 left")
    calls.interrupt()
    calls.finish(shown)
    assert shown.ename == "KeyboardInterrupt"
    assert re.fullmatch(r"score:  25%\|.* 1/4 \[.* 1 done, 3 cancelled\]", shown.text), shown.text


def test_what_is_quick_or_asks_for_none_shows_none(calls: Kernel) -> None:
    (calls.folder / "go").touch()
    assert calls.ok("_ = sky.gather(score(0), score(1)) >> pool").displays == []
    slow = "sky.compute(time.sleep)(2.5)"
    assert calls.ok(f"_ = sky.gather({slow}, {slow}, progress=False) >> pool").displays == []
    assert calls.ok(f"_ = {slow} >> pool").displays == []
    calls.ok("%config Skyward.progress = False")
    assert calls.ok(f"_ = sky.gather({slow}, {slow}) >> pool").displays == []
    assert "2/2" in calls.ok("_ = sky.gather(score(0), score(1), progress=True) >> pool").text
    calls.ok("%config Skyward.progress = True")
    assert calls.ok(f"f = sky.gather({slow}, {slow}) > pool\n_ = f.result()").displays == []
    assert calls.run("sky.gather(score(0), progress='yes')").evalue.startswith("progress is 'yes'; say True")


# -- a cell that waits for what its nodes do first

HOLD = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(.01)"


def release(nodes: Kernel) -> None:
    (nodes.folder / "go").touch()


def test_a_cell_says_for_which_run_it_waits_and_nothing_of_it_stays(nodes: Kernel) -> None:
    nodes.ok(f"%%sky --bg --into first --on 0\n{HOLD}")
    number = nodes.ok("max(first.ids)").text
    shown = nodes.start("%%sky --on 0\nprint('through')\nn")
    nodes.until_text(shown, "waiting for")
    assert shown.text == f"waiting for node 0: busy with run r{number} (import pathlib, time)"
    release(nodes)
    nodes.finish(shown)
    assert shown.stdout == "through\n"
    assert shown.text == "0"
    nodes.ok("await first")


def test_several_nodes_wait_for_several_runs(nodes: Kernel) -> None:
    nodes.ok(f"%%sky --bg --into first --on 0,1\n{HOLD}")
    nodes.ok(f"%%sky --bg --into second --on 2\nheld = True\n{HOLD}")
    runs = nodes.ok("[*first.ids, *second.ids]").text.strip("[]").split(", ")
    shown = nodes.start("%%sky\npass")
    nodes.until_text(shown, "waiting for")
    assert shown.text == (
        f"waiting for nodes 0-1: busy with run r{runs[0]} (import pathlib, time); "
        f"node 2: busy with run r{runs[1]} (held = True)"
    )
    release(nodes)
    nodes.finish(shown)
    assert shown.displays == []
    nodes.ok("await first, await second")


def test_what_other_nodes_write_meanwhile_stays(nodes: Kernel) -> None:
    nodes.ok(f"%%sky --bg --into first --on 1\n{HOLD}")
    shown = nodes.start("%%sky\nprint('written')")
    nodes.until(shown, "[0,2] written")
    nodes.until_text(shown, "waiting for node 1: busy with run r")
    release(nodes)
    nodes.finish(shown)
    assert sorted(shown.stdout.splitlines()) == ["[0,2] written", "[1] written"]
    assert [data for data in shown.displays if data] == []
    nodes.ok("await first")


def test_one_that_is_interrupted_while_it_waits_leaves_nothing(nodes: Kernel) -> None:
    nodes.ok(f"%%sky --bg --into first --on 0\n{HOLD}")
    shown = nodes.start("%%sky --on 0\npass")
    nodes.until_text(shown, "waiting for node 0")
    nodes.interrupt()
    nodes.finish(shown)
    assert shown.ename == "KeyboardInterrupt"
    assert shown.displays == []
    release(nodes)
    nodes.ok("await first")


def test_an_expression_that_waits_says_so(nodes: Kernel) -> None:
    nodes.ok(f"%%sky --bg --into first\n{HOLD}")
    shown = nodes.start("found = %sky n")
    nodes.until_text(shown, "waiting for nodes 0-2: busy with run r")
    release(nodes)
    nodes.finish(shown)
    assert "waiting" not in shown.text
    assert nodes.ok("[*found]").text == "[0, 1, 2]"


def test_a_cell_that_need_not_wait_says_nothing(nodes: Kernel) -> None:
    shown = nodes.ok("%%sky\nimport time\ntime.sleep(1.5)")
    assert (shown.displays, shown.cleared) == ([], 0)
