"""What users of `concurrent.futures` rely on, of an executor on real nodes."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import itertools
import logging
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, BrokenExecutor, Future
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import skyward as sky
from skyward_jupyter.api.jobs import NodeJobs
from skyward_jupyter.wire.blobs import Blob, BlobStore
from tests.integration.conftest import Until


@pytest.fixture
def executor(pool: sky.ComputePool) -> Iterator[sky.Executor]:
    """An executor on the shared pool of three nodes."""
    with sky.Executor(pool) as made:
        yield made


def wait_for(path: str) -> str:
    while not os.path.exists(path):
        time.sleep(0.002)
    return path


def given(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
    return args, kwargs


def leave(mark: str, seconds: float = 0.0) -> None:
    time.sleep(seconds)
    Path(mark).touch()


def executor_threads() -> int:
    return sum(thread.name.startswith(("skyward-executor", "skyward-callbacks")) for thread in threading.enumerate())


# -- arguments and results -----------------------------------------------------------------------------------------


def test_any_name_of_a_parameter_can_be_given(executor: sky.Executor) -> None:
    future = executor.submit(given, 1, self=2, fn=3, timeout=4)
    assert future.result(30) == ((1,), {"self": 2, "fn": 3, "timeout": 4})
    for wrong in ({}, {"fn": given}, {"arg": 1}):
        with pytest.raises(TypeError):
            _ = executor.submit(**wrong)  # type: ignore[call-arg]


class Plain:
    def method(self) -> int:
        return 7


def plain(_: int) -> Plain:
    return Plain()


def test_what_was_submitted_is_let_go(executor: sky.Executor, until: Until) -> None:
    thing = Plain()
    gone = weakref.ref(thing)
    future = executor.submit(thing.method)
    del thing
    until(lambda: gone() is None, "nothing holds it")
    assert future.result(30) == 7


@pytest.mark.parametrize("chunksize", [1, 4])
def test_results_of_a_map_are_let_go(executor: sky.Executor, chunksize: int, until: Until) -> None:
    seen = 0
    for thing in executor.map(plain, range(10), chunksize=chunksize):
        gone = weakref.ref(thing)
        del thing
        until(lambda gone=gone: gone() is None, "nothing holds it")  # type: ignore[misc]
        seen += 1
    assert seen == 10


def test_a_future_that_is_done_is_let_go_without_a_collection(executor: sky.Executor, until: Until) -> None:
    future = executor.submit(plain, 1)
    gone = weakref.ref(future.result(30))
    gc.disable()
    try:
        del future
        until(lambda: gone() is None, "no cycle holds it")
    finally:
        gc.enable()


# -- waiting -------------------------------------------------------------------------------------------------------


def test_waiting_for_the_first_error(executor: sky.Executor, tmp_path: Path) -> None:
    go = tmp_path / "go"
    good, bad, slow = executor.submit(abs, -1), executor.submit(divmod, 1, 0), executor.submit(wait_for, str(go))
    good.result(30)
    done, rest = concurrent.futures.wait([good, bad, slow], 30, FIRST_EXCEPTION)
    assert (done, rest) == ({good, bad}, {slow})
    go.touch()


def test_a_future_that_is_named_twice_counts_once(executor: sky.Executor) -> None:
    future = executor.submit(abs, -1)
    assert list(concurrent.futures.as_completed([future, future, future], 30)) == [future]
    assert concurrent.futures.wait([future, future]).done == {future}


def test_waiting_has_an_end(executor: sky.Executor, tmp_path: Path) -> None:
    go = tmp_path / "go"
    quick, slow = executor.submit(abs, -1), executor.submit(wait_for, str(go))
    quick.result(30)
    assert concurrent.futures.wait([quick, slow], 0.05).not_done == {slow}
    with pytest.raises(TimeoutError, match=r"1 \(of 2\) futures unfinished"):
        list(concurrent.futures.as_completed([quick, slow], 0.05))
    for ask in (slow.result, slow.exception):
        with pytest.raises(TimeoutError):
            ask(0.05)
    go.touch()
    assert slow.exception(30) is None


# -- done-callbacks ------------------------------------------------------------------------------------------------


def test_a_callback_that_blocks_stops_nothing(executor: sky.Executor, tmp_path: Path) -> None:
    release, called = threading.Event(), threading.Event()
    held = executor.submit(abs, -1)
    held.add_done_callback(lambda _: release.wait(60))
    assert held.result(30) == 1
    assert [executor.submit(abs, -n).result(30) for n in range(20)] == list(range(20))
    executor.submit(wait_for, str(tmp_path / "go")).add_done_callback(lambda _: called.set())
    (tmp_path / "go").touch()
    assert called.wait(30), "other callbacks are called as well"
    assert not release.is_set()
    release.set()


def test_a_callback_may_submit_and_wait(executor: sky.Executor) -> None:
    found: Future[int] = Future()
    executor.submit(abs, -3).add_done_callback(
        lambda done: found.set_result(executor.submit(pow, done.result(), 2).result(30))
    )
    assert found.result(30) == 9


def test_callbacks_that_wait_for_each_other_end(executor: sky.Executor, tmp_path: Path) -> None:
    meeting = threading.Barrier(3)
    go = tmp_path / "go"
    for _ in range(3):
        executor.submit(wait_for, str(go)).add_done_callback(lambda _: meeting.wait(30))
    go.touch()
    executor.shutdown()
    assert not meeting.broken


def test_callbacks_are_called_in_order_and_once(executor: sky.Executor, tmp_path: Path) -> None:
    seen: list[tuple[int, Any]] = []
    future = executor.submit(wait_for, str(tmp_path / "go"))
    for number in range(20):
        future.add_done_callback(lambda done, number=number: seen.append((number, done)))  # type: ignore[misc]
    (tmp_path / "go").touch()
    executor.shutdown()
    assert seen == [(number, future) for number in range(20)]
    future.add_done_callback(lambda done: seen.append((20, done)))
    assert seen[-1] == (20, future), "of a future that is done, at once"


@pytest.mark.parametrize("kind", [LookupError, SystemExit, KeyboardInterrupt])
def test_a_callback_that_raises_is_logged(
    executor: sky.Executor, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    seen: list[object] = []

    def fail(_: object) -> None:
        raise kind("from a callback")

    future = executor.submit(wait_for, str(tmp_path / "go"))
    future.add_done_callback(fail)
    future.add_done_callback(seen.append)
    with caplog.at_level(logging.ERROR, "concurrent.futures"):
        (tmp_path / "go").touch()
        executor.shutdown()
    assert seen == [future]
    assert "exception calling callback for" in caplog.text
    assert "from a callback" in caplog.text


def test_shutdown_waits_for_callbacks(pool: sky.ComputePool) -> None:
    ended: list[int] = []

    def slow(done: Future[int]) -> None:
        time.sleep(0.1)
        ended.append(done.result())

    with sky.Executor(pool) as executor:
        for number in range(4):
            executor.submit(abs, -number).add_done_callback(slow)
    assert sorted(ended) == [0, 1, 2, 3]


def test_a_callback_may_shut_down(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    before = executor_threads()
    executor = sky.Executor(pool)
    future = executor.submit(wait_for, str(tmp_path / "go"))
    future.add_done_callback(lambda _: executor.shutdown())
    (tmp_path / "go").touch()
    until(lambda: executor_threads() == before, "everything has ended")


def test_a_cancelled_future_calls_back_at_once(executor: sky.Executor, tmp_path: Path) -> None:
    future = executor.submit(wait_for, str(tmp_path / "never"))
    seen: list[bool] = []
    future.add_done_callback(lambda done: seen.append(done.cancelled()))
    assert future.cancel()
    assert seen == [True]


# -- how jobs end --------------------------------------------------------------------------------------------------


class Halt(BaseException):
    """What only its own handler should catch."""


def halt() -> None:
    raise Halt("now")


@pytest.mark.parametrize("code", [None, 0, 3, "no more"])
def test_a_job_that_ends_in_system_exit(executor: sky.Executor, code: object) -> None:
    future = executor.submit(sys.exit, code)
    with pytest.raises(SystemExit) as caught:
        future.result(30)
    assert caught.value.code == code
    assert isinstance(future.exception(), sky.RemoteExit)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), again.code, str(again)) == (sky.RemoteExit, code, str(caught.value))
    assert executor.submit(abs, -1).result(30) == 1


async def test_awaited_it_does_not_end_the_loop(executor: sky.Executor) -> None:
    task = asyncio.ensure_future(executor.submit(sys.exit, 3))
    with pytest.raises(sky.RemoteError, match="SystemExit: 3") as caught:
        await task
    assert not isinstance(caught.value, SystemExit)


def test_a_job_that_raises_what_is_no_exception(executor: sky.Executor) -> None:
    with pytest.raises(Halt, match="now") as caught:
        executor.submit(halt).result(30)
    assert any(note.startswith("raised by halt() on node") for note in caught.value.__notes__)
    for kind in (asyncio.CancelledError, GeneratorExit, StopIteration):
        with pytest.raises(sky.RemoteError, match=kind.__name__):
            executor.submit(_raise, kind).result(30)


def _raise(kind: type[BaseException]) -> None:
    raise kind


class At:
    """Does something where it is pickled or loaded on a node."""

    def __init__(self, work: Callable[..., Any], *args: Any, pickling: bool = False) -> None:
        self.work, self.args, self.pickling = work, args, pickling
        self.home = os.getpid()

    def __reduce__(self) -> tuple[Any, ...]:
        if self.pickling and os.getpid() != self.home:
            return (self.work(*self.args),)
        return (_rebuilt if self.pickling else _done_elsewhere), (self.work, self.args, self.home)


def _rebuilt(work: Callable[..., Any], args: tuple[Any, ...], home: int) -> At:
    made = At(work, *args, pickling=True)
    made.home = home
    return made


def _done_elsewhere(work: Callable[..., Any], args: tuple[Any, ...], home: int) -> object:
    return None if os.getpid() == home else work(*args)


def crash() -> None:
    signal.raise_signal(signal.SIGSEGV)


@pytest.mark.parametrize(
    ("work", "args"),
    [
        (crash, ()),
        (id, (At(crash),)),
        (given, (At(crash, pickling=True),)),
        (os._exit, (0,)),
        (id, (At(os._exit, 1),)),
        (given, (b"x" * 2_000_000, At(os._exit, 1, pickling=True))),
    ],
    ids=["runs", "is loaded", "gives its result", "exits", "exits loaded", "exits with much"],
)
def test_a_process_that_dies_breaks_that_job_alone(
    executor: sky.Executor, work: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    broken, others = executor.submit(work, *args), [executor.submit(abs, -n) for n in range(6)]
    with pytest.raises(BrokenExecutor) as caught:
        broken.result(30)
    assert isinstance(caught.value, sky.SlotDied | RuntimeError)
    assert [other.result(30) for other in others] == list(range(6))
    assert executor.submit(abs, -1).result(30) == 1


@pytest.mark.parametrize("kind", [SystemExit, pickle.UnpicklingError])
def test_what_cannot_be_loaded_or_pickled_is_what_the_standard_library_says(
    executor: sky.Executor, kind: type[BaseException]
) -> None:
    bad = At(_raise, kind)
    for future in (executor.submit(id, bad), executor.submit(At, _raise, kind)):
        assert isinstance(future.exception(30), BrokenExecutor)
        assert isinstance(future.exception(), sky.NotLoaded)
    unpicklable = executor.submit(given, At(_raise, kind, pickling=True)).exception(30)
    assert isinstance(unpicklable, SystemExit if kind is SystemExit else pickle.PicklingError)
    with pytest.raises(pickle.PicklingError):
        _ = executor.submit(id, threading.Lock())


def test_a_job_that_dies_after_shutdown_holds_nothing_up(pool: sky.ComputePool) -> None:
    with sky.Executor(pool) as executor:
        future = executor.submit(crash)
        executor.shutdown()
        assert isinstance(future.exception(0), BrokenExecutor)


def test_a_pool_that_is_gone_breaks_the_executor(tmp_path: Path, until: Until) -> None:
    with sky.ComputePool(nodes=1) as pool:
        executor = sky.Executor(pool)
        running = executor.submit(wait_for, str(tmp_path / "never"))
        until(running.running, "it runs")
    with pytest.raises(BrokenExecutor):
        running.result(30)
    assert issubclass(BrokenExecutor, RuntimeError)
    with pytest.raises(RuntimeError, match="stopped"):
        executor.submit(abs, -1).result(30)
    executor.shutdown()


def test_the_traceback_shows_the_remote_line(executor: sky.Executor) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        executor.submit(nested, 0).result(30)
    assert "return 1 // n  # by nothing" in str(caught.getrepr(chain=False))
    assert "return 1 // n  # by nothing" in caught.value.remote_traceback  # type: ignore[attr-defined]


def nested(n: int) -> int:
    return 1 // n  # by nothing


# -- map -----------------------------------------------------------------------------------------------------------


def test_a_map_that_nobody_reads_runs(pool: sky.ComputePool, tmp_path: Path) -> None:
    with sky.Executor(pool) as executor:
        executor.map(leave, [str(tmp_path / str(n)) for n in range(8)])
    assert len(list(tmp_path.iterdir())) == 8


@pytest.mark.parametrize("chunksize", [1, 3])
def test_a_map_that_is_left_cancels_what_waits(
    pool: sky.ComputePool, tmp_path: Path, until: Until, chunksize: int
) -> None:
    go = tmp_path / "go"
    with sky.Executor(pool, max_workers=1) as executor:
        first = executor.submit(wait_for, str(go))
        until(first.running, "it is busy")
        marks = [str(tmp_path / f"mark-{n}") for n in range(6)]
        results = executor.map(leave, marks, timeout=0, chunksize=chunksize)
        with closing(results), pytest.raises(TimeoutError):  # type: ignore[type-var]
            next(results)
        go.touch()
        assert first.result(30) == str(go)
        assert executor.submit(abs, -1).result(30) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["go"]


@pytest.mark.parametrize("chunksize", [1, 2])
def test_a_map_reads_no_further_than_it_may(executor: sky.Executor, chunksize: int) -> None:
    numbers = itertools.count()
    results = executor.map(abs, numbers, buffersize=3, chunksize=chunksize)
    read = 3 * chunksize
    assert next(numbers) == read
    assert [next(results) for _ in range(chunksize)] == list(range(chunksize))
    assert next(numbers) == read + chunksize + 1
    assert list(itertools.islice(results, 3 * chunksize))[-1] > 0
    results.close()  # type: ignore[attr-defined]
    assert list(executor.map(pow, range(9), range(9), buffersize=2)) == [n**n for n in range(9)]
    assert list(executor.map(abs, [], buffersize=1)) == []


@pytest.mark.parametrize(("size", "kind"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("2", TypeError)])
def test_a_buffer_of_something(executor: sky.Executor, size: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="buffersize"):
        executor.map(abs, [1], buffersize=size)


def test_a_map_that_cannot_be_sent_leaves_nothing_running(executor: sky.Executor, tmp_path: Path) -> None:
    with pytest.raises(sky.NotPicklable):
        executor.map(wait_for, [str(tmp_path / "never"), threading.Lock()])
    executor.shutdown()


# -- how many ------------------------------------------------------------------------------------------------------


def test_how_many_jobs_at_a_time(pool: sky.ComputePool, far: sky.ComputePool) -> None:
    with sky.Executor(pool) as one, sky.Executor(far) as two, sky.Executor(pool, max_workers=7) as three:
        assert [each.max_workers for each in (one, two, three)] == [3, 4, 7]
        assert [each._max_workers for each in (one, two, three)] == [3, 4, 7]


def test_a_number_is_no_pool() -> None:
    with pytest.raises(sky.UsageError, match="nodes=4"):
        sky.Executor(4)  # type: ignore[arg-type]


# -- the end -------------------------------------------------------------------------------------------------------


def test_many_jobs_and_shutdown(pool: sky.ComputePool) -> None:
    executor = sky.Executor(pool)
    futures = [executor.submit(time.sleep, 0.01) for _ in range(50)]
    executor.shutdown()
    assert all(future.done() and future.exception() is None for future in futures)
    executor.shutdown()


def test_a_job_that_is_cancelled_right_before_shutdown(pool: sky.ComputePool) -> None:
    for _ in range(5):
        executor = sky.Executor(pool, max_workers=1)
        executor.submit(int).result(30)
        executor.submit(int).cancel()
        executor.shutdown()


def test_threads_that_submit_while_it_shuts_down_hear_of_it(pool: sky.ComputePool) -> None:
    executor = sky.Executor(pool)
    futures: list[Future[int]] = []
    under_way = threading.Event()
    # Without a bound they would submit faster than anything can be run, for as long as the shutdown waits for its turn.
    room = threading.BoundedSemaphore(50)

    def submit() -> None:
        try:
            while room.acquire(timeout=30):
                future = executor.submit(abs, -1)
                future.add_done_callback(lambda _: room.release())
                futures.append(future)
                if len(futures) >= 100:
                    under_way.set()
        except RuntimeError as error:
            refused.append(str(error))

    refused: list[str] = []
    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert under_way.wait(30)
    executor.shutdown()
    for thread in threads:
        thread.join(30)
    assert refused == ["cannot schedule new futures after shutdown"] * 4
    assert not concurrent.futures.wait(futures, 30).not_done


def test_the_last_reference_ends_its_own_pool(tmp_path: Path, until: Until) -> None:
    before = executor_threads()
    executor = sky.Executor(nodes=2)
    pool = executor.pool
    futures = [executor.submit(wait_for, str(tmp_path / "go")) for _ in range(4)]
    until(futures[0].running, "it runs")
    del executor
    gc.collect()
    assert pool.state == "ready", "its jobs go on"
    (tmp_path / "go").touch()
    assert [future.result(30) for future in futures] == [str(tmp_path / "go")] * 4
    until(lambda: pool.state == "stopped", "its pool has ended")
    until(lambda: executor_threads() == before, "its threads have ended")


def test_the_last_reference_leaves_a_pool_that_was_given(pool: sky.ComputePool, until: Until) -> None:
    before = executor_threads()
    results = sky.Executor(pool).map(abs, range(-5, 5))
    gc.collect()
    until(lambda: executor_threads() == before, "its threads have ended")
    assert list(results) == [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]
    assert pool.state == "ready"


def test_a_forked_child_is_told_and_holds_nothing_up(executor: sky.Executor, tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        try:
            try:
                _ = executor.submit(abs, -1)
            except sky.ExecutorBroken as error:
                (tmp_path / "said").write_text(str(error))
            executor.shutdown()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert "which this one was forked from" in (tmp_path / "said").read_text()
    assert executor.submit(abs, -1).result(30) == 1


# -- the end of a program ------------------------------------------------------------------------------------------

PROGRAM = """
import atexit, os, sys, time, threading
import skyward as sky
def say(seconds, text):
    time.sleep(seconds)
    open(text, 'w').close()
    return text
