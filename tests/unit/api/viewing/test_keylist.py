"""Keys in order: added and removed a few at a time, searched, and given a page at a time."""

from __future__ import annotations

import random

import pytest

from skyward_jupyter.api.viewing.keylist import LARGEST, KeyList, Window
from skyward_jupyter.collections.keys import encoded


def listed(keys: KeyList, window: Window | None = None) -> list[str]:
    return [row.text for row in keys.page(window or Window(limit=1000))[1]]


def filled(count: int) -> KeyList:
    keys = KeyList()
    keys.add(map(encoded, random.Random(1).sample(range(count), count)))
    return keys


def test_what_comes_later_is_in_its_place() -> None:
    keys = filled(50)
    assert listed(keys) == [str(number) for number in range(50)]
    keys.add([encoded(7.5), encoded("a"), encoded(None), encoded(7)])
    assert listed(keys) == ["None", *map(str, range(8)), "7.5", *map(str, range(8, 50)), "'a'"]


@pytest.mark.parametrize("gone", [3, 500])
def test_what_is_removed_is_gone_from_every_search(gone: int) -> None:
    keys = filled(1000)
    assert keys.page(Window(search="99"))[0] == 19
    keys.remove([encoded(number) for number in range(999, 999 - gone, -1)] + [encoded("never there")])
    assert len(keys) == 1000 - gone
    assert listed(keys)[-1] == str(999 - gone)
    assert keys.page(Window(search="99"))[0] == len([n for n in range(1000 - gone) if "99" in str(n)])


def test_a_search_follows_what_is_added() -> None:
    keys = filled(10)
    assert listed(keys, Window(search="'ab")) == []
    keys.add(encoded(f"ab{number}") for number in range(3))
    keys.add(encoded(f"c{number}") for number in range(100))
    assert listed(keys, Window(search="'ab")) == ["'ab0'", "'ab1'", "'ab2'"]


def test_pages_go_down_as_they_go_up() -> None:
    keys = filled(100)
    assert listed(keys, Window(offset=10, limit=3)) == ["10", "11", "12"]
    assert listed(keys, Window(offset=0, limit=3, down=True)) == ["99", "98", "97"]
    assert listed(keys, Window(offset=99, limit=3, down=True)) == ["0"]
    assert listed(keys, Window(offset=5000, limit=30)) == [str(number) for number in range(90, 100)]
    assert listed(KeyList(), Window(offset=5)) == []


def test_while_all_are_added_some_wait_for_their_places() -> None:
    keys = filled(100)
    assert len(listed(keys)) == 100
    keys.growing = True
    keys.add(map(encoded, range(-10, 0)))
    assert listed(keys)[0] == "0"
    keys.add(map(encoded, range(-200, -10)))
    assert listed(keys)[:2] == ["-200", "-199"]
    keys.add([encoded(-300)])
    keys.growing = False
    assert listed(keys)[:2] == ["-300", "-200"]


def test_only_so_many_are_listed() -> None:
    keys = KeyList(most=10)
    keys.add(map(encoded, range(20)))
    assert (len(keys), keys.full) == (10, True)


def test_searches_that_nobody_has_are_forgotten() -> None:
    keys = filled(10)
    keys.page(Window(search="1"))
    keys.keep({"2"})
    keys.add([encoded(11)])
    assert listed(keys, Window(search="1")) == ["1", "11"]


def test_a_page_may_ask_for_anything() -> None:
    assert Window.asked({}) == Window()
    asked = {"offset": -3, "limit": 10**9, "by": [], "down": 1, "search": " Ab ", "number": "x"}
    assert Window.asked(asked) == Window(offset=0, limit=LARGEST, search="ab")
    assert Window.asked({"offset": True, "limit": None, "search": None, "by": "value"}) == Window(by="value")


def test_a_change_among_a_hundred_thousand_looks_at_few() -> None:
    keys = filled(100_000)
    assert listed(keys, Window(offset=50_000, limit=2)) == ["50000", "50001"]
    looked = 0

    class Counted(int):
        def __lt__(self, other: object) -> bool:
            nonlocal looked
            looked += 1
            return int(self) < other  # type: ignore[operator]

    # What is compared is counted: a place is found by halving, not by going through all of them.
    for row in keys.picked(""):
        row.place = (1, Counted(row.place[0][1])), row.place[1]
    keys.remove([encoded(50_000)])
    assert listed(keys, Window(offset=50_000, limit=1)) == ["50001"]
    assert looked < 100
