"""Several tasks at a time on one node, in processes and in threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

import skyward as sky
from tests.integration.conftest import Until

GONE = ("stdout", "stderr", "stdin", "displayhook", "excepthook")


@pytest.fixture(scope="module", params=["process", "thread"])
def wide(request: pytest.FixtureRequest) -> Iterator[sky.ComputePool]:
    """One node with three slots of each kind."""
    with sky.ComputePool(nodes=1, name=f"wide-{request.param}", worker=sky.Worker(3, request.param)) as made:
        yield made


@sky.compute
def meet(directory: str, mine: int, all_of_them: int) -> tuple[int, int]:
    Path(directory, str(mine)).touch()
    while len(os.listdir(directory)) < all_of_them:
        time.sleep(0.002)
    return os.getpid(), threading.get_ident()


@sky.compute
def spin(mark: str) -> None:
    Path(mark).touch()
    while True:
        pass


@sky.compute
def say(text: str) -> str:
    print("out", text)
    print("err", text, file=sys.stderr)
    return text


def test_three_at_a_time(wide: sky.ComputePool, tmp_path: Path) -> None:
    found = sky.gather(*(meet(str(tmp_path), n, 3) for n in range(3))).with_timeout(30) >> wide
    assert len(set(found)) == 3
    threads = wide.name.endswith("thread")
    assert len({pid for pid, _ in found}) == (1 if threads else 3)
    assert wide._inner.concurrency == 3
    assert [view.slots for view in wide.nodes] == [3]


@sky.compute
def burn(directory: str, mine: int, rounds: int) -> tuple[int, float]:
    """Compute until everyone has done so many rounds: without a second process at work it would not end."""
    done = 0
    while done < rounds or any(len(path.read_bytes()) < rounds for path in Path(directory).iterdir()):
        sum(n * n for n in range(20_000))
        done += 1
        with Path(directory, str(mine)).open("ab") as file:
            file.write(b".")
    return os.getpid(), time.process_time()


def test_work_for_the_cpu_runs_in_two_processes_at_once(tmp_path: Path) -> None:
    for mine in range(2):
        (tmp_path / str(mine)).touch()
    with sky.ComputePool(nodes=1, worker=sky.Worker(concurrency=2, executor="process")) as pool:
        found = sky.gather(*(burn(str(tmp_path), mine, 30) for mine in range(2))).with_timeout(60) >> pool
    (one, of_one), (other, of_other) = found
    assert one != other
    assert min(of_one, of_other) > 0


def test_no_more_than_three_at_a_time(wide: sky.ComputePool, tmp_path: Path) -> None:
    @sky.compute
    def most(mine: int) -> int:
        path = tmp_path / str(mine)
        path.touch()
        time.sleep(0.02)
        found = len(os.listdir(tmp_path))
        path.unlink()
        return found

    assert max(sky.gather(*map(most, range(20))) >> wide) <= 3


def test_a_task_in_one_slot_is_interrupted_alone(wide: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    (tmp_path / "meet").mkdir()
    spinning = spin(str(tmp_path / "spins")) > wide
    others = [meet(str(tmp_path / "meet"), n, 3) > wide for n in range(2)]
    until((tmp_path / "spins").exists, "it spins")
    spinning.cancel()
    sky.gather(meet(str(tmp_path / "meet"), 2, 3)).with_timeout(30) >> wide
    assert [len(future.result(20)) for future in others] == [2, 2]
    assert sky.gather(*map(say, "abc")) >> wide == list("abc")


def test_timeouts(wide: sky.ComputePool, tmp_path: Path) -> None:
    calls = [spin(str(tmp_path / str(n))).with_timeout(0.1) for n in range(3)]
    for call in calls:
        with pytest.raises(sky.TaskTimeout):
            call >> wide
    assert sky.gather(*map(say, "abc")) >> wide == list("abc")


def test_interrupts_at_any_moment_cost_no_slot(wide: sky.ComputePool) -> None:
    for n in range(60):
        futures = [say(str(k)) > wide for k in range(3)]
        if n % 2:
            time.sleep(n / 20_000)
        wide.interrupt()
        for future in futures:
            assert isinstance(future.exception(20), sky.TaskInterrupted | None)
    assert sky.gather(*map(say, "abcdef")).with_timeout(20) >> wide == list("abcdef")


def test_all_slots_still_work(wide: sky.ComputePool, tmp_path: Path) -> None:
    assert len(sky.gather(*(meet(str(tmp_path), n, 3) for n in range(3))).with_timeout(30) >> wide) == 3


def test_each_tasks_output_is_its_own(wide: sky.ComputePool, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"task{n}" for n in range(30)]
    assert sky.gather(*map(say, names)) >> wide == names
    shown = capsys.readouterr()
    assert sorted(shown.out.splitlines()) == sorted(f"[0] out {name}" for name in names)
    assert sorted(shown.err.splitlines()) == sorted(f"[0] err {name}" for name in names)


def test_silence_of_one_is_not_that_of_the_others(wide: sky.ComputePool, capsys: pytest.CaptureFixture[str]) -> None:
    quiet = sky.silent(sky.compute(lambda: print("quiet")))
    sky.gather(*[quiet() if n % 2 else say(str(n)) for n in range(12)]) >> wide
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(f"[0] out {n}" for n in range(0, 12, 2))


def test_generators_side_by_side(wide: sky.ComputePool) -> None:
    count = sky.compute(lambda n: (yield from range(n)))
    streams = [count(50) >> wide for _ in range(3)]
    assert list(zip(*streams, strict=True)) == [(n, n, n) for n in range(50)]


def test_errors(wide: sky.ComputePool) -> None:
    def fail() -> None:
        raise LookupError("x")

    futures = [sky.compute(fail)() > wide for _ in range(6)]
    assert [type(future.exception(20)) for future in futures] == [LookupError] * 6


def test_a_crash(wide: sky.ComputePool) -> None:
    with pytest.raises(sky.SlotDied, match="status 3") as caught:
        sky.compute(os._exit)(3) >> wide
    assert caught.value.status == 3
    assert sky.gather(*map(say, "abcd")).with_timeout(30) >> wide == list("abcd")


def test_threads_share_memory() -> None:
    with sky.ComputePool(nodes=1, name="sharing", worker=sky.Worker(2, "thread")) as pool:
        remember = sky.compute(lambda n: sys.modules.setdefault("_shared", []).append(n))  # type: ignore[arg-type]
        sky.gather(*map(remember, range(10))) >> pool
        assert sorted(sky.compute(lambda: sys.modules["_shared"])() >> pool) == list(range(10))  # type: ignore[call-overload]


def test_an_interrupt_reaches_child_processes(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    @sky.compute
    def start(mark: str) -> None:
        with subprocess.Popen(["sleep", "60"]) as child:
            Path(mark).write_text(str(child.pid))
            child.wait()

    mark = tmp_path / "pid"
    future = start(str(mark)) > pool
    until(lambda: mark.exists() and mark.read_text(), "the child runs")
    future.cancel()
    child = Path("/proc", mark.read_text())
    until(lambda: not child.exists(), "the child is gone")


@sky.compute
def take_away(name: str) -> None:
    setattr(sys, name, None)


@sky.compute
def there() -> list[str]:
    print("written")
    return [name for name in GONE if getattr(sys, name) is None]


@pytest.mark.parametrize("executor", ["process", "thread"])
def test_what_a_call_takes_away_is_there_for_the_next(executor: Literal["process", "thread"]) -> None:
    with sky.ComputePool(nodes=1, name="taken-away", worker=sky.Worker(executor=executor)) as pool:
        for name in GONE:
            take_away(name) >> pool
            assert there() >> pool == [], name