"""


def program(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    (folder / "program.py").write_text(PROGRAM + textwrap.dedent(body))
    environment = {**os.environ, "SKYWARD_STATE_DIR": str(folder / "state"), "SKYWARD_PANEL": "off"}
    return subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize(
    "body",
    [
        "executor = sky.Executor(nodes=1)\nexecutor.submit(say, 0.5, 'apple')",
        "executor = sky.Executor(nodes=1)\nexecutor.submit(say, 0.5, 'apple')\nexecutor.shutdown(wait=False)",
        "pool = sky.ComputePool(nodes=1).start()\nexecutor = sky.Executor(pool)\nexecutor.submit(say, 0.5, 'apple')",
        "sky.Executor(nodes=1).submit(say, 0.5, 'apple')",
        "executor = sky.Executor(nodes=1)\nexecutor.map(say, [0, 0.2], ['x', 'apple'])\nsys.exit(0)",
        "executor = sky.Executor(nodes=1)\nexecutor.submit(abs, 1).add_done_callback(lambda _: say(0.5, 'apple'))",
        """
        executor = sky.Executor(nodes=1)
        begun = threading.Event()
        def submit():
            executor.submit(say, 0.5, 'apple')
            begun.set()
        threading.Thread(target=submit).start()
        begun.wait()
        """,
    ],
    ids=["open", "shut down", "pool of the program", "no reference", "map", "callback", "thread"],
)
def test_jobs_run_to_their_end_before_the_program_ends(tmp_path: Path, body: str) -> None:
    ran = program(tmp_path, body)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (tmp_path / "apple").exists()


def test_what_waits_can_be_dropped_at_the_end(tmp_path: Path) -> None:
    ran = program(
        tmp_path,
        """
        executor = sky.Executor(nodes=1, max_workers=1)
        first, last = executor.submit(say, 0.5, 'first'), executor.submit(say, 0, 'last')
        while not first.running():
            time.sleep(0.01)
        executor.shutdown(wait=False, cancel_futures=True)
        """,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (tmp_path / "first").exists()
    assert not (tmp_path / "last").exists()


def test_a_submission_after_the_end_is_refused(tmp_path: Path) -> None:
    ran = program(
        tmp_path,
        """
        @atexit.register
        def late():
            try:
                executor.submit(abs, -1)
            except RuntimeError as error:
                print(error)
        executor = sky.Executor(nodes=1)
        executor.submit(abs, -1).result()
        """,
    )
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "cannot schedule new futures after shutdown\n")


def test_system_exit_of_a_job_is_the_program_s_own(tmp_path: Path) -> None:
    ran = program(tmp_path, "with sky.Executor(nodes=1) as executor:\n    executor.submit(sys.exit, 7).result()\n")
    assert ran.returncode == 7


# -- what slots do first -------------------------------------------------------------------------------------------

WITH_INITIALIZER = """
settings = {}
runs = []
def begin(number, table):
    global model
    model = number
    settings.update(table)
    runs.append(number)
