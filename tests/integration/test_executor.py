"""An executor on real nodes, used as one of `concurrent.futures`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

import skyward as sky
from tests.integration.conftest import Until


@pytest.fixture(scope="module")
def five() -> Iterator[sky.Executor]:
    """An executor with a pool of its own, of five nodes."""
    with sky.Executor(nodes=5) as made:
        yield made
    assert made.pool.state == "stopped"


@pytest.fixture
def executor(pool: sky.ComputePool) -> Iterator[sky.Executor]:
    """An executor on the shared pool of three nodes."""
    with sky.Executor(pool) as made:
        yield made


def where(n: int) -> tuple[int, int]:
    time.sleep(0.02)
    return n, sky.instance_info().node


def fail(n: int) -> int:
    if n % 2:
        raise LookupError(f"item {n}")
    return n


def stop_or(mark: str) -> str:
    Path(mark).touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        Path(mark).with_suffix(".stopped").touch()
        raise
    return "slept"


def wait_for(path: str) -> str:
    while not os.path.exists(path):
        time.sleep(0.002)
    return path


def test_a_hundred_jobs_over_five_nodes(five: sky.Executor) -> None:
    futures = {five.submit(where, number): number for number in range(100)}
    seen = [future.result() for future in concurrent.futures.as_completed(futures, timeout=60)]
    assert sorted(number for number, _ in seen) == list(range(100))
    assert {node for _, node in seen} == {0, 1, 2, 3, 4}
    assert all(future.result()[0] == number for future, number in futures.items())


def test_waiting_for_a_hundred_jobs_over_five_nodes(five: sky.Executor) -> None:
    futures = [five.submit(where, number) for number in range(100)]
    first = concurrent.futures.wait(futures, timeout=60, return_when=concurrent.futures.FIRST_COMPLETED)
    assert first.done
    ended = concurrent.futures.wait(futures, timeout=60)
    assert (len(ended.done), ended.not_done) == (100, set())
    assert [future.result()[0] for future in futures] == list(range(100))


def test_it_is_an_executor(executor: sky.Executor) -> None:
    assert isinstance(executor, concurrent.futures.Executor)
    assert isinstance(executor.submit(abs, -1), concurrent.futures.Future)


def test_wait_for_all_and_for_the_first(executor: sky.Executor, tmp_path: Path) -> None:
    path = tmp_path / "go"
    slow, quick = executor.submit(wait_for, str(path)), executor.submit(abs, -3)
    done, rest = concurrent.futures.wait([slow, quick], 60, concurrent.futures.FIRST_COMPLETED)
    assert (done, rest) == ({quick}, {slow})
    path.touch()
    done, rest = concurrent.futures.wait([slow, quick], 60)
    assert (done, rest) == ({slow, quick}, set())


def test_arguments_by_position_and_by_name(executor: sky.Executor) -> None:
    assert executor.submit(int, "ff", base=16).result(60) == 255


def test_a_callback_is_called(executor: sky.Executor) -> None:
    called = threading.Event()
    executor.submit(abs, -1).add_done_callback(lambda _: called.set())
    assert called.wait(60)


def test_an_exception_is_raised_as_itself(executor: sky.Executor) -> None:
    future = executor.submit(fail, 3)
    with pytest.raises(LookupError, match="item 3") as caught:
        future.result(60)
    assert any(note.startswith("raised by fail(3) on node") for note in caught.value.__notes__)
    assert isinstance(future.exception(), LookupError)
    assert caught.traceback[-1].name == "fail"


def test_what_cannot_travel_is_named(executor: sky.Executor) -> None:
    lock = threading.Lock()
    with pytest.raises(sky.NotPicklable, match=r"lock.*cannot be sent"):
        _ = executor.submit(lambda: lock)
    with pytest.raises(sky.NotPicklable, match=r"a _thread.lock\) cannot be sent"):
        _ = executor.submit(id, lock)
    with pytest.raises(sky.ResultNotPicklable, match="return plain data"):
        executor.submit(threading.Lock).result(60)


def test_a_slot_that_dies_is_named(executor: sky.Executor) -> None:
    with pytest.raises(sky.SlotDied, match="status 3"):
        executor.submit(os._exit, 3).result(60)
    assert executor.submit(abs, -1).result(60) == 1


def test_map_keeps_the_order(executor: sky.Executor) -> None:
    assert [number for number, _ in executor.map(where, range(12))] == list(range(12))
    assert list(executor.map(pow, [2, 3, 4], [5, 4, 3])) == [32, 81, 64]
    assert list(executor.map(abs, [])) == []


@pytest.mark.parametrize("size", [2, 5, 100])
def test_map_in_chunks(executor: sky.Executor, size: int) -> None:
    assert list(executor.map(pow, range(11), range(11), chunksize=size)) == [n**n for n in range(11)]


def test_a_chunk_keeps_to_what_its_function_says(executor: sky.Executor, capsys: pytest.CaptureFixture[str]) -> None:
    @sky.silent
    @sky.compute(timeout=0.4)
    def nap(seconds: float) -> float:
        print("not shown")
        time.sleep(seconds)
        return seconds

    assert list(executor.map(nap, [0.2] * 5, chunksize=5)) == [0.2] * 5, "each has its time"
    with pytest.raises(sky.TaskTimeout, match=r"longer than its 0\.8 s"):
        list(executor.map(nap, [60.0, 0.0], chunksize=2))
    assert "not shown" not in capsys.readouterr().out


def test_calls_go_where_no_job_is(executor: sky.Executor, tmp_path: Path, until: Until) -> None:
    path, hub = tmp_path / "go on", executor.pool._inner.life.hub
    assert hub is not None
    jobs = [executor.submit(wait_for, str(path)) for _ in range(2)]
    until(lambda: all(job.running() for job in jobs), "two of three nodes have a job")
    until(lambda: sum(map(hub.placing.has_job, range(3))) == 2, "calls know of it")
    call = sky.compute(where)
    assert len({node for _, node in (call(n) >> executor.pool for n in range(6))}) == 1, "all on the third node"
    path.touch()
    assert [job.result(20) for job in jobs] == [str(path)] * 2
    until(lambda: not any(map(hub.placing.has_job, range(3))), "calls know that there are none any more")


def test_an_elastic_pool_keeps_a_node_that_has_a_job(until: Until, tmp_path: Path) -> None:
    path = tmp_path / "go on"
    with sky.ComputePool(nodes=sky.Nodes(3, 1, 3, idle_after=1)) as pool, sky.Executor(pool) as executor:
        first = [executor.submit(wait_for, str(tmp_path / str(number))) for number in range(2)]
        until(lambda: all(job.running() for job in first), "two nodes have a job")
        last = executor.submit(wait_for, str(path))
        until(last.running, "the third too")
        for number in range(2):
            (tmp_path / str(number)).touch()
        assert [job.result(20) for job in first] == [str(tmp_path / "0"), str(tmp_path / "1")]
        since = time.monotonic()
        until(lambda: pool.size < 3 or time.monotonic() - since > 3, "three times as long as nodes may be idle is over")
        assert pool.size == 3
        path.touch()
        assert last.result(20) == str(path)
        until(lambda: pool.size == 1, "it is small once nothing runs")


def test_map_wants_a_chunk_of_something(executor: sky.Executor) -> None:
    with pytest.raises(ValueError, match="chunksize is 0"):
        executor.map(abs, [1], chunksize=0)


def test_map_raises_where_the_item_is(executor: sky.Executor) -> None:
    results = executor.map(fail, range(4))
    assert next(results) == 0
    with pytest.raises(LookupError, match="item 1"):
        next(results)


def test_map_gives_up_in_time(executor: sky.Executor, tmp_path: Path) -> None:
    path = tmp_path / "go"
    with pytest.raises(TimeoutError):
        list(executor.map(wait_for, [str(path)], timeout=0.05))
    path.touch()


def test_cancelling_stops_the_remote_code(executor: sky.Executor, tmp_path: Path, until: Until) -> None:
    mark = tmp_path / "mark"
    future = executor.submit(stop_or, str(mark))
    until(mark.exists, "it runs")
    assert future.running()
    assert future.cancel()
    assert future.cancelled()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()
    until(mark.with_suffix(".stopped").exists, "the code was interrupted")
    assert concurrent.futures.wait([future], 10).done == {future}
    assert executor.submit(abs, -1).result(60) == 1


def test_what_waits_can_be_cancelled_and_never_runs(executor: sky.Executor, tmp_path: Path, until: Until) -> None:
    go, never = tmp_path / "go", tmp_path / "never"
    busy = [executor.submit(wait_for, str(go)) for _ in range(3)]
    waiting = executor.submit(Path.touch, never)
    until(lambda: all(future.running() for future in busy), "every node is busy")
    assert not waiting.running()
    assert waiting.cancel()
    go.touch()
    assert [future.result(60) for future in busy] == [str(go)] * 3
    assert executor.submit(abs, -1).result(60) == 1
    assert not never.exists()


def test_no_more_at_a_time_than_allowed(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    go = tmp_path / "go"
    with sky.Executor(pool, max_workers=2) as executor:
        futures = [executor.submit(wait_for, str(go)) for _ in range(4)]
        until(lambda: sum(future.running() for future in futures) == 2, "two run")
        assert not any(future.running() for future in futures[2:])
        go.touch()
        assert all(future.result(60) for future in futures)


@pytest.mark.parametrize("most", [0, -1, True, 1.5, "2"])
def test_a_number_of_workers_that_means_nothing(pool: sky.ComputePool, most: object) -> None:
    with pytest.raises(sky.UsageError, match="max_workers"):
        sky.Executor(pool, max_workers=most)


def test_a_pool_or_what_a_new_one_is_like(pool: sky.ComputePool) -> None:
    with pytest.raises(sky.UsageError, match="not both"):
        sky.Executor(pool, nodes=2)
    with sky.Executor() as executor:
        assert executor.pool is sky.pool()


def test_after_shutdown_nothing_is_taken(pool: sky.ComputePool, tmp_path: Path) -> None:
    go = tmp_path / "go"
    executor = sky.Executor(pool)
    running = executor.submit(wait_for, str(go))
    executor.shutdown(wait=False)
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        _ = executor.submit(abs, 1)
    assert not running.done()
    go.touch()
    executor.shutdown()
    assert running.result(0) == str(go)
    assert pool.state == "ready"


def test_shutdown_can_drop_what_waits(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    go = tmp_path / "go"
    executor = sky.Executor(pool)
    futures = [executor.submit(wait_for, str(go)) for _ in range(6)]
    until(lambda: all(future.running() for future in futures[:3]), "every node is busy")
    executor.shutdown(wait=False, cancel_futures=True)
    until(lambda: all(future.cancelled() for future in futures[3:]), "what waited is cancelled")
    go.touch()
    executor.shutdown()
    assert [future.result(0) for future in futures[:3]] == [str(go)] * 3


def test_the_thread_ends_with_the_executor(pool: sky.ComputePool, until: Until) -> None:
    def threads() -> int:
        return sum(thread.name.startswith("skyward-executor") for thread in threading.enumerate())

    before = threads()
    with sky.Executor(pool) as executor:
        executor.submit(abs, 1).result(60)
        assert threads() == before + 1
    until(lambda: threads() == before, "its thread has ended")


def test_a_pool_that_stops_names_itself(tmp_path: Path, until: Until) -> None:
    with sky.ComputePool(nodes=1) as pool:
        executor = sky.Executor(pool)
        running, waiting = (executor.submit(wait_for, str(tmp_path / "never")) for _ in range(2))
        until(running.running, "it runs")
    for future in (running, waiting):
        with pytest.raises(sky.PoolStopped, match=pool.name):
            future.result(60)
    executor.shutdown()


def test_what_jobs_print_is_shown_with_their_node(executor: sky.Executor, capsys: pytest.CaptureFixture[str]) -> None:
    @sky.silent
    def hush() -> None:
        print("nobody hears this")

    executor.submit(print, "hello").result(60)
    executor.submit(hush).result(60)
    executor.shutdown()
    assert capsys.readouterr().out in ("[0] hello\n", "[1] hello\n", "[2] hello\n")


def test_a_compute_function_is_its_function(executor: sky.Executor, tmp_path: Path) -> None:
    @sky.compute
    def double(n: int) -> int:
        return 2 * n

    @sky.compute(timeout=0.1)
    def slow(path: str) -> None:
        while not os.path.exists(path):
            time.sleep(0.002)

    assert executor.submit(double, 4).result(60) == 8
    assert list(executor.map(double, range(4), chunksize=2)) == [0, 2, 4, 6]
    with pytest.raises(sky.TaskTimeout):
        executor.submit(slow, str(tmp_path / "never")).result(60)


def test_what_changes_after_a_submission_is_not_seen(executor: sky.Executor, tmp_path: Path) -> None:
    go = tmp_path / "go"
    busy = [executor.submit(wait_for, str(go)) for _ in range(3)]
    values = [1]
    future = executor.submit(lambda: values)
    values.append(2)
    go.touch()
    assert future.result(60) == [1]
    assert all(other.result(60) for other in busy)


async def test_its_futures_can_be_awaited(executor: sky.Executor) -> None:
    assert await executor.submit(abs, -5) == 5
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(executor, abs, -6) == 6


def test_several_threads_submit(executor: sky.Executor) -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        sums = threads.map(lambda n: executor.submit(sum, range(n)).result(60), range(20))
        assert list(sums) == [sum(range(n)) for n in range(20)]


@pytest.mark.parametrize("kind", ["process", "thread"])
def test_nodes_with_several_slots_run_several_jobs(
    tmp_path: Path, until: Until, kind: Literal["process", "thread"]
) -> None:
    go = tmp_path / "go"
    with sky.Executor(nodes=2, worker=sky.Worker(concurrency=3, executor=kind)) as executor:
        futures = [executor.submit(wait_for, str(go)) for _ in range(8)]
        until(lambda: sum(future.running() for future in futures) == 6, "every slot is busy")
        go.touch()
        assert [future.result(60) for future in futures] == [str(go)] * 8


def test_nodes_that_share_no_files(far: sky.ComputePool) -> None:
    with sky.Executor(far) as executor:
        given = os.urandom(3_000_000)
        assert executor.submit(bytes.__add__, given, given).result(60) == given * 2
        assert len(set(executor.map(where, range(8)))) == 8


async def doubled(n: int) -> int:
    await asyncio.sleep(0)
    return 2 * n


def test_an_async_function_gives_what_it_returns(executor: sky.Executor) -> None:
    assert executor.submit(doubled, 4).result(30) == 8
    assert list(executor.map(doubled, range(4), chunksize=2)) == [0, 2, 4, 6]
