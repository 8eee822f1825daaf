"""``%sky logs --follow``: lines as they come, until an interrupt or the pool's end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

FOLLOW = "%sky logs --follow"


def ticking(mark: str) -> str:
    """Code that writes lines for ever, and which are nobody else's."""
    return f"for i in range(10_000):\n    print(f'{mark}{{n}}.{{i}}', flush=True)\n    time.sleep(.05)"


@contextmanager
def background(nodes: Kernel, code: str) -> Iterator[None]:
    """`code` runs on all nodes meanwhile, and is not ended by anything else."""
    nodes.ok(f"%%sky --bg --into run --quiet\n{code}")
    yield
    assert nodes.ok("run.done").text == "False"
    nodes.ok("run.cancel()")
    assert nodes.run("await run").ename == "TaskInterrupted"


@pytest.mark.parametrize(
    ("mark", "cell"),
    [
        ("plain", FOLLOW),
        ("called", "def f():\n    get_ipython().run_line_magic('sky', 'logs --follow')\nf()"),
        ("awaited", f"await sleep(0)\n{FOLLOW}"),
    ],
)
def test_lines_come_until_an_interrupt_which_is_no_error(nodes: Kernel, mark: str, cell: str) -> None:
    nodes.ok("from asyncio import sleep")
    with background(nodes, ticking(mark)):
        shown = nodes.run(cell, interrupt_at=f"{mark}2.30")
        assert (shown.status, shown.traceback, shown.stderr) == ("ok", "", "")
    assert shown.stdout.startswith("node 0: ")
    assert f"  node 2    stdout  {mark}2.30\n" in shown.stdout


def test_only_the_nodes_that_are_asked_for(nodes: Kernel) -> None:
    with background(nodes, ticking("one")):
        shown = nodes.run("%sky logs 1 --follow -n 1", interrupt_at="one1.30")
    assert shown.status == "ok"
    assert shown.stdout.startswith("node 1: ")
    assert not any(other in shown.stdout for other in ("one0.", "one2.", "node 0", "node 2"))


def test_a_flood_is_cut_and_counted(nodes: Kernel) -> None:
    with background(nodes, "while True: print('flood')"):
        shown = nodes.run("%sky logs --follow -n 1", interrupt_at="are not shown")
    assert shown.status == "ok"
    assert len(shown.stdout) < 1_000_000


def test_it_ends_with_the_pool(nodes: Kernel) -> None:
    nodes.ok("import asyncio, skyward as sky\nother = await sky.ComputePool(nodes=1, name='brief').start_async()")
    nodes.ok(
        "async def stop():\n    await asyncio.to_thread(go.wait)\n    await other.stop_async()\n"
        "import threading\ngo = threading.Event()\nstopping = asyncio.ensure_future(stop())"
    )
    shown = nodes.ok("threading.Timer(.2, go.set).start()\n%sky logs --follow --pool brief")
    assert shown.stdout.startswith("node 0: ")
    assert shown.stdout.endswith("pool brief is stopped\n")