class Scaled:
    def __call__(self, n):
        return n * model
def scale(n):
    return n * model + settings['plus'], len(runs), os.getpid()
"""


def test_an_initializer_runs_once_in_each_slot(tmp_path: Path) -> None:
    ran = program(
        tmp_path,
        WITH_INITIALIZER
        + textwrap.dedent("""
        from functools import partial
        with sky.Executor(nodes=2, initializer=begin, initargs=(10, {'plus': 1})) as executor:
            found = list(executor.map(scale, range(20)))
            assert [value for value, _, _ in found] == [10 * n + 1 for n in range(20)], found
            assert {count for _, count, _ in found} == {1}, found
            assert len({pid for _, _, pid in found}) == 2, found
            assert [value for value, _, _ in executor.map(scale, range(6), chunksize=3)] == [1, 11, 21, 31, 41, 51]
            assert executor.submit(Scaled(), 3).result() == 30
            assert executor.submit(partial(scale, 1)).result()[0] == 11
            with sky.Executor(executor.pool, initializer=begin, initargs=(5, {'plus': 0})) as other:
                assert other.submit(scale, 2).result()[0] == 10
            assert executor.submit(scale, 2).result()[0] == 21
            assert 'model' not in globals() and not runs
        print('good')
        """),
    )
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "good\n")


def mark_slot(text: str, large: bytes) -> None:
    os.environ["MARKED"] = f"{text} {len(large)}"


def slot_mark() -> str | None:
    return os.environ.get("MARKED")


@pytest.mark.parametrize("kind", ["process", "thread"])
def test_an_initializer_runs_again_in_a_new_process(kind: Literal["process", "thread"]) -> None:
    large = os.urandom(400_000)
    worker = sky.Worker(concurrency=2, executor=kind)
    with sky.Executor(nodes=1, worker=worker, initializer=mark_slot, initargs=("here", large)) as executor:
        assert executor.submit(slot_mark).result(30) == "here 400000"
        with pytest.raises(BrokenExecutor):
            executor.submit(crash).result(30)
        assert {future.result(30) for future in [executor.submit(slot_mark) for _ in range(6)]} == {"here 400000"}


def refuse(kind: type[BaseException]) -> None:
    raise kind("not today")


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_an_initializer_that_fails_breaks_the_executor(
    pool: sky.ComputePool, kind: type[BaseException], tmp_path: Path
) -> None:
    with sky.Executor(pool, initializer=refuse, initargs=(kind,)) as executor:
        assert isinstance(executor.submit(leave, str(tmp_path / "ran")).exception(30), sky.ExecutorBroken)
        with pytest.raises(sky.ExecutorBroken, match=f"the initializer raised {kind.__name__}: not today") as caught:
            _ = executor.submit(abs, -1)
        assert isinstance(caught.value, BrokenExecutor)
        assert isinstance(caught.value.__cause__, kind)
    assert not (tmp_path / "ran").exists()
    with sky.Executor(pool) as other:
        assert other.submit(abs, -1).result(30) == 1


def test_jobs_that_wait_break_with_it(pool: sky.ComputePool) -> None:
    with sky.Executor(pool, initializer=refuse, initargs=(LookupError,)) as executor:
        futures = []
        with contextlib.suppress(sky.ExecutorBroken):
            futures += [executor.submit(abs, -1) for _ in range(20)]
        assert not concurrent.futures.wait(futures, 30).not_done
        assert {type(future.exception()) for future in futures} <= {sky.ExecutorBroken}


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"initializer": 3}, TypeError, "initializer is 3"),
        ({"initializer": abs, "initargs": 1}, TypeError, "initargs is 1"),
        ({"max_tasks_per_child": 0}, ValueError, "max_tasks_per_child is 0"),
        ({"max_tasks_per_child": 1.5}, TypeError, "max_tasks_per_child is 1.5"),
        ({"max_workers": 0}, ValueError, "max_workers must be greater than 0"),
        ({"initializer": abs, "initargs": (threading.Lock(),)}, sky.NotPicklable, "lock"),
    ],
)
def test_options_that_mean_nothing(
    pool: sky.ComputePool, options: dict[str, Any], kind: type[Exception], said: str, until: Until
) -> None:
    before = executor_threads()
    with pytest.raises(kind, match=said):
        sky.Executor(pool, **options)
    until(lambda: executor_threads() == before, "nothing of it is left")


# -- how long a process lasts --------------------------------------------------------------------------------------


def test_a_process_runs_so_many_jobs() -> None:
    with sky.ComputePool(nodes=1) as pool:
        with sky.Executor(pool, max_tasks_per_child=3) as executor:
            pids = [executor.submit(os.getpid).result(30) for _ in range(7)]
            assert [pids[0:3], pids[3:6]] == [[pids[0]] * 3, [pids[3]] * 3]
            assert len(set(pids)) == 3
        with sky.Executor(pool) as other:
            assert {other.submit(os.getpid).result(30) for _ in range(5)} == {pids[6]}, "another one's do not count"


def test_a_process_for_each_of_many_jobs() -> None:
    with sky.Executor(nodes=2, max_tasks_per_child=1) as executor:
        futures = [executor.submit(os.getpid) for _ in range(50)]
        executor.shutdown()
        assert len({future.result(0) for future in futures}) == 50


def test_threads_do_not_wear() -> None:
    worker = sky.Worker(executor="thread")
    with sky.ComputePool(nodes=1, worker=worker) as pool, pytest.raises(sky.UsageError, match="that are processes"):
        sky.Executor(pool, max_tasks_per_child=1)


# -- large arguments -----------------------------------------------------------------------------------------------


def changed(values: np.ndarray, by: int) -> tuple[int, int]:
    values += by
    return int(values.sum()), sky.instance_info().node


@pytest.mark.parametrize("given", ["pool", "far"])
def test_large_arguments_are_sent_once_to_each_node(
    given: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    send = NodeJobs._send

    async def spy(self: NodeJobs, name: str, blob: Blob, *rest: Any) -> None:
        sent.append(self.rank)
        await send(self, name, blob, *rest)

    monkeypatch.setattr(NodeJobs, "_send", spy)
    pool: sky.ComputePool = request.getfixturevalue(given)
    values = np.random.default_rng(3).integers(0, 100, 500_000)
    total = int(values.sum())
    with sky.Executor(pool) as executor:
        for _ in range(2):
            found = list(executor.map(changed, [values] * 12, range(12)))
            assert [value for value, _ in found] == [total + by * 500_000 for by in range(12)]
        assert sorted(sent) == ([] if given == "pool" else [0, 1])
        assert int(values.sum()) == total, "each job had a copy of its own"
        table: dict[str, Any] = {"a": values, "b": os.urandom(3_000_000)}
        assert executor.submit(lambda: (len(table["b"]), int(table["a"].sum()))).result(30) == (3_000_000, total)


def test_nothing_of_them_is_left(pool: sky.ComputePool, until: Until) -> None:
    store = pool._inner.hub.payloads.store
    assert isinstance(store, BlobStore)
    with sky.Executor(pool) as executor:
        assert executor.submit(len, os.urandom(2_000_000)).result(30) == 2_000_000
        assert [path for path in store.directory.parent.iterdir() if path.name.startswith("executor")]
    until(
        lambda: not [path for path in store.directory.parent.iterdir() if path.name.startswith("executor")],
        "its files are removed",
    )


def test_more_than_a_job_s_body_may_have(far: sky.ComputePool) -> None:
    much = [os.urandom(2**20) for _ in range(3)] + [b"\0" * (64 * 2**20)]
    with sky.Executor(far) as executor:
        assert executor.submit(lambda: [len(part) for part in much]).result(60) == [2**20] * 3 + [64 * 2**20]
