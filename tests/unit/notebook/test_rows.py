"""Which displays of several nodes stand side by side, and when a row of them is drawn."""

from __future__ import annotations

import pytest

from skyward_jupyter.notebook import rows as module
from skyward_jupyter.notebook.rows import Places, Rows
from skyward_jupyter.wire.events import Clear, Display
from tests.unit.notebook.fakes import Cell


def event(node: int, page: str, name: str = "", *, update: bool = False) -> Display:
    data = {"text/html": page, "text/plain": page}
    return Display(node, data, {}, {"display_id": name} if name else {}, update)


def shows(cell: Cell, node: int, page: str, name: str = "", *, update: bool = False) -> None:
    cell.output.take(event(node, page, name, update=update))


def test_the_first_ones_are_a_row_and_the_second_ones_too() -> None:
    cell = Cell(2)
    for node in (1, 0):
        shows(cell, node, f"a{node}")
        cell.say(node, "between\n")
        shows(cell, node, f"b{node}")
    cell.output.end()
    assert cell.screen.log == [
        ("row", "[0] a0\n[1] a1"),
        ("stdout", "[0-1] between\n"),
        ("row", "[0] b0\n[1] b1"),
    ]


def test_a_late_one_goes_into_its_row_and_text_stays_in_order() -> None:
    cell = Cell(2)
    cell.say(1, "1 begins\n")
    for page in ("a0", "b0"):
        shows(cell, 0, page)
        cell.say(0, f"after {page}\n")
    cell.ticks.turn()
    shows(cell, 1, "a1")
    cell.output.end()
    assert cell.screen.log == [
        ("row", "[0] a0"),
        ("stdout", "[1] 1 begins\n[0] after a0\n"),
        ("row", "[0] b0"),
        ("stdout", "[0] after b0\n"),
        ("row again", "[0] a0\n[1] a1"),
    ]


def test_equal_ones_are_one_whenever_they_come() -> None:
    cell = Cell(3)
    shows(cell, 0, "same")
    shows(cell, 2, "same")
    cell.say(1, "here\n")
    cell.ticks.turn()
    shows(cell, 1, "same")
    cell.output.end()
    assert [text for kind, text in cell.screen.log if kind.startswith("row")] == ["[0,2] same", "[0-2] same"]


def test_one_that_several_have_is_where_the_last_of_them_has_it() -> None:
    cell = Cell(2)
    shows(cell, 0, "only here")
    for node in range(2):
        shows(cell, node, "both")
        shows(cell, node, f"then {node}")
    cell.output.end()
    assert [text for _, text in cell.screen.log] == ["[0] only here", "[0-1] both", "[0] then 0\n[1] then 1"]


@pytest.mark.parametrize("how", ["time", "node"])
def test_other_groupings_have_no_rows(how: str) -> None:
    cell = Cell(2, how)
    for node in range(2):
        shows(cell, node, f"a{node}")
    cell.output.end()
    assert not any(kind.startswith("row") for kind, _ in cell.screen.log)


def test_a_node_alone_and_a_screen_that_cannot_change_have_none() -> None:
    alone = Cell(1)
    shows(alone, 0, "a")
    alone.output.end()
    assert alone.screen.log[0][0] == "display"
    fixed = Cell(2)
    fixed.output._beside = False
    shows(fixed, 0, "a")
    fixed.output.end()
    assert fixed.screen.log[0][0] == "display"


def test_an_update_is_drawn_in_the_row_also_from_another_cell() -> None:
    cell = Cell(2)
    for node in range(2):
        shows(cell, node, f"a{node}", "d")
    cell.ticks.turn()
    shows(cell, 1, "new", "d", update=True)
    cell.output.end()
    assert cell.screen.log == [("row", "[0] a0\n[1] a1"), ("row again", "[0] a0\n[1] new")]
    rows = Rows(cell.screen.places or Places())
    row = rows.update(event(0, "later", "d", update=True))
    assert row is not None
    assert [figure.data["text/html"] for figure in row.figures] == ["later", "new"]
    assert rows.update(event(0, "x", "unknown", update=True)) is None


def test_what_a_node_shows_after_it_cleared_takes_the_place() -> None:
    cell = Cell(2)
    for node in range(2):
        shows(cell, node, f"a{node}")
    cell.ticks.turn()
    cell.output.take(Clear(0, True))
    cell.ticks.turn()
    shows(cell, 0, "b0")
    cell.ticks.turn()
    assert cell.screen.log[-1] == ("row again", "[0] b0\n[1] a1")
    cell.output.take(Clear(1, True))
    shows(cell, 1, "b1")
    cell.output.end()
    assert cell.screen.log[-3:] == [("clear", "True"), ("row", "[0] b0"), ("row again", "[0] b0\n[1] b1")]


def test_a_large_row_is_drawn_less_often_and_at_the_end() -> None:
    now = [0.0]
    rows = Rows(Places(), lambda: now[0])
    row = rows.add([0], event(0, "x" * module.RATE))
    assert rows.due() == [row]
    rows.drew(row)
    rows.add([1], event(1, "small"))
    now[0] = 1.9
    assert (rows.due(), rows.waiting, rows.due(last=True)) == ([], True, [row])
    now[0] = 2.1
    assert rows.due() == [row]


def test_only_the_last_rows_grow() -> None:
    rows = Rows(Places())
    first = rows.add([0], event(0, "0"))
    assert rows.add([1], event(1, "0")) is first
    for number in range(1, module.GROWING + 1):
        rows.add([0], event(0, str(number)))
    rows.clear(1)
    assert rows.add([1], event(1, "late")) is not first
