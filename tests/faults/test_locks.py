"""Locks whose holders and waiters stand still, or are killed with their node."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest

import skyward as sky
from skyward_jupyter.collections.keeper import TTL
from tests.faults.conftest import World
from tests.faults.test_nodes import pid_of, replaced

pytestmark = pytest.mark.fault


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that stands still inside the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def kept_elsewhere(pool: sky.ComputePool, node: int) -> sky.SharedLock:
    """A lock whose keeper is not on `node`: it is to be had also while that one stands still."""
    for number in range(20):
        lock = sky.lock(f"lock-{number}", pool=pool)
        assert lock.acquire(timeout=5)
        lock.release()
        with stopped(pid_of(pool, node)):
            got = lock.acquire(timeout=0.7)
        if got:
            lock.release()
            return lock
    raise AssertionError("every lock is kept there")


@sky.compute(retries=0)
def have_it_for_a_second(name: str, node: int) -> tuple[int, float, float, str] | None:
    """On one node, wait for a lock and have it for a second: its token, from when until when, and how that ended."""
    if sky.instance_info().node != node:
        return None
    lock = sky.lock(name)
    sky.set("waiting").add(name)
    lock.acquire()
    got, token = time.monotonic(), lock.token
    time.sleep(1)
    try:
        lock.release()
    except sky.LockLost:
        return token, got, time.monotonic(), "lost"
    return token, got, time.monotonic(), "released"


@sky.compute(retries=0)
def wait_in_threads(name: str, node: int, count: int) -> None:
    """On one node, have `count` threads wait for a lock, and keep it."""
    if sky.instance_info().node != node:
        return
    for number in range(count):
        threading.Thread(target=sky.lock(name).acquire, daemon=True).start()
        sky.set("waiting").add((name, number))
    time.sleep(120)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads to wait in."""
    with ThreadPoolExecutor(8) as made:
        yield made


def test_who_stood_still_as_it_was_given_a_lock_does_not_have_it_beside_another(
    pool: sky.ComputePool, world: World, threads: ThreadPoolExecutor
) -> None:
    lock = kept_elsewhere(pool, 1)
    waiting = sky.set("waiting", pool=pool)
    lock.acquire()
    first = lock.token
    done = threads.submit(lambda: have_it_for_a_second(lock.name, 1) @ pool)
    world.until(lambda: lock.name in waiting, "it waits")
    time.sleep(0.3)
    with stopped(pid_of(pool, 1)):
        lock.release()
        assert lock.acquire(timeout=TTL + 3)
        since, token = time.monotonic(), lock.token
    time.sleep(2)
    until = time.monotonic()
    lock.release()
    other, got, ended, how = next(told for told in done.result(30) if told is not None)
    assert token == first + 2  # one was given to who stood still
    assert ended < since or got >= until, "two had it at once"
    assert (other, how) == (token + 1, "released")


def test_the_agent_of_a_holder_that_stood_still_says_that_the_lock_was_lost(
    pool: sky.ComputePool, world: World, threads: ThreadPoolExecutor
) -> None:
    @sky.compute(retries=0)
    def hold(name: str) -> str:
        if sky.instance_info().node != 1:
            return ""
        lock, holding = sky.lock(name), sky.set("holding")
        lock.acquire()
        holding.add(name)
        while "over" not in holding:
            time.sleep(0.05)
        with pytest.raises(sky.LockLost, match="was lost while it was held"):
            lock.release()
        return "lost"

    lock, holding = kept_elsewhere(pool, 1), sky.set("holding", pool=pool)
    done = threads.submit(lambda: hold(lock.name) @ pool)
    world.until(lambda: lock.name in holding, "it is held")
    with stopped(pid_of(pool, 1)):
        assert lock.acquire(timeout=TTL + 3)
    holding.add("over")
    assert sorted(done.result(30)) == ["", "", "lost"]
    lock.release()


def test_a_lock_waits_once_for_all_who_waited_on_a_lost_node(
    pool: sky.ComputePool, world: World, threads: ThreadPoolExecutor
) -> None:
    lock = kept_elsewhere(pool, 2)
    waiting = sky.set("waiting", pool=pool)
    lock.acquire()
    lost = threads.submit(lambda: wait_in_threads(lock.name, 2, 5) @ pool)
    world.until(lambda: len(waiting) == 5, "they wait")
    time.sleep(0.3)
    os.kill(pid_of(pool, 2), signal.SIGKILL)
    lock.release()
    began = time.monotonic()
    assert lock.acquire(timeout=60)
    assert time.monotonic() - began < 2 * TTL  # one after the other, the five would take five times as long
    lock.release()
    assert isinstance(lost.exception(30), ExceptionGroup | sky.NodeLost)


def test_whoever_waits_gets_a_lock_while_others_are_killed_again_and_again(
    pool: sky.ComputePool, world: World, threads: ThreadPoolExecutor
) -> None:
    lock, waiting = sky.lock("contended", pool=pool), sky.set("waiting", pool=pool)
    waits = []
    for number in range(4):
        lock.acquire()
        waiting.clear()
        lost = threads.submit(lambda: wait_in_threads("contended", 2, 3) @ pool)
        world.until(lambda: len(waiting) == 3, "they wait")
        old = pid_of(pool, 2)
        os.kill(old, signal.SIGKILL)
        lock.release()
        began = time.monotonic()
        assert lock.acquire(timeout=60), f"not had after kill {number}"
        waits.append(time.monotonic() - began)
        lock.release()
        assert lost.exception(30) is not None
        world.until(partial(replaced, pool, 2, old), "node 2 is back")
    assert max(waits) < TTL + 12, waits  # with the keeper's own node, the time to notice that comes on top
