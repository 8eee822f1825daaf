"""When pools are drawn: while the main thread waits for long enough, and never a moment longer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from skyward_jupyter.runtime import waiting
from skyward_jupyter.terminal import painter as module
from skyward_jupyter.terminal.painter import Painter
from tests.unit.terminal.screen import Terminal
from tests.unit.widgets.fakes import Source, delta, node, snapshot


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"after 20 s still not: {what}"
        time.sleep(0.005)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    made = Terminal(20, 80)
    yield made
    made.close()


@pytest.fixture
def painter(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Painter]:
    monkeypatch.setattr(module, "DELAY", 0.01)
    monkeypatch.setattr(module, "TICK", 0.01)
    made = Painter(terminal.stream)
    waiting.observe(made)
    yield made
    waiting.leave()
    waiting.forget(made)
    for view in made._pools:
        made.drop(view)


@pytest.fixture
def source(painter: Painter) -> Source:
    made = Source(snapshot(node(0), node(1)))
    painter.follow(made)
    return made


def test_a_pool_is_drawn_while_the_main_thread_waits(terminal: Terminal, source: Source) -> None:
    assert terminal.lines == [""]
    waiting.enter()
    until(lambda: "lab · ready · 2 nodes" in "".join(terminal.lines), "drawn")
    waiting.leave()
    assert terminal.lines == [""]
    assert "write" not in vars(terminal.stream)


def test_numbers_are_pulled_only_meanwhile(terminal: Terminal, source: Source) -> None:
    view = source.views[0]
    assert source.seen == []
    waiting.enter()
    until(lambda: len(terminal.lines) == 5, "drawn")
    assert source.seen == [True]
    view.delta(delta((2, 50, 100, 1, 5, 1), (0, 0, 50, 0, 6, 0)))
    until(lambda: "3 queued" in "".join(terminal.lines), "the numbers")
    waiting.leave()
    assert source.seen == [True, False]
    waiting.enter()
    until(lambda: len(terminal.lines) == 5, "drawn again")
    assert "3 queued" not in "".join(terminal.lines)


def test_a_pool_that_is_over_is_drawn_no_more(terminal: Terminal, painter: Painter, source: Source) -> None:
    waiting.enter()
    until(lambda: len(terminal.lines) == 5, "drawn")
    thread = painter._thread
    assert thread is not None
    source.views[0].close(snapshot(state="stopped"))
    thread.join(20)
    assert not thread.is_alive()
    assert terminal.lines == [""]


def test_another_pool_is_drawn_after_the_last_one(terminal: Terminal, painter: Painter, source: Source) -> None:
    source.views[0].close(snapshot(state="stopped"))
    painter.follow(Source(snapshot(node(0), pool="next")))
    waiting.enter()
    until(lambda: "next" in "".join(terminal.lines), "drawn")


def test_nothing_is_said_over_a_prompt(
    painter: Painter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "interactive", lambda: True)
    painter.say("lost")
    assert capsys.readouterr().err == ""
    waiting.enter()
    waiting.leave()
    assert capsys.readouterr().err == "lost\n"
    monkeypatch.setattr(module, "interactive", lambda: False)
    painter.say("lost too")
    assert capsys.readouterr().err == "lost too\n"
