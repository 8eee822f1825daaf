"""Collections as the last expression of a cell: live, with the forms that stay; on nodes by their repr."""

from __future__ import annotations

import os
import signal

import pytest

from skyward_jupyter.widgets.view import built
from tests.notebooks.kernel import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(not built("collection"), reason="the widgets are not built")]

#: What the HTML of one begins with while it is live.
PLACE = '<div data-skyward="'


@pytest.fixture(scope="module", autouse=True)
def _imported(nodes: Kernel) -> None:
    nodes.ok("import skyward as sky")


@pytest.mark.parametrize("awaited", ["", "import asyncio; await asyncio.sleep(0)\n"])
def test_a_cell_shows_a_collection_live_and_in_text(nodes: Kernel, awaited: str) -> None:
    nodes.ok("sky.dict('runs').update({'a': 1, 'b': [1, 2]})")
    (shown,) = nodes.ok(f"{awaited}sky.dict('runs')").displays
    assert set(shown) == {"text/plain", "text/html"}
    assert shown["text/html"].startswith(PLACE)
    assert ": 2 keys\n  key  value\n  'a'  1\n  'b'  [1, 2]" in shown["text/plain"]
    assert "<td" in shown["text/html"]
    (again,) = nodes.ok(f"{awaited}display(sky.dict('runs'))").displays
    assert again["text/html"].split(">")[0] == shown["text/html"].split(">")[0]


def test_a_task_beside_the_cells_shows_it_without_waiting(nodes: Kernel) -> None:
    beside = "import asyncio\nasync def show(): display(sky.counter('steps'))\nawait asyncio.create_task(show())"
    (shown,) = nodes.ok(beside).displays
    assert shown["text/html"].startswith(PLACE)
    assert shown["text/plain"].startswith("counter 'steps' of pool")


def test_the_loop_is_free_while_it_is_read(nodes: Kernel) -> None:
    nodes.ok("ticks = []\nasync def tick():\n    while True:\n        ticks.append(1)\n        await asyncio.sleep(0)")
    nodes.ok("import asyncio, time\nticking = asyncio.ensure_future(tick())")
    read = (
        "before, began = len(ticks), time.perf_counter()\ntext = sky.dict('runs')._repr_mimebundle_()\n"
        "took, during = time.perf_counter() - began, len(ticks) - before\nduring > 0 or took < 0.05"
    )
    # What takes a moment only is waited for by the cell itself; a busy machine may have stopped it just then.
    assert "True" in {nodes.ok(read).text for _ in range(5)}
    nodes.ok("ticking.cancel()")


def test_on_a_node_it_is_its_repr(nodes: Kernel) -> None:
    assert "<dict 'runs' of pool" in nodes.ok("%%sky --on 1\nimport skyward as sky\nsky.dict('runs')").text


def test_nodes_that_do_not_answer_hold_nothing_up(nodes: Kernel) -> None:
    pids = nodes.ok("print(*(view.pid for view in sky.pool()._inner.hub.desk.nodes.values()))").stdout.split()
    stopped = [int(pid) for pid in pids]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        shown = nodes.ok("sky.queue('jobs')")
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert shown.seconds < 20
    assert "queue 'jobs' of pool" in shown.text


def test_what_was_seen_last_stays_when_the_pool_is_over(nodes: Kernel) -> None:
    nodes.ok("sky.set('seen').update(['x', 'y'])")
    shown = nodes.ok("sky.set('seen')")
    nodes.ok("seen = sky.set('seen')\nsky.pool().stop()")
    nodes.ok("pass")
    (left,) = shown.displays
    assert PLACE not in left["text/html"]
    assert ": 2 members\n  member\n  'x'\n  'y'" in left["text/plain"]
    assert "is over; this is what was seen last." in left["text/plain"]
    assert nodes.ok("seen").text == left["text/plain"]
