"""A collection as plain text and as HTML that needs nothing: what is read where no widget runs, and what stays.

As of a pool (`skyward_jupyter.widgets.static`): complete in itself, in light and dark, every value escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

from skyward_jupyter.widgets.static import aligned, duration, table

_QUIET = "opacity:.7"
_LISTED = 8


@dataclass(frozen=True, slots=True)
class Sketch:
    """A collection at one moment.

    Attributes
    ----------
    about
        Its kind, name and pool.
    content
        What its views are told, with the window of the view that is called ``""``; empty when it could not be read.
    note
        A sentence to add.
    over
        Whether its pool is.
    """

    about: Mapping[str, Any]
    content: Mapping[str, Any]
    note: str = ""
    over: bool = False

    def plain(self) -> str:
        """Render as text."""
        lines = [self._head(), *(f"  {line}" for line in self._lines())]
        if rows := self._rows():
            lines += [f"  {line}" for line in aligned(self._columns(), rows)]
        lines += [f"  {sentence}" for sentence in (self._rest(), self._notes()) if sentence]
        return "\n".join(lines)

    def html(self) -> str:
        """Render as one HTML element."""
        name = f"{escape(self.about['kind'])} <strong>{escape(self.about['name'])}</strong>"
        parts = [f"<div>{name} of pool {escape(self.about['pool'])}{escape(self._state())}</div>"]
        parts += [f"<div>{escape(line)}</div>" for line in self._lines()]
        if rows := self._rows():
            parts.append(table(self._columns(), rows))
        if rest := self._rest():
            parts.append(f"<div>{escape(rest)}</div>")
        parts.append(
            f'<div style="{_QUIET};font-size:85%">{escape(" ".join(filter(None, (self._of(), self._notes()))))}</div>'
        )
        return f'<div style="line-height:1.5;font-variant-numeric:tabular-nums">{"".join(parts)}</div>'

    @property
    def _body(self) -> Mapping[str, Any]:
        body: Mapping[str, Any] = self.content.get("body") or {}
        return body

    def _head(self) -> str:
        return f"{self.about['kind']} {self.about['name']!r} of pool {self.about['pool']!r}{self._state()}"

    def _state(self) -> str:
        body = self._body
        match self.about["kind"] if body else "":
            case "dict":
                return f": {_count(body['total'], 'key')}{'' if body['listed'] else ' or more'}"
            case "set":
                return f": {_count(body['total'], 'member')}{'' if body['listed'] else ' or more'}"
            case "counter":
                return f": {int(body['value']):,}"
            case "queue":
                return f": {_count(body['length'], 'item')}"
            case "barrier":
                return f": {body['came']} of {body['parties']} wait"
            case "lock":
                return ": free" if body["holder"] is None else f": held by {called(body['holder'])}"
        return ""

    def _lines(self) -> list[str]:
        """What is more to say of one that is no table."""
        body = self._body
        match self.about["kind"] if body else "":
            case "queue":
                front = [] if body["front"] is None else [f"next: {body['front'][0]}"]
                return [*front, *_listed("waiting for an item", body["takers"], body["taking"])]
            case "barrier":
                opened = body["generation"]
                lines = [f"opened {_count(opened, 'time')} so far", *_listed("waiting", body["arrived"], body["came"])]
                missing = ", ".join(map(str, body["missing"][:_LISTED]))
                return lines + ([f"nobody came from: node {missing}"] if body["came"] and missing else [])
            case "lock":
                held = max(0.0, self.content.get("read", 0.0) - (body["since"] or 0.0))
                since = [] if body["holder"] is None else [f"for {duration(held)}, with token {body['token']}"]
                return [*since, *_listed("waiting", body["waiters"], body["waiting"])]
        return []

    def _window(self) -> Mapping[str, Any]:
        window: Mapping[str, Any] = self._body.get("windows", {}).get("", {})
        return window

    def _columns(self) -> tuple[str, ...]:
        return ("key", "value") if self.about["kind"] == "dict" else ("member",)

    def _rows(self) -> list[list[str]]:
        rows = self._window().get("rows", [])
        return [[row[1], "–" if row[3] is None else row[3]][: len(self._columns())] for row in rows]

    def _rest(self) -> str:
        rest = self._body.get("total", 0) - len(self._window().get("rows", []))
        return f"… and {rest:,} more" if rest > 0 and self._window() else ""

    def _of(self) -> str:
        read = self.content.get("read") or 0.0
        return f"As of {datetime.fromtimestamp(read, UTC).strftime('%Y-%m-%d %H:%M:%S UTC')}." if read else ""

    def _notes(self) -> str:
        over = f"Pool {self.about['pool']} is over; this is what was seen last." if self.over and self._body else ""
        return " ".join(filter(None, (over, self.content.get("note", ""), self.note)))


def called(person: Sequence[Any]) -> str:
    """Somebody who uses a collection: node, task, label."""
    node, task, label = person
    if node is None:
        return "the notebook"
    what = label or (f"task {task}" if task else "")
    return f"node {node} ({what})" if what else f"node {node}"


def _listed(what: str, people: Sequence[Sequence[Any]], count: int) -> list[str]:
    if not people:
        return []
    more = f" and {count - _LISTED} more" if count > _LISTED else ""
    return [f"{what}: {', '.join(map(called, people[:_LISTED]))}{more}"]


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
