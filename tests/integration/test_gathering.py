"""Calls side by side of which some fail: nothing that has finished is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import skyward as sky
from skyward_jupyter.api.gathering import Gathered
from tests.integration.conftest import Until

BAD = 3


@sky.compute
def square(x: int) -> int:
    if x == BAD:
        raise ValueError(f"bad {x}")
    return x * x


@sky.compute
def on_nodes() -> int:
    node = sky.instance_info().node
    if node == 1:
        raise LookupError(node)
    return node


@sky.compute
def waits(x: int, folder: str) -> int:
    """The first two end, then the third fails; the others wait to be stopped."""
    if x < 2:
        Path(folder, str(x)).touch()
        return x
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (x > 2 or len(os.listdir(folder)) < 2):
        time.sleep(0.005)
    raise ValueError(f"bad {x}")


def gathered(work: Callable[[], object], kind: type[BaseException] = ValueError) -> Gathered:
    with pytest.raises(kind) as caught:
        work()
    found: Any = caught.value
    assert isinstance(found.gathered, Gathered)
    assert any(str(found.gathered) in note for note in found.__notes__)
    return found.gathered


def plain(values: list[Any]) -> list[Any]:
    return [str(value) if isinstance(value, Exception) else value for value in values]


def test_errors_are_given_in_their_places(pool: sky.ComputePool) -> None:
    calls = [square(x) for x in range(6)]
    expected = [0, 1, 4, "bad 3", 16, 25]
    assert plain(sky.gather(*calls, return_exceptions=True) >> pool) == expected
    assert plain(list(sky.gather(*calls, return_exceptions=True, stream=True) >> pool)) == expected
    as_they_come = list(sky.gather(*calls, return_exceptions=True, stream=True, ordered=False) >> pool)
    assert sorted(map(str, as_they_come)) == sorted(map(str, expected))
    assert plain(pool.map(square, range(6), return_exceptions=True)) == expected
    joined = (square(1) & square(3) & square(2)).with_return_exceptions() >> pool
    assert isinstance(joined, tuple)
    assert plain(list(joined)) == [1, "bad 3", 4]
    assert plain([square(3).with_return_exceptions() >> pool]) == ["bad 3"]
    assert list(map(repr, on_nodes().with_return_exceptions() @ pool)) == ["0", "LookupError(1)", "2"]


def test_errors_are_given_to_those_who_await(pool: sky.ComputePool) -> None:
    calls = [square(x) for x in range(5)]

    async def run() -> list[Any]:
        together = await pool.run(sky.gather(*calls, return_exceptions=True))
        streamed = [one async for one in pool.stream(sky.gather(*calls, return_exceptions=True, stream=True))]
        every = await pool.broadcast(on_nodes(), return_exceptions=True)
        with pytest.raises(ValueError, match="bad 3") as caught:
            await pool.run(sky.gather(*calls))
        assert caught.value.gathered.errors == {3: caught.value}  # type: ignore[attr-defined]
        return [plain(together), plain(streamed), list(map(repr, every))]

    expected = [0, 1, 4, "bad 3", 16]
    assert asyncio.run(run()) == [expected, expected, ["0", "LookupError(1)", "2"]]
    assert plain((sky.gather(*calls, return_exceptions=True) > pool).result(20)) == expected


def test_the_error_carries_the_rest(pool: sky.ComputePool, tmp_path: Path) -> None:
    found = gathered(lambda: sky.gather(*(waits(x, str(tmp_path)) for x in range(8))) >> pool)
    assert dict(found.results) == {0: 0, 1: 1}
    assert list(map(str, found.errors.values())) == ["bad 2"]
    assert found.cancelled == (3, 4, 5, 6, 7)
    assert str(found) == "2 of 8 calls succeeded, 1 failed (at 2), 5 were cancelled"


@pytest.mark.parametrize("ordered", [True, False])
def test_the_error_that_ends_a_stream_carries_the_rest(pool: sky.ComputePool, tmp_path: Path, ordered: bool) -> None:
    calls = [waits(x, str(tmp_path)) for x in range(8)]
    found = gathered(lambda: list(sky.gather(*calls, stream=True, ordered=ordered) >> pool))
    assert dict(found.results) == {0: 0, 1: 1}
    assert list(found.errors) == [2]
    assert len(found) == 8


def test_other_forms_carry_it_too(pool: sky.ComputePool) -> None:
    every = gathered(lambda: on_nodes() @ pool, LookupError)
    assert (dict(every.results), list(every.errors)) == ({0: 0, 2: 2}, [1])
    error = (sky.gather(*map(square, (1, 3))) > pool).exception(20)
    assert list(error.gathered.errors) == [1]  # type: ignore[union-attr]
    assert len(gathered(lambda: pool.map(square, range(4)))) == 4


def test_an_interrupt_carries_what_has_finished(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    def interrupt() -> None:
        until(lambda: len(os.listdir(tmp_path)) == 2, "two have ended")
        os.kill(os.getpid(), signal.SIGINT)

    beside = threading.Thread(target=interrupt)
    beside.start()
    calls = [waits(x, str(tmp_path)) for x in (0, 1, 4, 5, 6)]
    found = gathered(lambda: sky.gather(*calls) >> pool, KeyboardInterrupt)
    beside.join()
    assert len(found) == 5
    assert not found.errors


def test_one_that_cannot_be_sent_is_an_error_like_others(pool: sky.ComputePool) -> None:
    calls: list[Any] = [square(1), square(threading.Lock()), square(2)]  # type: ignore[arg-type]
    one, refused, four = sky.gather(*calls, return_exceptions=True) >> pool
    assert (one, four) == (1, 4)
    assert isinstance(refused, sky.NotPicklable)


def test_a_call_alone_carries_nothing(pool: sky.ComputePool) -> None:
    with pytest.raises(ValueError, match="bad 3") as caught:
        sky.gather(square(3)) >> pool
    assert not hasattr(caught.value, "gathered")


def test_a_chunk_of_a_map_gives_what_it_had(pool: sky.ComputePool) -> None:
    with sky.Executor(pool) as executor:
        found = gathered(lambda: list(executor.map(square.function, [1, 2, 3, 4], chunksize=4)))
    assert (dict(found.results), list(found.errors), found.cancelled) == ({0: 1, 1: 4}, [2], (3,))
    assert set(vars(found.errors[2])) <= {"gathered", "remote_traceback", "__notes__"}
