"""The forms of a pool that need no kernel."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from skyward_jupyter.actors.source import Snapshot
from skyward_jupyter.events import TaskTimes
from skyward_jupyter.widgets.static import LISTED, Picture, duration, memory
from tests.unit.widgets.fakes import delta, node, snapshot


class Page(HTMLParser):
    """Collects the text, the tags and the attributes of a page; unbalanced tags raise."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def picture(shown: Snapshot, *rows: tuple[float, ...]) -> Picture:
    return Picture(shown, delta(*rows) if rows else None, 1_000_065.0)


def test_plain_text_names_the_pool_and_every_node() -> None:
    shown = snapshot(node(0), node(1, state="active", phase="running"), note="all is well")
    lines = picture(shown, (0, 1.2, 100, 0, 12, 0), (2, 99.6, 2048, 1, 1000, 1)).plain().splitlines()
    assert lines[0] == "pool lab: ready, local, 2 nodes, 1 idle, 1 active, 1,012 tasks done, up 1m 5s"
    assert lines[1] == "  all is well"
    assert lines[2].split() == ["node", "state", "phase", "address", "CPU", "memory", "running", "done"]
    assert lines[3].split() == ["0", "○", "idle", "ready", "127.0.1.0:25520", "1%", "100", "MiB", "0", "12"]
    assert lines[4].split() == ["1", "▶", "active", "running", "127.0.1.1:25520", "100%", "2.0", "GiB", "1", "1000"]


def test_a_node_that_waits_says_how_long_and_what_came_last() -> None:
    waits = node(1, state="waiting", phase="installing packages", since=1_000_003.0, said="Downloaded numpy")
    text = picture(snapshot(node(0), waits, state="starting")).plain()
    assert "installing packages, 1m 2s (Downloaded numpy)" in text
    assert "ready," not in text.splitlines()[2]


def test_a_start_that_failed_keeps_its_nodes_and_one_that_ended_does_not() -> None:
    lost = node(1, state="lost", phase="gpu1 " + "x" * 300)
    text = picture(snapshot(node(0), lost, state="failed")).plain()
    assert text.startswith("pool lab: failed, local, 2 nodes, after 1m 5s\n")
    assert "x" * 100 in text
    assert "x" * 120 not in text
    assert "…" in text
    assert "127.0.1.0" not in picture(snapshot(node(0), node(1), state="stopped")).plain()


def test_without_live_numbers_their_columns_are_left_out() -> None:
    text = picture(snapshot(node(0))).plain()
    assert "CPU" not in text
    assert "done" not in text


def test_numbers_of_another_size_are_not_attributed() -> None:
    assert "CPU" not in picture(snapshot(node(0), node(1)), (0, 50, 1, 0, 5, 0)).plain()


def test_a_pool_that_is_over_says_how_long_it_ran_and_what_it_did() -> None:
    text = picture(snapshot(node(0), state="stopped"), (2, 90, 500, 1, 7, 1)).plain()
    assert text.splitlines()[0] == "pool lab: stopped, local, 1 node, 7 tasks done, ran 1m 5s"
    assert "90%" not in text


def test_an_empty_pool_is_one_line() -> None:
    assert picture(snapshot(state="starting")).plain() == "pool lab: starting, local, 0 nodes, up 1m 5s"


def test_very_many_nodes_are_counted_not_listed() -> None:
    shown = snapshot(*[node(rank) for rank in range(LISTED + 10)])
    assert picture(shown).plain().splitlines()[-1] == "  … and 10 more"
    assert Page(picture(shown).html()).tags.count("tr") == LISTED + 1


def test_html_is_one_balanced_element_that_needs_nothing() -> None:
    page = Page(picture(snapshot(node(0), node(1)), (0, 1, 1, 0, 1, 0), (0, 1, 1, 0, 2, 0)).html("A note."))
    assert set(page.tags) <= {"div", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert page.attributes == {"style"}
    assert any("As of 1970-01-12 13:47:45 UTC. A note." in text for text in page.texts)


def test_html_inherits_its_colours() -> None:
    html = picture(snapshot(node(0))).html()
    assert "#" not in html
    assert "color:" not in html.replace("color:inherit", "")


def test_html_has_the_timeline_as_an_image_with_words() -> None:
    times = [TaskTimes(1, "f", 0, 0.0, 0.0, 0.0, 1.0, 1.0), TaskTimes(2, "f", 1, 0.0, 0.0, 0.0, 2.0, 2.0, "KeyError")]
    html = Picture(snapshot(node(0)), None, 1_000_065.0, times).html()
    assert 'alt="2 tasks in 2 s on 2 nodes, 1 with an error (×)"' in html
    data = html.partition("data:image/svg+xml;base64,")[2].partition('"')[0]
    assert b64decode(data).decode().startswith("<svg")
    assert "<img" not in picture(snapshot(node(0))).html()


def test_what_it_costs_is_said_when_it_costs_something() -> None:
    assert "$" not in picture(snapshot(node(0))).plain()
    dear = snapshot(node(0), per_hour=2.5, so_far=0.1)
    assert "1 idle, $2.50/h, $0.10 so far, up 1m 5s" in picture(dear).plain()
    later = replace(delta((0, 0, 0, 0, 0, 0)), so_far=0.25)
    assert "$0.25 so far" in Picture(dear, later, 1_000_065.0).plain()
    over = snapshot(state="stopped", so_far=0.5)
    assert "$0.00/h, $0.50 so far" in Picture(over, None, 1_000_065.0).html()


def test_every_value_is_escaped() -> None:
    evil = "<script>alert(1)</script>"
    shown = snapshot(node(0, phase=evil, address=evil), pool=evil, provider=evil, note=evil)
    page = Page(picture(shown).html(evil))
    assert "script" not in page.tags
    assert sum(evil in text for text in page.texts) == 6


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0s"), (59, "59s"), (61, "1m 1s"), (3600, "1h 0m"), (90_000, "1d 1h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("mebibytes", "text"), [(0, "0 MiB"), (1023, "1023 MiB"), (1536, "1.5 GiB")])
def test_amounts_of_memory(mebibytes: float, text: str) -> None:
    assert memory(mebibytes) == text


def test_a_node_behind_a_broken_link_says_for_how_long() -> None:
    broken = node(1, state="active", phase="not reachable (no route)", since=1_000_000.0, reachable=False)
    assert "not reachable (no route), 1m 5s" in Picture(snapshot(node(0), broken), None, 1_000_065.0).plain()
