"""SIGINT at the kernel stops what runs on the nodes, and nothing else."""

from __future__ import annotations

import random

import pytest

from tests.notebooks.conftest import ABOUT
from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

ENDLESS = "print('begun', flush=True)\nwhile True: time.sleep(.05)"
STUBBORN = (
    "print('begun', flush=True)\nwhile True:\n    try:\n        time.sleep(.05)\n"
    "    except KeyboardInterrupt:\n        print('again', flush=True)"
)


def test_an_interrupt_stops_the_code_on_all_nodes(nodes: Kernel) -> None:
    nodes.ok("%%sky\nsession = os.getpid()")
    shown = nodes.run(f"%%sky\n{ENDLESS}", interrupt_at="begun")
    assert (shown.status, shown.ename) == ("error", "KeyboardInterrupt")
    assert "interrupted on nodes 0-2" in shown.traceback
    assert "while True: time.sleep(.05)" in shown.traceback
    assert "skyward_jupyter" not in shown.traceback
    assert shown.seconds < 5
    assert nodes.ok("%sky session == os.getpid()").text == "[0-2] True"


def test_a_second_interrupt_ends_the_processes(nodes: Kernel) -> None:
    nodes.ok("%%sky\nsession = os.getpid()")
    shown = nodes.run(f"%%sky --on 0-1\n{STUBBORN}", interrupt_at="begun", times=2)
    assert shown.ename == "KeyboardInterrupt"
    assert shown.seconds < 5
    assert nodes.ok("%sky 'session' in globals()").text == "[0-1] False\n[2] True"
    nodes.ok(ABOUT)


@pytest.mark.parametrize(
    "cell",
    [
        f"%%time\n%%sky\n{ENDLESS}",
        f"def f(code):\n    get_ipython().run_cell_magic('sky', '', code)\nf({ENDLESS!r})",
    ],
)
def test_a_cell_that_blocks_is_interrupted_too(nodes: Kernel, cell: str) -> None:
    shown = nodes.run(cell, interrupt_at="begun")
    assert shown.ename == "KeyboardInterrupt"
    assert "interrupted on nodes 0-2" in shown.traceback
    assert nodes.ok("%%sky\n1").text == "[0-2] 1"


def test_code_that_went_on_after_an_interrupt_is_still_interrupted(nodes: Kernel) -> None:
    code = "print('begun', flush=True)\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass\n'value'"
    shown = nodes.run(f"%%sky\n{code}", interrupt_at="begun")
    assert shown.ename == "KeyboardInterrupt"
    assert shown.seconds < 30
    assert shown.text == "[0-2] 'value'"


@pytest.mark.parametrize("before", ["", "await asyncio.sleep(0)\n"])
def test_an_interrupted_await_is_cancelled(nodes: Kernel, before: str) -> None:
    nodes.ok("%%sky\nimport asyncio\nsession, steps = os.getpid(), []")
    code = (
        "async def work():\n    try:\n        print('begun', flush=True)\n        await asyncio.sleep(600)\n"
        "        steps.append('went on')\n    finally:\n"
        "        await asyncio.sleep(.01)\n        steps.append('ended')\n"
        f"{before}await asyncio.gather(work(), asyncio.sleep(600))"
    )
    shown = nodes.run(f"%%sky\n{code}", interrupt_at="begun")
    assert (shown.status, shown.ename) == ("error", "KeyboardInterrupt")
    assert "CancelledError" not in shown.traceback
    assert shown.seconds < 30
    nodes.ok("%%sky\nawait asyncio.sleep(.05)")
    assert nodes.ok("%sky steps").text == "[0-2] ['ended']"
    assert nodes.ok("%sky session == os.getpid()").text == "[0-2] True"


def test_an_interrupt_while_an_awaiting_cell_computes(nodes: Kernel) -> None:
    code = "import asyncio\nawait asyncio.sleep(0)\nprint('begun', flush=True)\nwhile True: pass"
    shown = nodes.run(f"%%sky\n{code}", interrupt_at="begun")
    assert shown.ename == "KeyboardInterrupt"
    assert "while True: pass" in shown.traceback
    assert nodes.ok("%%sky\nawait asyncio.sleep(0)\n1").text == "[0-2] 1"


def test_interrupts_at_random_moments_leave_the_pool_as_it_was(nodes: Kernel) -> None:
    nodes.ok("%%sky\nsession = os.getpid()")
    chance = random.Random(7)
    for _ in range(15):
        shown = nodes.start("%%sky\nfor _ in range(40): time.sleep(.005)")
        if chance.random() < 0.7:
            nodes.interrupt()
        assert nodes.finish(shown).ename in ("", "KeyboardInterrupt"), shown.traceback
        assert nodes.run("0").status in ("ok", "error")
    assert nodes.ok("%sky session == os.getpid()").text == "[0-2] True"
