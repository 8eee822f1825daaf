"""The end of a slot is the end of a program, however it ends; what does not end in time is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

import skyward as sky
from tests.faults.conftest import World
from tests.faults.test_lifetimes import heard

#: What a program leaves for its end, as people write it. It returns what has to be gone then.
CODE = """
import atexit, multiprocessing, os, tempfile, threading, time
from multiprocessing import shared_memory
from pathlib import Path

kept = []

def leave(folder):
    import joblib
    import numpy as np
    import psutil

    rank = sky.instance_info().node
    atexit.register(Path(folder, f"atexit{rank}").touch)
    directory = tempfile.TemporaryDirectory(prefix=f"skyward-test-{os.getpid()}-")
    memory = shared_memory.SharedMemory(create=True, size=1000)
    child = multiprocessing.Process(target=time.sleep, args=(1000,), daemon=True)
    child.start()
    if rank in (0, 2):
        joblib.Parallel(n_jobs=2)(joblib.delayed(np.sum)(np.ones(200_000)) for _ in range(2))
    workers = [it.pid for it in psutil.Process().children(recursive=True)]
    joined = Path(folder, f"thread{rank}")
    threading.Thread(target=lambda: (threading.main_thread().join(), time.sleep(0.1), joined.touch())).start()
    kept.extend((directory, memory, child))
    shared = [str(it) for it in Path("/dev/shm").glob(f"joblib_memmapping_folder_{os.getpid()}*")]
    return [directory.name, f"/dev/shm/{memory.name}", *shared, *(f"/proc/{pid}" for pid in workers)]
