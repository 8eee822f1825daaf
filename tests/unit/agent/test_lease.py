"""Whether the process that owns a pool is alive."""

from __future__ import annotations

import asyncio
import os
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


class Told:
    """What a lease says."""

    def __init__(self) -> None:
        self.alone, self.over = asyncio.Event(), asyncio.Event()

    def lease(self, owner: lease.Owner, ttl: float, epoch: int = 0) -> lease.Lease:
        made = lease.Lease(owner, epoch, ttl, self.alone.set, self.over.set)
        made.start()
        return made


ME = lease.Owner(os.getpid(), lease.started(os.getpid()), "me")


async def test_a_lease_ends_its_ttl_after_its_owner(owner: subprocess.Popen[bytes]) -> None:
    told = Told()
    held = told.lease(lease.Owner(owner.pid), 0.01)
    owner.kill()
    async with asyncio.timeout(10):
        await told.alone.wait()
        await told.over.wait()
    held.end()


async def test_another_that_takes_it_in_time_keeps_it(owner: subprocess.Popen[bytes]) -> None:
    told = Told()
    held = told.lease(lease.Owner(owner.pid, name="old"), 600)
    owner.kill()
    await asyncio.wait_for(told.alone.wait(), 10)
    assert held.take(ME, 1)
    assert (held.owner, held.epoch) == (ME, 1)
    told.alone.clear()
    await asyncio.sleep(0)
    assert not told.alone.is_set()
    held.end()


async def test_an_epoch_has_one_owner() -> None:
    held = Told().lease(lease.Owner(1, name="first"), 600, epoch=2)
    assert not held.take(ME, 1)
    assert not held.take(ME, 2)
    assert held.take(lease.Owner(1), 2), "the same one may say so again"
    assert held.owner.name == "first"
    assert held.take(ME, 3)
    held.end()


async def test_a_process_that_got_the_owners_id_is_not_the_owner() -> None:
    told = Told()
    held = told.lease(lease.Owner(os.getpid(), since=1.0), 600)
    await asyncio.wait_for(told.alone.wait(), 10)
    held.end()


def test_alive(owner: subprocess.Popen[bytes]) -> None:
    assert ME.alive
    assert lease.is_alive(owner.pid)
    owner.kill()
    owner.wait()
    assert not lease.is_alive(owner.pid)
    assert lease.started(owner.pid) == 0.0


async def test_one_that_is_renewed_ends_its_ttl_after_the_last_renewal() -> None:
    """The owner is on another machine: what process has its number here does not count."""
    told = Told()
    made = lease.Lease(lease.Owner(1), 3, 0.4, told.alone.set, told.over.set, renewed=True)
    made.start()
    began = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() < began + 1.0:
        made.renew(3)
        assert made.held
        await asyncio.sleep(0.02)
    assert not told.over.is_set()
    made.renew(2)
    await asyncio.wait_for(told.over.wait(), 10)
    assert not told.alone.is_set()
    assert not made.held
    made.end()


async def test_an_earlier_kernel_renews_nothing() -> None:
    told = Told()
    made = lease.Lease(lease.Owner(1), 3, 0.3, told.alone.set, told.over.set, renewed=True)
    made.start()
    while not told.over.is_set():
        made.renew(2)
        await asyncio.sleep(0.01)
    made.end()
