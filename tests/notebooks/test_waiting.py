"""Cells that wait for calls, pools and others say for what, and leave nothing of it; bars of broadcasts and maps."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.notebooks.kernel import Kernel, Shown

pytestmark = pytest.mark.kernel

CALLS = """
import asyncio, pathlib, time
import skyward as sky

@sky.compute
def held(i=0):
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return i

@sky.compute
def on_last_held():
    info = sky.instance_info()
    return held.local() if info.node == info.total_nodes - 1 else 0

def job(i):
    if i >= 4:
        held.local()
    if i == 6:
        raise ValueError(i)
    return i
"""
STOP, LEAVE = r" · \d+s · interrupt the kernel to stop it", r" · \d+s · interrupt the kernel to stop waiting"


@pytest.fixture(scope="module")
def calls(nodes: Kernel) -> Iterator[Kernel]:
    nodes.ok(CALLS)
    nodes.ok("pool = sky.pool()\nexecutor = sky.Executor(pool)")
    yield nodes
    go(nodes)
    nodes.ok("executor.shutdown()")


@pytest.fixture(autouse=True)
def held(nodes: Kernel) -> Iterator[None]:
    (nodes.folder / "go").unlink(missing_ok=True)
    yield
    go(nodes)  # a test that failed leaves nothing that waits


def go(nodes: Kernel) -> None:
    (nodes.folder / "go").touch()


def said(calls: Kernel, cell: str, line: str) -> Shown:
    """Run a cell until it says for what it waits as `line` has it."""
    shown = calls.start(cell)
    calls.until_shown(shown, lambda: re.search(f"^{line}$", shown.text, re.MULTILINE) is not None)
    return shown


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("_ = held() >> pool", r"waiting for node \d: running held" + STOP),
        ("_ = await pool.run(held())", r"waiting for node \d: running held" + STOP),
        ("_ = sky.gather(held()) >> pool", r"waiting for node \d: running held" + STOP),
        ("_ = (held() > pool).result()", r"waiting for node \d: running held" + LEAVE),
        ("_ = executor.submit(held).result()", r"waiting for node \d: running held" + LEAVE),
        (
            "_ = await asyncio.gather(*(pool.run(held(i)) for i in range(3)))",
            r"waiting for (node \d: running held; ){2}node \d: running held" + STOP,
        ),
    ],
)
def test_a_call_that_takes_long_says_where_it_runs_and_nothing_of_it_stays(calls: Kernel, cell: str, line: str) -> None:
    shown = said(calls, cell, line)
    go(calls)
    calls.finish(shown)
    assert (shown.displays, shown.stdout, shown.stderr) == ([], "", "")


def test_what_a_cell_has_written_before_stays(calls: Kernel) -> None:
    shown = said(calls, "print('before')\nheld(7) >> pool", r"waiting for node \d: running held" + STOP)
    go(calls)
    calls.finish(shown)
    assert (shown.stdout, shown.cleared) == ("before\n", 0)
    assert [data for data in shown.displays if data] == [{"text/plain": "7"}]


def test_a_call_without_a_slot_says_what_has_them(calls: Kernel) -> None:
    calls.ok("first = [held(i) > pool for i in range(3)]")
    shown = said(calls, "_ = held() >> pool", r"waiting for a free slot for held: \d of 3 run held" + STOP)
    go(calls)
    calls.finish(shown)
    assert calls.ok("[each.result() for each in first]").text == "[0, 1, 2]"


def test_a_call_that_is_interrupted_leaves_nothing(calls: Kernel) -> None:
    shown = said(calls, "held() >> pool", r"waiting for node \d: running held" + STOP)
    calls.interrupt()
    calls.finish(shown)
    assert (shown.ename, shown.displays) == ("KeyboardInterrupt", [])


def test_calls_of_a_loop_that_take_a_little_longer_do_not_flicker(calls: Kernel) -> None:
    shown = calls.ok("for i in range(4): sky.compute(time.sleep)(1.3) >> pool")
    assert shown.displays == []
    assert 1 <= shown.cleared <= 2


def test_a_setting_leaves_it_out(calls: Kernel) -> None:
    calls.ok("%config Skyward.progress = False")
    shown = calls.ok("sky.compute(time.sleep)(1.4) >> pool")
    calls.ok("%config Skyward.progress = True")
    assert (shown.displays, shown.cleared) == ([], 0)


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("sky.barrier('gate', 2).wait(timeout=1.6)", "waiting for the other parties of barrier 'gate'"),
        ("_ = sky.queue('line').get(timeout=1.6)", "waiting for an item in queue 'line'"),
    ],
)
def test_what_collections_wait_for_is_said(calls: Kernel, cell: str, line: str) -> None:
    shown = said(calls, cell, line + LEAVE)
    calls.finish(shown)
    assert shown.displays == []


def test_a_run_that_is_awaited_is_said(calls: Kernel) -> None:
    calls.ok("%%sky --bg --into run --on 1\nimport pathlib\nwhile not pathlib.Path('go').exists(): pass")
    shown = said(calls, "run.result()", r"waiting for run r\d+ on node 1" + LEAVE)
    go(calls)
    calls.finish(shown)


# -- bars


@pytest.mark.parametrize("cell", ["_ = on_last_held() @ pool", "_ = await pool.broadcast(on_last_held())"])
def test_a_broadcast_says_on_which_nodes_it_goes_on_and_leaves_one_line(calls: Kernel, cell: str) -> None:
    shown = calls.start(cell)
    calls.until_text(shown, "2 done")
    assert re.fullmatch(r"on_last_held:  67%\|\S+ +\| 2/3 \[00:0\d, 2 done, 1 left on \[2\]\]", shown.text), shown.text
    go(calls)
    calls.finish(shown)
    assert re.fullmatch(r"on_last_held: 100%\|█{10}\| 3/3 \[00:\d\d, 3 done\]", shown.text), shown.text
    assert len(shown.displays) == 1


@pytest.mark.parametrize(
    ("cell", "so_far", "in_the_end"),
    [
        ("_ = list(executor.map(job, range(6)))", "4 done, 2 left", r"6/6 \[.* 6 done\]"),
        ("_ = list(executor.map(job, range(6), chunksize=4))", "4 done, 2 left", r"6/6 \[.* 6 done\]"),
        ("_ = list(executor.map(job, iter(range(6)), buffersize=3))", "4 done", r" 6 call \[.* 6 done\]"),
    ],
)
def test_a_map_of_an_executor_has_a_bar(calls: Kernel, cell: str, so_far: str, in_the_end: str) -> None:
    shown = calls.start(cell)
    calls.until_text(shown, so_far)
    go(calls)
    calls.finish(shown)
    assert shown.text.startswith("job: "), shown.text
    assert re.search(in_the_end, shown.text), shown.text
    assert len(shown.displays) == 1


def test_a_map_that_fails_or_is_left_says_what_became_of_it(calls: Kernel) -> None:
    shown = calls.start("_ = list(executor.map(job, range(8), progress=True))")
    calls.until_text(shown, "4 done, 4 left")
    go(calls)
    calls.finish(shown)
    assert shown.ename == "ValueError"
    assert re.search(r"6 done, 1 failed, 1 cancelled\]|7 done, 1 failed\]", shown.text), shown.text
    (calls.folder / "go").unlink()
    shown = calls.start("_ = list(executor.map(job, range(8), progress=True))")
    calls.until_text(shown, "4 done, 4 left")
    calls.interrupt()
    calls.finish(shown)
    assert shown.ename == "KeyboardInterrupt"
    assert shown.text.endswith("4 done, 4 cancelled]"), shown.text


def test_maps_and_broadcasts_that_are_quick_show_none(calls: Kernel) -> None:
    go(calls)
    assert calls.ok("_ = list(executor.map(job, range(4)))").displays == []
    assert calls.ok("_ = held() @ pool").displays == []
    shown = calls.ok("_ = list(executor.map(time.sleep, [2.4] * 3, progress=False))")
    assert (shown.displays, shown.cleared) == ([], 0)
    assert calls.run("executor.map(job, [1], progress='yes')").evalue.startswith("progress is 'yes'")
