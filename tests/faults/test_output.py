"""More output than anybody reads: bounded on both sides, and what is missing is counted where it is missing."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from pathlib import Path

import psutil
import pytest

import skyward as sky
from skyward_jupyter.runtime.bridge import wait
from skyward_jupyter.wire.events import Dropped, Output, Success

MEGA = 2**20
#: Whole lines that do not compress, as large as what leaves a slot at a time.
PIECE = 64 * 1024
LINE = 64


@sky.compute
def flood(pieces: int, mark: str = "") -> int:
    import random
    import sys

    for _ in range(pieces):
        text = random.randbytes(PIECE // 2).hex()
        sys.stdout.write("\n".join(text[at : at + LINE - 1] for at in range(0, PIECE, LINE)) + "\n")
    if mark:
        Path(mark).touch()
    return pieces


class Watch:
    """The largest amount of memory that processes have while it watches, over what they had before (bytes)."""

    def __init__(self, *pids: int) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._before = [process.memory_info().rss for process in self._processes]
        self.most = [0] * len(pids)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            for number, process in enumerate(self._processes):
                grown = process.memory_info().rss - self._before[number]
                self.most[number] = max(self.most[number], grown)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_gigabyte_of_output(pool: sky.ComputePool) -> None:
    shown = dropped = gaps = 0

    def look(event: object) -> None:
        nonlocal shown, dropped, gaps
        match event:
            case Output(_, _, text):
                shown += len(text)
                time.sleep(0.005)  # a front end that is slower than the node
            case Dropped(_, size):
                dropped += size
                gaps += 1

    async def run() -> None:
        (outcome,) = await pool._inner.launch(flood(1024 * MEGA // PIECE), [0], on_event=look).outcomes()
        assert isinstance(outcome, Success), outcome

    with Watch(os.getpid(), pool.nodes[0].pid) as watch:
        wait(run())
    assert gaps
    assert shown + dropped == 1024 * MEGA
    kernel, agent = watch.most
    assert kernel < 100 * MEGA, f"the kernel grew by {kernel / MEGA:.0f} MB"
    assert agent < 300 * MEGA, f"the agent grew by {agent / MEGA:.0f} MB"
    assert flood(0) @ pool == [0, 0, 0]


def test_what_a_blocked_reader_missed_is_said_in_its_place(
    pool: sky.ComputePool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pieces = 110 * MEGA // PIECE
    mark = tmp_path / "written"

    def block() -> None:
        deadline = time.monotonic() + 60
        while not mark.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    async def run() -> None:
        pending = asyncio.ensure_future(pool.run(flood(pieces, str(mark))))
        await asyncio.sleep(0.3)
        block()
        assert await pending == pieces

    wait(run())
    out, err = capfd.readouterr()
    (gap,) = re.findall(
        r"^\[node \d\] ([\d.]+) MB of output were dropped: the reader was slower than the node$", err, re.MULTILINE
    )
    lines = out.splitlines()
    assert all(re.fullmatch(r"\[\d\] [0-9a-f]{63}", line) for line in lines)
    assert float(gap) == pytest.approx((pieces * PIECE - len(lines) * LINE) / 1e6, abs=0.1)
