"""What the process that renews a lease is told: without waiting for it, and in the end all that counts."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from typing import IO, Any

import pytest

from skyward_jupyter.fleets import keeping
from skyward_jupyter.fleets.keeping import Line

#: More than a pipe holds.
LONG = "x" * 200_000


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    reader, writer = os.pipe()
    with open(reader, "rb") as ours, open(writer, "wb") as theirs:
        yield ours, theirs


def _read(pipe: IO[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in pipe]


async def test_a_slow_reader_holds_nobody_up_and_has_the_last_of_it(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    ours, theirs = pipe
    line = Line(theirs)
    line.say({"op": "watch", "epoch": 1, "machines": [LONG]})
    for number in range(50):
        line.say({"op": "watch", "machines": [number, LONG]})
    reading = asyncio.get_running_loop().run_in_executor(None, _read, ours)
    # What is left goes by itself, once somebody reads.
    while line._next or line._unsent:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    line.close({"op": "close"})
    said = await asyncio.wait_for(reading, 20)
    assert [message["op"] for message in said] == ["watch", "watch", "close"]
    assert said[0]["epoch"] == 1
    assert said[1]["machines"] == [49, LONG]


async def test_the_last_word_comes_after_all_that_was_said(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    ours, theirs = pipe
    line = Line(theirs)
    line.say({"op": "watch", "machines": [LONG]})
    line.say({"op": "watch", "machines": [LONG, LONG]})
    said: list[dict[str, Any]] = []
    reading = threading.Thread(target=lambda: said.extend(_read(ours)))
    reading.start()
    line.close({"op": "finish"})
    reading.join(20)
    assert [len(message.get("machines", ())) for message in said] == [1, 2, 0]
    assert said[-1] == {"op": "finish"}
    line.say({"op": "watch", "machines": []})
    line.close({"op": "close"})


async def test_a_reader_that_ended_is_no_error(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    ours, theirs = pipe
    line = Line(theirs)
    ours.close()
    line.say({"op": "watch", "machines": [LONG]})
    line.say({"op": "watch", "machines": []})
    line.close({"op": "close"})


async def test_the_last_word_waits_for_no_reader_that_reads_nothing(
    pipe: tuple[IO[bytes], IO[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "LAST_WITHIN", 0.1)
    line = Line(pipe[1])
    line.say({"op": "watch", "machines": [LONG]})
    # In a thread, as it may never return.
    closing = threading.Thread(target=line.close, args=[{"op": "close"}], daemon=True)
    closing.start()
    await asyncio.to_thread(closing.join, 10)
    assert not closing.is_alive()
    assert pipe[1].closed
