"""What is read of a dict or a set for its views, and what they are told."""

from __future__ import annotations

from typing import Any

import pytest

from skyward_jupyter.api.viewing.keylist import Window
from skyward_jupyter.api.viewing.table import SORTABLE, Table
from skyward_jupyter.collections.keys import encoded
from skyward_jupyter.collections.watch import Changes
from tests.unit.api.viewing.shelf import Shelf


async def read(table: Table, shelf: Shelf, **windows: Window) -> Any:
    """What the views are told once everything is read."""
    while table.pause(windows) <= 0:
        await table.read(shelf, windows)  # type: ignore[arg-type]
    return table.body(windows)


def rows(body: Any, view: str = "v") -> list[tuple[str, str | None]]:
    return [(row[1], row[3]) for row in body["windows"][view]["rows"]]


async def test_only_the_values_that_are_seen_are_read() -> None:
    shelf, table = Shelf({number: -number for number in range(5000)}), Table(valued=True)
    body = await read(table, shelf, v=Window(offset=100, limit=2), w=Window(search="4999"))
    assert (rows(body), rows(body, "w")) == ([("100", "-100"), ("101", "-101")], [("4999", "-4999")])
    assert body["total"] == 5000
    assert shelf.read == 3
    await read(table, shelf, v=Window(offset=100, limit=3))
    assert shelf.read == 4


async def test_a_change_is_read_alone() -> None:
    shelf, table = Shelf(dict.fromkeys(range(1000), 0)), Table(valued=True)
    window = Window(limit=2)
    body = await read(table, shelf, v=window)
    assert all(row[5] == 0 for row in body["windows"]["v"]["rows"])
    shelf.read = shelf.scans = 0
    shelf.put(0, 5)
    shelf.put(-1, "new")
    shelf.drop(999)
    table.heard(Changes((encoded(0), encoded(-1), encoded(999))))
    body = await read(table, shelf, v=window)
    assert rows(body) == [("-1", "'new'"), ("0", "5")]
    assert [bool(row[5]) for row in body["windows"]["v"]["rows"]] == [True, True]
    assert [row[6] for row in body["windows"]["v"]["rows"]] == [4, 0]
    assert (body["total"], shelf.scans) == (1000, 0)
    assert shelf.read <= 4


@pytest.mark.parametrize("valued", [True, False])
async def test_after_a_burst_everything_is_listed_again(valued: bool) -> None:
    shelf, table = Shelf(dict.fromkeys(range(100), 0)), Table(valued=valued)
    await read(table, shelf, v=Window(limit=200))
    shelf.content.clear()
    shelf.put("only", 1)
    table.missed()
    body = await read(table, shelf, v=Window(limit=200))
    assert rows(body) == [("'only'", "1" if valued else None)]
    assert body["total"] == 1


async def test_listing_again_leaves_time_between() -> None:
    shelf, table = Shelf({1: 1}), Table(valued=True)
    await read(table, shelf, v=Window())
    table.heard(Changes(None))
    windows = {"v": Window()}
    await table.read(shelf, windows)  # type: ignore[arg-type]
    assert shelf.scans == 1
    assert 0 < table.pause(windows) < 5


async def test_what_comes_and_goes_while_it_is_listed_is_right_in_the_end() -> None:
    shelf, table = Shelf(dict.fromkeys(range(2000), 0)), Table(valued=True)

    def meanwhile() -> None:
        shelf.put("late", 1)
        shelf.drop(3)
        table.heard(Changes((encoded("late"), encoded(3))))

    shelf.between = meanwhile
    body = await read(table, shelf, v=Window(search="late"))
    assert rows(body) == [("'late'", "1")]
    assert body["total"] == 2000
    assert (await read(table, shelf, v=Window(search="3", limit=1)))["windows"]["v"]["rows"][0][1] == "13"


async def test_values_order_what_is_small_enough() -> None:
    shelf, table = Shelf({"a": 3, "b": "text", "c": 1, "d": 2.5}), Table(valued=True)
    by_value = Window(by="value")
    assert [key for key, _ in rows(await read(table, shelf, v=by_value))] == ["'c'", "'d'", "'a'", "'b'"]
    shelf.put("c", 9)
    table.heard(Changes((encoded("c"),)))
    assert [key for key, _ in rows(await read(table, shelf, v=by_value))] == ["'d'", "'a'", "'c'", "'b'"]
    shelf, table = Shelf({number: -number for number in range(SORTABLE + 1)}), Table(valued=True)
    body = await read(table, shelf, v=by_value)
    assert (body["sortable"], body["windows"]["v"]["by"]) == (False, "key")
    assert shelf.read == by_value.limit


async def test_of_very_many_some_are_listed_and_all_are_counted() -> None:
    shelf, table = Shelf({number: number for number in range(3000)}), Table(valued=False, most=1000)
    body = await read(table, shelf, v=Window())
    assert (body["total"], body["windows"]["v"]["matches"]) == (3000, 1000)


async def test_a_failure_loses_nothing() -> None:
    shelf, table = Shelf({"a": 1}), Table(valued=True)
    await read(table, shelf, v=Window())
    shelf.put("a", 2)
    table.heard(Changes((encoded("a"),)))
    shelf.fails = True
    with pytest.raises(ConnectionError):
        await table.read(shelf, {"v": Window()})  # type: ignore[arg-type]
    shelf.fails = False
    assert rows(await read(table, shelf, v=Window())) == [("'a'", "2")]
