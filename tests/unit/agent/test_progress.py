"""Bars of a session on their way out: what is told of them, and how often."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import tqdm as library

from skyward_jupyter.agent.progress import MOST, PACE, Bars
from skyward_jupyter.wire.progress import Bar, bars_in


@dataclass
class Sent:
    """What left."""

    bundles: list[list[Bar]] = field(default_factory=list)

    def __call__(self, data: dict[str, object]) -> None:
        self.bundles.append(bars_in(data))

    @property
    def last(self) -> dict[str, Bar]:
        """The last that was told of each bar."""
        return {bar.key: bar for bars in self.bundles for bar in bars}

    @property
    def only(self) -> Bar:
        """The one bar there is."""
        (bar,) = self.last.values()
        return bar


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def bars(sent: Sent) -> Bars:
    made = Bars(sent)
    made.begin()
    return made


def bar(n: int = 0, total: int | None = 10, **options: Any) -> Any:
    """A bar of tqdm's that draws nothing by itself."""
    made: Any = library.tqdm(total=total, **{"leave": True, **options}, delay=1e9)
    made.n = n
    return made


def test_its_numbers_are_told(bars: Bars, sent: Sent) -> None:
    one = bar(4, desc="train", unit="B", unit_scale=True, unit_divisor=1024, postfix={"loss": 1})
    bars.show(one)
    bars.finish(None)
    told = sent.only
    assert (told.n, told.total, told.label, told.unit, told.note) == (4, 10, "train", "B", "loss=1")
    assert (told.scale, told.divisor, told.state) == (True, 1024, "stopped")


@pytest.mark.parametrize(("n", "total", "state"), [(10, 10, "done"), (4, 10, "stopped"), (4, None, "done")])
def test_how_it_ended(bars: Bars, sent: Sent, n: int, total: int | None, state: str) -> None:
    one = bar(n, total)
    bars.show(one)
    bars.close(one)
    bars.finish(None)
    assert sent.only.state == state


def failing(bars: Bars, one: Any) -> Exception:
    try:
        try:
            raise ValueError
        finally:
            bars.close(one)
    except ValueError as error:
        return error


def test_the_error_that_closed_it_made_it_fail(bars: Bars, sent: Sent) -> None:
    one = bar(4)
    bars.show(one)
    bars.finish(failing(bars, one))
    assert sent.only.state == "failed"


def test_another_error_did_not(bars: Bars, sent: Sent) -> None:
    one = bar(4)
    bars.show(one)
    failing(bars, one)
    bars.finish(KeyError())
    assert sent.only.state == "stopped"


def test_what_is_open_when_the_cell_fails_failed(bars: Bars, sent: Sent) -> None:
    one, other = bar(4), bar(5)
    bars.show(one)
    bars.finish(ValueError())
    assert sent.only.state == "failed"
    bars.begin()
    bars.show(other)
    bars.finish(KeyboardInterrupt())
    assert [one.state for one in sent.bundles[-1]] == ["stopped"]


def test_bars_of_one_line_are_counted_or_take_turns(bars: Bars, sent: Sent) -> None:
    for leave in (True, False):
        for _ in range(3):
            one = bar(10, leave=leave)
            bars.show(one)
            bars.close(one)
    bars.finish(None)
    keys = sorted(key.partition(":")[2] for key in sent.last)
    assert [key.lstrip("0123456789") for key in keys] == ["#1", "#2", "#3", "~0"]
    assert sorted(one.state for one in sent.last.values()) == ["done", "done", "done", "gone"]


def test_few_messages_leave_however_often_it_moves(bars: Bars, sent: Sent) -> None:
    one = bar(0, 10**6)
    begun = time.monotonic()
    while not sent.bundles or sent.only.n < 1000:
        one.n += 1
        bars.show(one)
    seconds = time.monotonic() - begun
    assert len(sent.bundles) <= PACE * seconds + 2
    bars.finish(None)
    assert sent.only.n == one.n


def test_of_very_many_that_ended_at_once_the_last_are_told(bars: Bars, sent: Sent, slow: Callable[[], None]) -> None:
    slow()
    for _ in range(5 * MOST):
        one = bar(10)
        bars.show(one)
        bars.close(one)
    bars.finish(None)
    assert len(sent.last) <= MOST
    assert any(key.endswith(f"#{5 * MOST}") for key in sent.last)


@pytest.fixture
def slow(bars: Bars, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have nothing leave before the cell's end."""
    return lambda: monkeypatch.setattr(bars, "_wake", lambda: None)


def test_it_keeps_no_bar_alive(bars: Bars, sent: Sent) -> None:
    one = bar(4)
    bars.show(one)
    del one
    gc.collect()
    bars.finish(None)
    assert sent.only.n == 4
