"""Collections in a notebook: in plain cells that block, in awaited cells, and in the sessions of `%%sky`."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel


def test_a_cell_and_its_nodes_share_a_dict(nodes: Kernel) -> None:
    nodes.ok("%%sky\nimport skyward as sky\nsky.dict('seen')[n] = n * n")
    nodes.ok("import skyward as sky\nseen = sky.dict('seen')\nseen['here'] = 1")
    assert nodes.ok("dict(sorted(seen.items(), key=str))").text == "{'here': 1, 0: 0, 1: 1, 2: 4}"
    assert nodes.ok("await seen.getitem_async(2)").text == "4"
    assert nodes.ok("%%sky --nodes 1\nprint(seen['here'], len(seen))").stdout == "1 4\n"


def test_the_loop_is_free_while_a_cell_waits(nodes: Kernel) -> None:
    nodes.ok("import asyncio, skyward as sky\nticks = []")
    nodes.ok(
        "async def tick():\n    while True:\n        ticks.append(1)\n        await asyncio.sleep(0.02)\n"
        "ticking = asyncio.ensure_future(tick())"
    )
    nodes.ok("before = len(ticks)\nsky.queue('empty').get(timeout=0.5)\nseen = len(ticks) - before")
    assert int(nodes.ok("ticking.cancel()\nseen").text) > 3


def test_an_interrupted_cell_leaves_nothing_waiting(nodes: Kernel) -> None:
    nodes.ok("import skyward as sky")
    nodes.ok("sky.lock('mine').acquire()")
    ended = nodes.run("print('waits', flush=True)\nsky.barrier('never').wait()", interrupt_at="waits")
    assert ended.ename == "KeyboardInterrupt"
    nodes.ok("sky.lock('mine').release()")
    assert nodes.ok("sky.lock('mine').acquire(timeout=5)").text == "True"
    nodes.ok("sky.lock('mine').release()")


def test_a_lock_is_held_from_cell_to_cell(nodes: Kernel) -> None:
    nodes.ok("import skyward as sky\nlock = sky.lock('cells')\nawait lock.acquire_async()")
    assert nodes.ok("%%sky --nodes 1\nprint(lock.acquire(timeout=0.2))").stdout == "False\n"
    nodes.ok("await lock.release_async()")
    assert nodes.ok("%%sky --nodes 1\nprint(lock.acquire(timeout=5))").stdout == "True\n"
    assert nodes.ok("lock.acquire(timeout=0.2)").text == "False"
    nodes.ok("%%sky --nodes 1\nlock.release()")
    assert nodes.ok("lock.acquire(timeout=5)").text == "True"
    nodes.ok("lock.release()")


def test_a_barrier_holds_the_nodes_of_a_cell_together(nodes: Kernel) -> None:
    nodes.ok(
        "%%sky\nimport skyward as sky, time\ntime.sleep(0.1 * n)\nsky.counter('came').increment()\n"
        "sky.barrier('cell').wait(timeout=20)\nassert sky.counter('came').value == 3"
    )
    failed = nodes.run("%%sky\nif n != 1:\n    sky.barrier('cell').wait(timeout=0.5)")
    assert failed.ename == "CellFailed"
    shown = failed.stdout + failed.stderr + failed.traceback + failed.text
    assert "nobody came from node 1" in shown


def test_without_a_pool_it_says_so(kernel: Kernel) -> None:
    failed = kernel.run("import skyward as sky\nsky.dict('a')")
    assert failed.ename == "NoPool"
    assert "no pool is running" in failed.evalue


def test_a_lock_is_kept_while_a_cell_blocks_the_kernel(nodes: Kernel) -> None:
    from skyward_jupyter.collections.keeper import TTL

    nodes.ok("import time, skyward as sky\nlock = sky.lock('busy')\nlock.acquire()")
    nodes.ok(f"time.sleep({TTL + 2})")
    assert nodes.ok("%%sky --nodes 1\nprint(sky.lock('busy').acquire(timeout=0.2))").stdout == "False\n"
    nodes.ok("lock.release()")
