"""The numbered events of one client."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from skyward_jupyter.agent import log as module
from skyward_jupyter.agent.log import RunLog
from skyward_jupyter.wire.blobs import INLINE_LIMIT, Blob
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.messages import Event
from skyward_jupyter.wire.said import loss_in, packed_display, packed_text, text_in


def lost(event: Event) -> Any:
    """What an event says was dropped: bytes of text, and displays."""
    assert event.kind == Kind.DROPPED
    return loss_in(event.body)


def written(text: str) -> bytes:
    return packed_text("stdout", text)


def shown(event: Event) -> str:
    return text_in(event.body)[1]


def test_events_are_numbered_from_one() -> None:
    log = RunLog()
    assert [log.add(task, Kind.OUTPUT, b"x").seq for task in (5, 6, 5)] == [1, 2, 3]
    assert log.last == 3
    assert [(event.seq, event.task) for event in log.batch().events] == [(1, 5), (2, 6), (3, 5)]


def test_events_stay_until_they_are_acknowledged() -> None:
    log = RunLog()
    for _ in range(4):
        log.add(1, Kind.OUTPUT, b"x")
    assert log.batch() == log.batch()
    log.acknowledge(2)
    assert [event.seq for event in log.batch().events] == [3, 4]
    log.acknowledge(2)
    log.acknowledge(99)
    assert log.batch().events == ()
    assert log.add(1, Kind.VALUE, b"").seq == 5


def test_what_there_is_after_a_number() -> None:
    log = RunLog()
    assert not log.has_after(0)
    log.add(1, Kind.OUTPUT, b"x")
    assert log.has_after(0)
    assert not log.has_after(1)
    log.add(1, Kind.YIELD, b"x")


def test_seconds_travel_with_the_last_event() -> None:
    log = RunLog()
    log.add(1, Kind.VALUE, b"v", 2.5)
    assert log.batch().events[0].seconds == 2.5


def test_output_beyond_the_bound_goes_oldest_first_and_is_counted() -> None:
    log = RunLog(output_bound=1000)
    for number in range(30):
        log.add(1, Kind.OUTPUT, bytes([number]) * 100)
        log.add(1, Kind.YIELD, b"y" * 100)
    log.add(1, Kind.VALUE, b"v" * 5000)
    batch = log.batch()
    output = [event for event in batch.events if event.kind == Kind.OUTPUT]
    assert sum(len(event.body) for event in output) <= 1000
    assert [event.body[0] for event in output] == list(range(30 - len(output), 30))
    gone = [lost(event) for event in batch.events if event.kind == Kind.DROPPED]
    assert sum(size for size, _ in gone) == 3000 - 100 * len(output)
    assert sum(event.kind == Kind.YIELD for event in batch.events) == 30
    assert batch.events[-1].kind == Kind.VALUE
    assert [event.seq for event in batch.events] == sorted(event.seq for event in batch.events)


def test_one_output_larger_than_the_bound_is_dropped() -> None:
    log = RunLog(output_bound=100)
    log.add(1, Kind.OUTPUT, b"x" * 500)
    (event,) = log.batch().events
    assert (event.seq, event.kind, lost(event)) == (1, Kind.DROPPED, (500, 0))
    assert log.add(1, Kind.VALUE, b"v").seq == 2


def test_what_was_read_makes_room() -> None:
    log = RunLog(output_bound=1000)
    for number in range(1, 100):
        log.add(1, Kind.OUTPUT, b"x" * 400)
        batch = log.batch()
        assert [event.kind for event in batch.events] == [Kind.OUTPUT]
        log.acknowledge(number)


def test_an_answer_has_a_bound_and_at_least_one_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_BOUND", 1000)
    log = RunLog()
    for size in (5000, 400, 400, 400):
        log.add(1, Kind.YIELD, b"y" * size)
    sizes = []
    while log.has_after(0):
        events = log.batch().events
        sizes.append([len(event.body) for event in events])
        log.acknowledge(events[-1].seq)
    assert sizes == [[5000], [400, 400], [400]]


def test_a_gap_says_how_much_text_it_was_and_where() -> None:
    log = RunLog(output_bound=40_000)
    log.add(1, Kind.YIELD, b"first")
    for _ in range(3):
        log.add(1, Kind.OUTPUT, written("é" * 7_000))
    log.add(1, Kind.DISPLAY, written("a picture"))
    log.add(2, Kind.OUTPUT, written("of another task"))
    log.add(1, Kind.YIELD, b"second")
    for _ in range(3):
        log.add(1, Kind.OUTPUT, written("z" * 14_000))
    found = [(event.task, Kind(event.kind)) for event in log.batch().events]
    assert found == [
        (1, Kind.YIELD),
        (1, Kind.DROPPED),
        (2, Kind.DROPPED),
        (1, Kind.YIELD),
        (1, Kind.DROPPED),
        (1, Kind.OUTPUT),
        (1, Kind.OUTPUT),
    ]
    gaps = [lost(event) for event in log.batch().events if event.kind == Kind.DROPPED]
    assert gaps == [(42_000, 1), (15, 0), (14_000, 0)]


def test_the_blobs_of_what_is_dropped_are_forgotten() -> None:
    gone: list[str] = []
    log = RunLog(output_bound=1000, forget=lambda blob: gone.append(blob.name))
    blob = Blob("0" * 32, INLINE_LIMIT)
    log.add(1, Kind.DISPLAY, packed_display({"image/png": os.urandom(INLINE_LIMIT)}, {}, {}, False, lambda _: blob))
    for _ in range(20):
        log.add(1, Kind.OUTPUT, written("y" * 100))
    assert gone == [blob.name]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_shown_and_what_is_dropped_is_what_was_written(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that reads at random moments, and loses answers at random, as a link that breaks does."""
    monkeypatch.setattr(module, "BATCH_BOUND", 2000)
    rng = random.Random(seed)
    log = RunLog(output_bound=3000)
    total = {1: 0, 2: 0}
    found = {1: 0, 2: 0}
    kept: list[int] = []
    seen = asked = 0

    def exchange(answered: bool) -> None:
        nonlocal seen, asked
        log.acknowledge(asked)
        batch = log.batch()
        if not answered:
            return
        for event in batch.events:
            if event.seq > seen:
                seen = event.seq
                match event.kind:
                    case Kind.OUTPUT:
                        found[event.task] += len(shown(event))
                    case Kind.DROPPED:
                        found[event.task] += lost(event)[0]
                    case _:
                        kept.append(int(event.body))
        asked = rng.choice([asked, seen])

    for number in range(600):
        task, size = rng.randint(1, 2), rng.randint(1, 400)
        log.add(task, Kind.OUTPUT, written("x" * size))
        total[task] += size
        if rng.random() < 0.1:
            log.add(task, Kind.YIELD, b"%d" % number)
        if rng.random() < 0.1:
            exchange(rng.random() < 0.6)
    while log.has_after(seen):
        exchange(True)
        asked = seen
    assert found == total
    assert kept == sorted(kept)


def test_what_is_not_acknowledged_is_known() -> None:
    log = RunLog()
    for task, kind in ((1, Kind.OUTPUT), (1, Kind.VALUE), (2, Kind.YIELD), (2, Kind.ERROR), (3, Kind.OUTPUT)):
        log.add(task, kind, b"x")
    assert (log.acknowledged, log.ended()) == (0, {1, 2})
    assert log.acknowledge(3) == [1]
    assert (log.acknowledged, log.ended()) == (3, {2})
    assert log.acknowledge(5) == [2]
    assert (log.acknowledged, log.ended()) == (5, set())
