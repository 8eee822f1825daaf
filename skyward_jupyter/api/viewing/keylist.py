"""The keys of a dict, or the members of a set, in order: kept up to date a few at a time, and given a page at a time.

A key is decoded once. Adding or removing a few of many costs a search for their places; what is added while all are
read is put in order when it is looked at.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from skyward_jupyter.api.viewing.short import Order, of_key

#: The most keys that are listed.
MOST = 500_000
#: The largest page.
LARGEST = 100
_FEW = 64

type By = Literal["key", "value"]


@dataclass(frozen=True, slots=True)
class Window:
    """What a view shows of them: `limit` rows from `offset` on, of those with `search` in their text.

    Attributes
    ----------
    number
        By which the view knows it again.
    """

    offset: int = 0
    limit: int = 15
    by: By = "key"
    down: bool = False
    search: str = ""
    number: int = 0

    @staticmethod
    def asked(content: Any) -> Window:
        """A page's wish, whose shape is not certain."""
        offset, limit, number = (
            _number(content.get(name), usual) for name, usual in (("offset", 0), ("limit", 15), ("number", 0))
        )
        by: By = "value" if content.get("by") == "value" else "key"
        search = content.get("search")
        needle = search.casefold().strip()[:200] if isinstance(search, str) else ""
        return Window(max(0, offset), min(max(1, limit), LARGEST), by, content.get("down") is True, needle, number)

    def turned(self, matches: int) -> int:
        """The offset, or that of the last page there is."""
        last = max(0, matches - 1) // self.limit * self.limit
        return min(self.offset, last)


def _number(value: object, usual: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else usual


@dataclass(slots=True, eq=False)
class Row:
    """One key.

    Attributes
    ----------
    number
        Unlike any other row's.
    changed
        When it was last seen to change (seconds since the epoch); 0 when it was not.
    new
        Whether that change was its first.
    """

    number: int
    key: bytes
    text: str
    type: str
    place: tuple[Order, int]
    odd: bool
    changed: float = 0.0
    new: bool = False


class KeyList:
    """All keys that are known.

    Parameters
    ----------
    most
        How many are listed at most; which ones, if there are more, is not defined.

    Attributes
    ----------
    growing
        Whether all keys are being added: some of them then wait until it is worth putting them in order.
    """

    def __init__(self, most: int = MOST) -> None:
        self.growing = False
        self._most = most
        self._numbers = 0
        self._rows: dict[bytes, Row] = {}
        self._picked: dict[str, list[Row]] = {"": []}
        self._pending: list[Row] = []

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: bytes) -> bool:
        return key in self._rows

    @property
    def full(self) -> bool:
        """Whether there may be others, for which there is no room."""
        return len(self._rows) >= self._most

    def row(self, key: bytes) -> Row | None:
        """The row of a key."""
        return self._rows.get(key)

    def add(self, keys: Iterable[bytes], changed: float = 0.0) -> None:
        """There are these; `changed` is when they came, if that was seen."""
        for key in keys:
            if key in self._rows or self.full:
                continue
            self._numbers += 1
            short = of_key(key)
            place = short.order, self._numbers
            row = Row(self._numbers, key, short.text, short.type, place, short.odd, changed, changed > 0)
            self._rows[key] = row
            self._pending.append(row)

    def remove(self, keys: Iterable[bytes]) -> None:
        """These are gone."""
        self.growing = False
        self._settle()
        gone = [row for key in keys if (row := self._rows.pop(key, None)) is not None]
        if len(gone) > _FEW:
            self._picked = {
                needle: [row for row in rows if row.key in self._rows] for needle, rows in self._picked.items()
            }
            return
        for row in gone:
            for rows in self._picked.values():
                at = bisect_left(rows, row.place, key=_place)
                if at < len(rows) and rows[at] is row:
                    del rows[at]

    def missing(self, found: set[bytes]) -> list[bytes]:
        """The keys that are not among those."""
        return [key for key in self._rows if key not in found]

    def picked(self, needle: str) -> Sequence[Row]:
        """The rows with `needle` in their text, in order."""
        self._settle()
        rows = self._picked.get(needle)
        if rows is None:
            # What waits is in none of them.
            rows = self._picked[needle] = [row for row in self._picked[""] if needle in row.text.casefold()]
        return rows

    def keep(self, needles: set[str]) -> None:
        """Forget what is picked for others than those."""
        for needle in self._picked.keys() - needles - {""}:
            del self._picked[needle]

    def page(self, window: Window) -> tuple[int, list[Row]]:
        """How many rows match, and those of a window that is in the order of the keys."""
        rows = self.picked(window.search)
        return len(rows), cut(rows, window)

    def _settle(self) -> None:
        """Put what was added in its places."""
        if self.growing and 2 * len(self._pending) < len(self._rows):
            return
        pending, self._pending = self._pending, []
        for needle, rows in self._picked.items() if pending else ():
            fresh = [row for row in pending if needle in row.text.casefold()] if needle else pending
            if len(fresh) > _FEW:
                rows.extend(fresh)
                rows.sort(key=_place)
            else:
                for row in fresh:
                    insort(rows, row, key=_place)


def cut(rows: Sequence[Row], window: Window) -> list[Row]:
    """The rows of a window, given all in rising order."""
    offset = window.turned(len(rows))
    if not window.down:
        return list(rows[offset : offset + window.limit])
    end = len(rows) - offset
    return list(reversed(rows[max(0, end - window.limit) : end]))


def _place(row: Row) -> tuple[Order, int]:
    return row.place
