"""A screen that remembers, and a clock that a test turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from skyward_jupyter.notebook.grouping import Grouped
from skyward_jupyter.notebook.logbook import LogBook
from skyward_jupyter.notebook.rowpage import plain
from skyward_jupyter.notebook.rows import Places, Row
from skyward_jupyter.wire.events import Display, Output


class Screen:
    def __init__(self, *, raw: bool = True) -> None:
        self.raw = raw
        self.places: Places | None = Places()
        self.log: list[tuple[str, str]] = []
        self.lives: dict[str, str] = {}

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.log)

    def write(self, stream: str, text: str) -> None:
        self.log.append((stream, text))

    def publish(self, ranks: Iterable[int], event: Display, labelled: bool) -> None:
        self.log.append(("display", f"{sorted(ranks)} {dict(event.data)}{' labelled' if labelled else ''}"))

    def row(self, row: Row) -> None:
        self.log.append(("row again" if row.drawn else "row", plain(row.figures)))
        row.drawn = "row"

    def live(self, key: str, text: str) -> None:
        self.lives[key] = text

    def settle(self, key: str, text: str) -> None:
        self.lives[key] = text

    def bundle(self, data: dict[str, object], metadata: dict[str, object]) -> None:
        self.log.append(("bundle", str(data["text/plain"])))

    def clear(self, wait: bool) -> None:
        self.log.append(("clear", str(wait)))

    def crowded(self) -> None:
        self.log.append(("crowded", ""))


class Ticks:
    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def later(self, _seconds: float, function: Callable[[], None]) -> None:
        self.due.append(function)

    def turn(self) -> None:
        due, self.due = self.due, []
        for function in due:
            function()


class Cell:
    """Output of some nodes, on a screen."""

    def __init__(self, nodes: int, how: str = "same", *, raw: bool = True) -> None:
        self.screen = Screen(raw=raw)
        self.ticks = Ticks()
        self.log = LogBook()
        self.output = Grouped(self.screen, range(nodes), how, self.ticks.later, self.log)

    def say(self, node: int, text: str, stream: str = "stdout") -> None:
        self.output.take(Output(node, stream, text))