"""
exec(CODE)
leave_a_program = sky.compute(leave)  # type: ignore[name-defined] # noqa: F821


@sky.compute
def work(folder: str) -> None:
    rank = sky.instance_info().node
    try:
        Path(folder, f"works{rank}").touch()
        while True:
            time.sleep(0.01)
    finally:
        Path(folder, f"finally{rank}").touch()


@sky.compute
def stuck_at_its_end(folder: str) -> str:
    import atexit
    import subprocess

    child = subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
    atexit.register(time.sleep, 1000)
    return f"/proc/{child.pid}"


@sky.compute
def shared() -> str:
    from multiprocessing import shared_memory

    memory = shared_memory.SharedMemory(create=True, size=1000)
    threading.main_thread().kept = memory  # type: ignore[attr-defined]
    return f"/dev/shm/{memory.name}"


@sky.compute
def ends_itself(how: Callable[[], None]) -> None:
    how()


def assert_ended(world: World, folder: Path, left: list[str], ranks: set[int]) -> None:
    """The programs of these nodes have ended in order, and nothing of them is left."""
    expected = {f"{what}{rank}" for rank in ranks for what in ("atexit", "thread")}
    world.until(lambda: expected <= set(os.listdir(folder)), "everything at the end was run")
    world.until(lambda: not [it for it in left if os.path.exists(it)], f"nothing is left of {left}")


@pytest.mark.parametrize("executor", ["process", "thread"])
def test_stop(world: World, tmp_path: Path, executor: Literal["process", "thread"]) -> None:
    with sky.ComputePool(nodes=2, worker=sky.Worker(executor=executor)) as pool:
        left = [it for its in leave_a_program(str(tmp_path)) @ pool for it in its]
        assert len(left) >= 12
        assert all(map(os.path.exists, left))
    # Nothing is waited for: it is so once the pool has stopped.
    assert not [it for it in left if os.path.exists(it)]
    assert {"atexit0", "atexit1", "thread0", "thread1"} <= set(os.listdir(tmp_path))


@pytest.mark.parametrize("executor", ["process", "thread"])
def test_stop_while_it_works(world: World, tmp_path: Path, executor: Literal["process", "thread"]) -> None:
    with sky.ComputePool(nodes=2, worker=sky.Worker(executor=executor)) as pool:
        left = [it for its in leave_a_program(str(tmp_path)) @ pool for it in its]
        running = [work(str(tmp_path)) > pool for _ in range(2)]
        world.until(lambda: len(list(tmp_path.glob("works*"))) == 2, "both nodes work")
    assert_ended(world, tmp_path, left, {0, 1})
    assert len(list(tmp_path.glob("finally*"))) == 2
    assert all(isinstance(it.exception(), sky.PoolStopped) for it in running)


def test_a_smaller_pool(world: World, tmp_path: Path) -> None:
    with sky.ComputePool(nodes=3) as pool:
        left = leave_a_program(str(tmp_path)) @ pool
        pool.scale(1)
        assert_ended(world, tmp_path, [*left[1], *left[2]], {1, 2})
        assert all(map(os.path.exists, left[0]))
        assert not (tmp_path / "atexit0").exists()


def test_a_node_that_is_replaced(world: World, tmp_path: Path) -> None:
    with sky.ComputePool(nodes=2) as pool:
        left = leave_a_program(str(tmp_path)) @ pool
        agent = next(it for it in world.processes(pool.name) if f"agent {pool.name}/1" in " ".join(it.cmdline()))
        agent.kill()
        assert_ended(world, tmp_path, left[1], {1})
        assert len(leave_a_program(str(tmp_path)) @ pool) == 2


@pytest.mark.parametrize(
    "how", [lambda: os._exit(3), lambda: os.kill(os.getpid(), signal.SIGKILL)], ids=["exit", "kill"]
)
def test_trackers_clean_up_behind_a_slot_that_died(world: World, how: Callable[[], None]) -> None:
    with sky.ComputePool(nodes=1) as pool:
        left = shared() >> pool
        assert os.path.exists(left)
        with pytest.raises(sky.SlotDied):
            ends_itself(how) >> pool
        world.until(lambda: not os.path.exists(left), "the tracker has removed it")


@pytest.mark.parametrize("then", ["", "raise SystemExit(3)", "os._exit(4)"], ids=["end", "exit", "gone"])
def test_the_end_of_the_kernel(world: World, tmp_path: Path, then: str) -> None:
    script = world.script(
        f"import skyward as sky\n{CODE}\n"
        "with_ends = sky.compute(leave)\n"
        "pool = sky.ComputePool(nodes=2, ttl=1).start()\n"
        f"print(*(it for its in with_ends({str(tmp_path)!r}) @ pool for it in its), flush=True)\n"
        f"{then}\n"
    )
    left = heard(script).split()
    assert len(left) >= 12
    script.wait(20)
    assert_ended(world, tmp_path, left, {0, 1})


def test_what_does_not_end_is_killed(world: World, tmp_path: Path) -> None:
    pool = sky.ComputePool(nodes=2).start()
    children = stuck_at_its_end(str(tmp_path)) @ pool
    slots = [it for rank in range(2) for it in world.slots(pool.name, rank)]
    began = time.monotonic()
    pool.stop()
    assert time.monotonic() - began < 12
    assert not any(it.is_running() for it in slots)
    assert not [it for it in children if os.path.exists(it)]


def stuck() -> int:
    import atexit

    atexit.register(time.sleep, 1000)
    return os.getpid()


def leaves(folder: str) -> int:
    import atexit

    atexit.register(Path(folder, str(os.getpid())).touch)
    return os.getpid()


def test_a_worn_slot_ends_as_a_program_too_within_its_time(world: World, tmp_path: Path) -> None:
    with sky.Executor(nodes=1, max_tasks_per_child=1) as executor:
        found = [executor.submit(leaves, str(tmp_path)).result(60) for _ in range(2)]
        assert len(set(found)) == 2
        world.until(lambda: set(os.listdir(tmp_path)) == set(map(str, found)), "both have ended in order")
        assert executor.submit(stuck).result(60) != executor.submit(stuck).result(60)
