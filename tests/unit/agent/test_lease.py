"""Whether the process that owns a pool is alive."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from skyward_jupyter.agent import lease

WAYS = [lease.owner_gone, lease._poll]


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    monkeypatch.setattr(lease, "_POLL", 0.02)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("gone", WAYS)
async def test_it_returns_once_the_owner_has_ended(owner: subprocess.Popen[bytes], gone: Callable[[int], Any]) -> None:
    waiting = asyncio.ensure_future(gone(owner.pid))
    done, _ = await asyncio.wait([waiting], timeout=0.1)
    assert not done
    owner.kill()
    await asyncio.wait_for(waiting, 10)


@pytest.mark.parametrize("gone", WAYS)
async def test_no_such_owner(owner: subprocess.Popen[bytes], gone: Callable[[int], Any]) -> None:
    owner.kill()
    owner.wait()
    await asyncio.wait_for(gone(owner.pid), 10)


@pytest.mark.parametrize("gone", WAYS)
async def test_cancelled_it_stops_watching(owner: subprocess.Popen[bytes], gone: Callable[[int], Any]) -> None:
    waiting = asyncio.ensure_future(gone(owner.pid))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
