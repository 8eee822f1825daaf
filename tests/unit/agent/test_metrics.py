"""What processes use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from skyward_jupyter.agent.metrics import Meter


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    code = "import sys; data = bytearray(64 << 20); sys.stdout.write('up'); sys.stdout.flush(); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(2) == b"up"
        yield process
        process.kill()


def test_memory_of_the_agent_and_its_slots(child: subprocess.Popen[bytes]) -> None:
    meter = Meter(os.getpid())
    _, alone = meter.read(())
    _, both = meter.read([child.pid])
    assert alone == pytest.approx(psutil.Process().memory_info().rss / 2**20, rel=0.5)
    assert both - alone > 50


def test_cpu_counts_what_was_used_since_the_last_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    meter = Meter(os.getpid())
    assert meter.read(())[0] == 0.0
    before = time.process_time()
    while time.process_time() - before < 0.1:
        pass
    now[0] += 0.5
    used, _ = meter.read(())
    assert 15 < used < 60
    now[0] += 1000
    assert meter.read(())[0] < 1


def test_processes_that_have_ended_count_nothing(child: subprocess.Popen[bytes]) -> None:
    meter = Meter(os.getpid())
    meter.read([child.pid])
    child.kill()
    child.wait()
    cpu, memory = meter.read([child.pid])
    assert cpu >= 0
    assert memory == pytest.approx(meter.read(())[1], rel=0.2)
