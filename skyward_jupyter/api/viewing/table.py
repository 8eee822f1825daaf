"""What is shown of a dict or a set: the keys all, the values of those rows only that somebody looks at.

Keys that change are looked up one by one while they are few; after a burst, or when anything may have changed, all
keys are listed again, at most a quarter of the time.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any

from skyward_jupyter.api.viewing.keylist import MOST, KeyList, Row, Window, cut
from skyward_jupyter.api.viewing.short import LAST, Short, of_value
from skyward_jupyter.collections.watch import Changes, Watch

#: The largest dict that can be in the order of its values, all of which are read for it.
SORTABLE = 2000
#: The most values that are kept.
_KEPT = 2 * SORTABLE
#: The most keys that are looked up at a time, and that may wait for it.
_AT_ONCE, _WAITING = 256, 2048
#: Seconds of listing at a time.
_STRETCH = 0.08

type Windows = Mapping[str, Window]
type Body = dict[str, Any]


class Table:
    """A dict or a set as its views see it.

    Parameters
    ----------
    valued
        Whether there are values: it is a dict.
    most
        How many keys are listed at most.
    """

    def __init__(self, *, valued: bool, most: int = MOST) -> None:
        self.valued = valued
        self.keys = KeyList(most)
        self._total = 0
        self._values: dict[bytes, Short] = {}
        self._fresh: set[bytes] = set()
        self._heard: set[bytes] = set()
        self._again = True
        self._not_before = 0.0
        self._listing: _Listing | None = None
        self._listed = False

    def missed(self) -> None:
        """Anything may have changed while nobody looked."""
        self._listing = None
        self.heard(Changes(None))
        self._not_before = 0.0

    def heard(self, changes: Changes) -> None:
        """Something has changed."""
        if changes.keys is None:
            self._again = True
            self._fresh.clear()
            return
        self._heard.update(changes.keys)
        self._fresh.difference_update(changes.keys)
        if self._listing is not None:
            self._listing.touched.update(changes.keys)
        if len(self._heard) > _WAITING:
            self._heard.clear()
            self._again = True

    def pause(self, windows: Windows) -> float:
        """Seconds until there is something to read."""
        if self._heard or self._listing is not None or next(self._unread(windows), None) is not None:
            return 0.0
        return max(0.0, self._not_before - time.monotonic()) if self._again else float("inf")

    async def read(self, watch: Watch, windows: Windows) -> None:
        """Bring some of it up to date; to be called until there is nothing to read."""
        await self._look_up(watch, windows)
        if self._listing is None and self._again and time.monotonic() >= self._not_before:
            self._again = False
            self._listing = _Listing(watch.scan())
            self.keys.growing = not self._listed
        if self._listing is not None:
            await self._list(self._listing)
            self._total = await watch.size() if self.keys.full else len(self.keys)

    def body(self, windows: Windows) -> Body:
        """What is shown."""
        self.keys.keep({window.search for window in windows.values()})
        return {
            "total": max(self._total, len(self.keys)) if self.keys.full else len(self.keys),
            "listed": self._listed,
            "sortable": self.valued and len(self.keys) <= SORTABLE,
            "windows": {view: self._shown(window) for view, window in windows.items()},
        }

    # -- reading ---------------------------------------------------------------------------------------------------

    async def _look_up(self, watch: Watch, windows: Windows) -> None:
        """Read the values that are seen, and whether keys that changed are there."""
        seen = list(self._unread(windows))[: 4 * _AT_ONCE]
        heard = list(self._heard)[:_AT_ONCE]
        wanted = list(dict.fromkeys([*seen, *heard]))
        if not wanted:
            return
        self._heard.difference_update(heard)
        self._fresh.update(seen)
        try:
            found = await watch.values(wanted)
        except BaseException:
            self._heard.update(heard)
            self._fresh.difference_update(seen)
            raise
        now = time.time()
        self._drop([key for key in wanted if key not in found])
        for key in heard:
            if key in found and (row := self.keys.row(key)) is not None:
                row.changed, row.new = now, False
        self.keys.add((key for key in heard if key in found), now)
        self._take(seen, found, now)

    def _drop(self, keys: list[bytes]) -> None:
        if not keys:
            return
        self.keys.remove(keys)
        self._fresh.difference_update(keys)
        for key in keys:
            self._values.pop(key, None)

    def _take(self, seen: Iterable[bytes], found: Mapping[bytes, bytes], now: float) -> None:
        for key in seen:
            former = self._values.pop(key, None)
            if key not in found or not self.valued:
                continue
            self._values[key] = short = of_value(found[key])
            row = self.keys.row(key)
            if row is not None and former is not None and former.text != short.text and now - row.changed > 1:
                row.changed, row.new = now, False
        for key in list(self._values)[: max(0, len(self._values) - _KEPT)]:
            del self._values[key]
            self._fresh.discard(key)

    def _unread(self, windows: Windows) -> Iterator[bytes]:
        """The keys that are seen and whose values are not known."""
        if not self.valued:
            return iter(())
        every = any(self._by_value(window) for window in windows.values())
        rows = self.keys.picked("") if every else (row for window in windows.values() for row in self._rows(window))
        return (row.key for row in rows if row.key not in self._fresh)

    async def _list(self, listing: _Listing) -> None:
        """Go on listing for a while; at the end, what was not found is gone."""
        try:
            over = await listing.go_on(self._add, lambda: self.keys.full)
        except BaseException:
            self._listing, self._again = None, True
            self._not_before = time.monotonic() + 1.0
            raise
        if not over:
            return
        if not self.keys.full:
            self._drop(self.keys.missing(listing.found | listing.touched))
        self._listing, self._listed, self.keys.growing = None, True, False
        self._not_before = time.monotonic() + 0.3 + 3 * listing.spent

    def _add(self, page: tuple[bytes, ...]) -> None:
        self.keys.add(page, time.time() if self._listed else 0.0)

    # -- showing ---------------------------------------------------------------------------------------------------

    def _by_value(self, window: Window) -> bool:
        return self.valued and window.by == "value" and len(self.keys) <= SORTABLE

    def _rows(self, window: Window) -> list[Row]:
        if not self._by_value(window):
            return self.keys.page(window)[1]
        rows = sorted(self.keys.picked(window.search), key=lambda row: (self._value_order(row), row.place))
        return cut(rows, window)

    def _value_order(self, row: Row) -> tuple[Any, ...]:
        value = self._values.get(row.key)
        return LAST if value is None else value.order

    def _shown(self, window: Window) -> Body:
        matches = len(self.keys.picked(window.search))
        return {
            "number": window.number,
            "offset": window.turned(matches),
            "limit": window.limit,
            "by": "value" if self._by_value(window) else "key",
            "down": window.down,
            "search": window.search,
            "matches": matches,
            "rows": [self._line(row) for row in self._rows(window)],
        }

    def _line(self, row: Row) -> list[Any]:
        """Number, key, its type, value, its type, when it changed, and 1: key is odd, 2: value is odd, 4: is new."""
        value = self._values.get(row.key)
        flags = row.odd + 2 * (value is not None and value.odd) + 4 * row.new
        text, kind = (None, "") if value is None else (value.text, value.type)
        return [row.number, row.text, row.type, text, kind, round(row.changed, 2), flags]


class _Listing:
    """All keys, being listed."""

    def __init__(self, pages: AsyncIterator[tuple[bytes, ...]]) -> None:
        self._pages = pages
        self.found: set[bytes] = set()
        self.touched: set[bytes] = set()
        self.spent = 0.0

    async def go_on(self, add: Callable[[tuple[bytes, ...]], None], enough: Callable[[], bool]) -> bool:
        """List for a while; whether that was all."""
        began = time.monotonic()
        try:
            async for page in self._pages:
                self.found.update(page)
                add(page)
                if enough():
                    return True
                if time.monotonic() - began > _STRETCH:
                    return False
            return True
        finally:
            self.spent += time.monotonic() - began
