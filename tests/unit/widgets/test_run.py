"""The model of a run's live view: what it sends, to whom, and when it stops."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from skyward_jupyter.api.viewing.sight import LEASE, Sights
from skyward_jupyter.notebook.logbook import LogBook
from skyward_jupyter.widgets.run import CHARACTERS, RunWidget, Unsent
from skyward_jupyter.widgets.runsource import RunSnapshot, RunView
from skyward_jupyter.widgets.view import page


@dataclass
class Source:
    """A `RunSource` in memory."""

    log: LogBook = field(default_factory=LogBook)
    bars_version: int = 0
    pictures: list[tuple[str, str]] = field(default_factory=list)
    views: list[RunView] = field(default_factory=list)
    stopped: int = 0
    state: str = "running"

    def bars_shown(self) -> Mapping[str, object]:
        return {"groups": [], "texts": [f"version {self.bars_version}"]}

    def snapshot(self) -> RunSnapshot:
        nodes = [(0, "running", "")]
        return RunSnapshot(title="cell", state=self.state, started=1.0, seconds=0.0, nodes=nodes, stops=self.stopped)  # type: ignore[typeddict-item]

    def still(self) -> dict[str, object]:
        return {"text/plain": "cell", "text/html": "<div>cell</div>"}

    def attach(self, view: RunView) -> Callable[[], None]:
        self.views.append(view)
        return self.views.clear

    def cancel(self) -> None:
        self.stopped += 1


@dataclass
class Loop:
    """A clock that a test turns."""

    due: list[Callable[[], None]] = field(default_factory=list)

    @property
    def loop(self) -> Loop:
        return self

    def call_later(self, _seconds: float, call: Callable[[], None]) -> None:
        self.due.append(call)

    def call_soon(self, call: Callable[[], None]) -> None:
        call()

    def turn(self) -> None:
        due, self.due = self.due, []
        for call in due:
            call()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    made = Loop()
    monkeypatch.setattr("skyward_jupyter.runtime.bridge.runtime", lambda: made)
    return made


@pytest.fixture
def widget(source: Source, loop: Loop) -> Iterator[RunWidget]:
    made = RunWidget(source, opened=True)
    yield made
    made.close()


@pytest.fixture
def sent(widget: RunWidget, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the widget sends to the page, but for the word that it is there."""
    messages: list[dict[str, Any]] = []
    monkeypatch.setattr(widget, "send", lambda content: content["kind"] == "beat" or messages.append(content))
    return messages


def page_says(widget: RunWidget, **content: object) -> None:
    widget._handle_custom_msg(content, [])


def see(widget: RunWidget, visible: bool = True, view: str = "a") -> None:
    page_says(widget, kind="visible", visible=visible, view=view)


def test_traits_are_json(widget: RunWidget) -> None:
    assert json.loads(json.dumps(widget.snapshot))["title"] == "cell"
    assert widget.bundle()["text/plain"] == "cell"


def test_nothing_is_sent_while_nobody_sees_it(
    widget: RunWidget, source: Source, loop: Loop, sent: list[dict[str, Any]]
) -> None:
    source.log.add([0], "stdout", "line")
    source.views[0].changed()
    assert loop.due == []
    see(widget)
    loop.turn()
    assert sent[0]["rows"] == [[0, [["0", 0, "line"]]]]
    see(widget, visible=False)
    source.log.add([0], "stdout", "more")
    loop.turn()
    assert len(sent) == 1
    assert loop.due == []


def test_a_tick_sends_one_message_and_only_what_is_new(
    widget: RunWidget, source: Source, loop: Loop, sent: list[dict[str, Any]]
) -> None:
    see(widget)
    loop.turn()
    assert set(sent[0]) == {"kind", "seq", "at", "bars"}
    loop.turn()
    assert len(sent) == 1
    source.bars_version += 1
    source.log.add([3], "stderr", "a\nb")
    loop.turn()
    assert sent[1]["seq"] == 2
    assert sent[1]["bars"] == {"groups": [], "texts": ["version 1"]}
    assert sent[1]["log"] == (0, 2, 0)
    assert sent[1]["rows"] == [[0, [["3", 1, "a"], ["3", 1, "b"]]]]


