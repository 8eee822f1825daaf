"""Pools as text for a terminal: what is told, and that it fits."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from skyward_jupyter.actors.source import Delta, Snapshot
from skyward_jupyter.terminal.table import ROWS, drawn, listing
from tests.unit.widgets.fakes import delta, node, snapshot

NOTE = "node 2 was lost (signal 9) and is being replaced"
EVERY_STATE = snapshot(
    node(0, state="active"),
    node(1, state="idle"),
    node(2, state="lost", phase="signal 9"),
    node(3, state="waiting", phase="joining"),
    note=NOTE,
)
NUMBERS = delta((2, 99.6, 2048, 1, 1000, 1), (0, 1, 100, 0, 12, 0), (3, 0, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0))
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def many(count: int, **changes: object) -> Snapshot:
    """A pool of so many nodes, the first one with changes."""
    return snapshot(node(0, **changes), *(node(rank, state="active") for rank in range(1, count)))


def load(count: int) -> Delta:
    return delta(*[(2, 90.0, 512, 1, 10, 1)] * count)


def region(shown: Snapshot, numbers: Delta | None = None, width: int = 79, height: int = 20) -> list[str]:
    """The lines of a region, without their colours."""
    return [STYLE.sub("", line) for line in drawn([(shown, numbers, 1_000_065.0)], width, height)]


def test_every_state_is_drawn_with_its_numbers() -> None:
    head, names, *rows, note = region(EVERY_STATE, NUMBERS, 90)
    assert head.startswith("── lab · ready · 2 of 4 nodes ready · local ──")
    assert head.endswith("── 3 queued · 1.5 tasks/s · up 1m 5s ──")
    assert names.split() == ["node", "state", "CPU", "memory", "running", "done", "phase"]
    assert [row.split() for row in rows] == [
        ["0", "▶", "active", "████████", "100%", "2.0", "GiB", "1", "1,000"],
        ["1", "○", "idle", "░░░░░░░░", "1%", "100", "MiB", "0", "12"],
        ["2", "✕", "lost", "signal", "9"],
        ["3", "◐", "waiting", "joining"],
    ]
    assert note.strip() == NOTE


def test_numbers_that_have_not_come_are_dashes() -> None:
    assert region(snapshot(node(0)))[2].split() == ["0", "○", "idle", "–", "–", "–", "–"]
    assert region(snapshot(node(0), node(1)), load(1))[2].split()[3:] == ["–"] * 4


def test_the_cpu_of_a_node_is_a_share_of_its_slots() -> None:
    assert "████░░░░  200%" in region(snapshot(node(0, slots=4)), delta((2, 200, 100, 2, 0, 2)))[2]


def test_a_note_is_drawn_as_long_as_something_goes_on() -> None:
    assert NOTE not in "\n".join(region(snapshot(node(0), note=NOTE)))
    assert region(snapshot(node(0, state="waiting"), note=NOTE))[-1].strip() == NOTE
    assert region(snapshot(state="failed", note=NOTE))[-1].strip() == NOTE


def test_many_nodes_are_counted() -> None:
    shown = many(64, state="lost", phase="signal 9")
    head, counts, bar, totals, trouble = region(shown, load(64))
    assert "63 of 64 nodes ready" in head
    assert counts.split() == ["▶", "63", "active", "✕", "1", "lost"]
    assert re.fullmatch(r" █+✕", bar)
    assert totals.strip() == "CPU 90% a node, 90% at most · 31.5 GiB · 63 running · 630 done"
    assert trouble.strip() == "node 0: lost, signal 9"


def test_nodes_that_start_together_are_counted_by_phase() -> None:
    starting = [node(rank, state="waiting", phase="joining" if rank else "starting") for rank in range(40)]
    _, counts, bar = region(snapshot(*starting, state="starting"))
    assert counts.split() == ["◐", "40", "waiting", "(39", "joining,", "1", "starting)"]
    assert set(bar.strip()) == {"▒"}


@pytest.mark.parametrize("count", [1, ROWS, ROWS + 1, 250])
@pytest.mark.parametrize("width", [20, 33, 59, 79, 200])
def test_it_fits_the_terminal(count: int, width: int) -> None:
    long = "a reason that nobody could tell in so few words that it fits any terminal there is " * 3
    for shown, numbers in ((many(count), load(count)), (many(count, state="waiting", phase=long), None)):
        lines = region({**shown, "note": long}, numbers, width)
        assert max(map(cell_len, lines)) <= width
        assert len(lines) <= ROWS + 3


@pytest.mark.parametrize("height", [-1, 0, 1, 4, 8])
def test_it_fits_a_low_terminal(height: int) -> None:
    pools = [(many(10), load(10), 1_000_065.0)] * 3
    assert len(drawn(pools, 79, height)) <= max(height, 0)


def test_several_pools_stand_one_below_the_other() -> None:
    other: Snapshot = {**many(3), "pool": "other"}
    lines = [STYLE.sub("", line) for line in drawn([(many(2), None, 1e6), (other, None, 1e6)], 79, 20)]
    assert [line.split()[1] for line in lines if line.startswith("──")] == ["lab", "other"]


def test_colours_are_left_out_where_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    assert colour.search("".join(drawn([(EVERY_STATE, NUMBERS, 1e6)], 79, 20)))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour.search("".join(drawn([(EVERY_STATE, NUMBERS, 1e6)], 79, 20)))


def test_a_terminal_without_unicode_gets_ascii() -> None:
    for shown, numbers in ((EVERY_STATE, NUMBERS), (EVERY_STATE, None), (many(64, state="lost"), load(64))):
        assert "".join(drawn([(shown, numbers, 1e6)], 60, 20, unicode=False)).isascii()


def test_what_users_name_is_no_markup() -> None:
    assert "[bold]x[/]" in region(snapshot(node(0, state="lost", phase="[bold]x[/]")))[2]


def test_a_listing_has_every_node_and_no_colour() -> None:
    text = listing(EVERY_STATE, NUMBERS, 1_000_065.0, 80)
    assert "\x1b" not in text
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "127.0.1.1:25520" in text
    assert "1,012" in text
    assert NOTE in text


def test_a_listing_of_very_many_nodes_is_cut() -> None:
    lines = listing(many(100), None, 1_000_065.0, 80).splitlines()
    assert lines[-1] == "  … and 68 more"
    assert len(lines) == 35


def test_what_nodes_did_when_their_pool_ended_is_not_listed() -> None:
    assert len(listing({**many(3), "state": "stopped"}, None, 1_000_065.0, 80).splitlines()) == 1
    assert len(listing({**many(3, state="lost"), "state": "failed"}, None, 1_000_065.0, 80).splitlines()) == 5
