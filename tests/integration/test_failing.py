"""One failure of many: told at once, and what becomes of the others."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import skyward as sky
from tests.integration.conftest import Until


@sky.compute
def fails_on_one(mark: str, until: str = "") -> int:
    node = sky.instance_info().node
    Path(mark, f"began-{node}").touch()
    if node == 1:
        raise LookupError("node 1 has it not")
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (until and Path(until).exists()):
            time.sleep(0.01)
    except KeyboardInterrupt:
        Path(mark, f"stopped-{node}").touch()
        raise
    return node


def stopped(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("stopped-*"))


class Told:
    """Text on stderr, as it comes."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.text = ""

    def has(self, text: str) -> bool:
        self.text += self._capsys.readouterr().err
        return text in self.text


def test_it_is_told_while_the_others_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], until: Until) -> None:
    end, told = tmp_path / "end", Told(capsys)
    with sky.ComputePool(nodes=3, panel="lines") as pool, concurrent.futures.ThreadPoolExecutor() as beside:
        work = beside.submit(lambda: fails_on_one(str(tmp_path), str(end)) @ pool)
        until(lambda: told.has("failed; "), "the failure is told")
        assert not work.done()
        end.touch()
        with pytest.raises(LookupError, match="node 1 has it not"):
            work.result(20)
    assert "[1] LookupError: node 1 has it not\nTraceback" in told.text
    said = "node 1 failed; nodes 0,2 still run and are waited for; call.with_fail_fast() would interrupt them\n"
    assert said in told.text
    assert not stopped(tmp_path)


def test_failing_fast_interrupts_the_others(pool: sky.ComputePool, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(LookupError, match="node 1 has it not") as caught:
        fails_on_one(str(tmp_path)).with_fail_fast() @ pool
    assert time.monotonic() - started < 30
    assert any(note.endswith("because it fails fast") for note in caught.value.__notes__)
    began = {path.name[-1] for path in tmp_path.glob("began-*")} - {"1"}
    assert stopped(tmp_path) == sorted(f"stopped-{node}" for node in began)
    assert sky.compute(abs)(-1) @ pool == [1, 1, 1]


def test_failing_fast_to_await(pool: sky.ComputePool, tmp_path: Path) -> None:
    async def run() -> None:
        with pytest.raises(LookupError):
            await asyncio.wait_for(pool.broadcast(fails_on_one(str(tmp_path)), fail_fast=True), 30)

    asyncio.run(run())


def test_failing_fast_where_all_succeed(pool: sky.ComputePool) -> None:
    assert sky.compute(abs)(-1).with_fail_fast() @ pool == [1, 1, 1]


def test_errors_that_come_together_are_all_raised(pool: sky.ComputePool) -> None:
    @sky.compute
    def fails() -> None:
        raise ValueError(sky.instance_info().node)

    with pytest.raises((ValueError, ExceptionGroup)) as caught:
        fails().with_fail_fast() @ pool
    errors = caught.value.exceptions if isinstance(caught.value, ExceptionGroup) else (caught.value,)
    assert all(type(error) is ValueError for error in errors)


def test_code_that_cannot_be_interrupted_does_not_keep_it(pool: sky.ComputePool) -> None:
    @sky.compute
    def stubborn() -> None:
        if sky.instance_info().node == 1:
            time.sleep(0.5)
            raise ValueError("on one")
        while True:
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                continue

    started = time.monotonic()
    with pytest.raises(ValueError, match="on one"):
        stubborn().with_fail_fast() @ pool
    assert time.monotonic() - started < 30
    assert sky.compute(abs)(-1) @ pool == [1, 1, 1]


def test_a_lost_node_is_a_failure_too(tmp_path: Path) -> None:
    @sky.compute
    def dies() -> None:
        import os

        if sky.instance_info().node == 1:
            os._exit(3)
        time.sleep(60)

    with sky.ComputePool(nodes=2) as pool, pytest.raises(sky.SlotDied):
        dies().with_fail_fast() @ pool


def test_generators_on_every_node(pool: sky.ComputePool) -> None:
    @sky.compute
    def counts() -> Iterator[int]:
        yield 1
        if sky.instance_info().node == 1:
            raise LookupError("enough")
        while True:
            time.sleep(0.01)

    streams = counts().with_fail_fast() @ pool
    for node, stream in enumerate(streams):
        with pytest.raises(LookupError if node == 1 else sky.TaskInterrupted):
            list(stream)


@pytest.mark.parametrize("way", ["gather", "with"])
def test_a_stream_in_order_ends_with_the_first_error(pool: sky.ComputePool, tmp_path: Path, way: str) -> None:
    @sky.compute
    def bad() -> None:
        raise LookupError("the second")

    calls = [sky.compute(time.sleep)(60), bad()]
    group = sky.gather(*calls, stream=True, fail_fast=way == "gather")
    started = time.monotonic()
    with pytest.raises(LookupError, match="the second"):
        next((group.with_fail_fast() if way == "with" else group) >> pool)
    assert time.monotonic() - started < 30


def test_a_pool_that_is_to_be_quiet_tells_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    @sky.compute
    def slow() -> None:
        if sky.instance_info().node == 1:
            raise LookupError("quietly")
        time.sleep(1)

    with sky.ComputePool(nodes=2, panel="off") as pool, pytest.raises(LookupError):
        slow() @ pool
    assert capsys.readouterr().err == ""