def test_a_new_page_gets_all_again(widget: RunWidget, source: Source, loop: Loop, sent: list[dict[str, Any]]) -> None:
    source.log.add([0], "stdout", "line")
    source.pictures.append(("[0]", "<b>"))
    see(widget)
    loop.turn()
    page_says(widget, kind="want")
    loop.turn()
    assert sent[1]["rows"] == sent[0]["rows"]
    assert sent[1]["pictures"] == sent[0]["pictures"] == [1, 0, ["[0]", "<b>"]]


def test_pictures_go_one_at_a_time_and_changes_follow(
    widget: RunWidget, source: Source, loop: Loop, sent: list[dict[str, Any]]
) -> None:
    source.pictures += [("", "a"), ("", "b")]
    see(widget)
    for _ in range(3):
        loop.turn()
    source.pictures[0] = ("", "c")
    loop.turn()
    source.pictures.clear()
    loop.turn()
    assert [message["pictures"] for message in sent if "pictures" in message] == [
        [1, 0, ["", "a"]],
        [2, 1, ["", "b"]],
        [2, 0, ["", "c"]],
        [0, 0, []],
    ]


def test_the_button_stops_the_run(widget: RunWidget, source: Source) -> None:
    page_says(widget, kind="stop")
    assert source.stopped == 1
    page_says(widget, nonsense=True)
    page_says(widget, kind="visible", visible="yes", view=3)


def test_it_ends_with_the_run(widget: RunWidget, source: Source, loop: Loop, sent: list[dict[str, Any]]) -> None:
    see(widget)
    loop.turn()
    source.state = "done"
    source.views[0].changed()
    loop.turn()
    assert widget.snapshot["state"] == "done"
    loop.turn()
    assert loop.due == []
    widget.close()
    assert source.views == []


def test_without_the_built_script_it_says_so() -> None:
    script, style = page("unbuilt")
    assert "make" in str(script)
    assert style == ""


# -- which lines go first


def take(unsent: Unsent) -> list[tuple[int, list[str]]]:
    return [(start, [line.text for line in lines]) for start, lines in unsent.take()]


def test_lines_are_sent_once() -> None:
    log = LogBook()
    unsent = Unsent(log)
    assert take(unsent) == []
    log.add([0], "stdout", "a\nb")
    assert take(unsent) == [(0, ["a", "b"])]
    assert not unsent.any
    log.add([0], "stdout", "c")
    assert unsent.any
    assert take(unsent) == [(2, ["c"])]


def test_of_too_many_the_newest_go_first_and_all_arrive() -> None:
    log = LogBook()
    unsent = Unsent(log)
    for number in range(5_000):
        log.add([0], "stdout", f"line {number}")
    first = take(unsent)
    assert first[-1][1][-1] == "line 4999"
    log.add([0], "stdout", "line 5000")
    second = take(unsent)
    assert second[0] == (5_000, ["line 5000"])
    pieces = first + second
    while unsent.any:
        pieces += take(unsent)
    assert sum(len(lines) for _, lines in pieces) == 5_001
    known = {start + place: text for start, lines in pieces for place, text in enumerate(lines)}
    assert all(known[number] == f"line {number}" for number in range(5_001))


def test_a_message_is_bounded() -> None:
    log = LogBook()
    unsent = Unsent(log)
    for _ in range(100):
        log.add([0], "stdout", "x" * 3_000)
    while unsent.any:
        assert sum(len(text) for _, lines in take(unsent) for text in lines) < CHARACTERS + 3_000


def test_lines_that_went_meanwhile_are_not_waited_for() -> None:
    log = LogBook()
    unsent = Unsent(log)
    for number in range(3_000):
        log.add([0], "stdout", str(number))
    take(unsent)
    log.clear()
    take(unsent)
    assert not unsent.any


# -- who looks


def test_a_view_that_falls_silent_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("skyward_jupyter.api.viewing.sight.time.monotonic", lambda: now[0])
    sights = Sights()
    sights.see("a")
    sights.see("b")
    assert sights.leave("b")
    assert not sights.leave("b")
    now[0] = LEASE - 1
    assert sights.silent() == []
    now[0] = LEASE + 1
    assert sights.silent() == ["a"]
    assert sights
