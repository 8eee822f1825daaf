"""Interrupts of a kernel that has only `import skyward`: they come while its loop is idle, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebooks.conftest import environment
from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

SETUP = """
import asyncio, signal, time
import skyward as sky

@sky.compute
def nap(seconds):
    time.sleep(seconds)
    return seconds

pool = sky.ComputePool(nodes=2, name="wakes").start()
"""
#: Much longer than an interrupt takes, much shorter than the cells would run.
SOON = 3.0


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Kernel]:
    made = Kernel(tmp_path, environment(tmp_path))
    yield made
    made.stop()


def test_the_first_pool_has_signals_wake_the_loop(bare: Kernel) -> None:
    asked = "import signal\nfound = signal.set_wakeup_fd(-1)\n_ = signal.set_wakeup_fd(found)\nfound != -1"
    assert bare.ok(asked).text == "False"
    bare.ok("import skyward as sky")
    assert bare.ok(asked).text == "False", "importing changes nothing"
    bare.ok(SETUP)
    assert bare.ok(asked).text == "True"


@pytest.mark.parametrize("cell", ["await pool.run(nap(20))", "await asyncio.sleep(20)", "nap(20) >> pool"])
def test_an_idle_loop_hears_of_an_interrupt(bare: Kernel, cell: str) -> None:
    bare.ok(SETUP)
    shown = bare.run(f"begun = time.time()\nprint('begun', flush=True)\n{cell}", interrupt_at="begun")
    assert shown.ename in ("KeyboardInterrupt", "CancelledError")
    assert shown.seconds < SOON
    print(f"{cell}: interrupted, over after {shown.seconds:.2f} s")
    assert bare.ok("nap(0) @ pool").text == "[0, 0]"


def test_unloading_the_extension_keeps_it_for_the_pool(bare: Kernel) -> None:
    bare.ok("%load_ext skyward")
    bare.ok(SETUP)
    bare.ok("%unload_ext skyward")
    shown = bare.run("print('begun', flush=True)\nawait asyncio.sleep(20)", interrupt_at="begun")
    assert shown.ename in ("KeyboardInterrupt", "CancelledError")
    assert shown.seconds < SOON


def test_what_others_set_stays(bare: Kernel) -> None:
    bare.ok("import signal\ndef theirs(*_): pass\n_ = signal.signal(signal.SIGUSR2, theirs)")
    bare.ok(SETUP)
    assert bare.ok("signal.getsignal(signal.SIGUSR2) is theirs").text == "True"
    bare.ok("%load_ext skyward\n%unload_ext skyward")
    assert bare.ok("signal.getsignal(signal.SIGUSR2) is theirs").text == "True"


def test_a_descriptor_of_somebody_elses_stays(bare: Kernel) -> None:
    bare.ok("import signal, socket\na, b = socket.socketpair()\na.setblocking(False)")
    bare.ok("_ = signal.set_wakeup_fd(a.fileno())")
    bare.ok(SETUP)
    assert bare.ok("signal.set_wakeup_fd(-1) == a.fileno()").text == "True"
