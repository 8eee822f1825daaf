"""When the last tasks of a pool were where, with a picture of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from skyward_jupyter.events import TaskTimes


class Timeline(tuple[TaskTimes, ...]):
    """The times of tasks that have ended, in the order in which they ended; it shows itself as a picture."""

    __slots__ = ()

    def __new__(cls, times: Iterable[TaskTimes] = ()) -> Timeline:
        return super().__new__(cls, times)

    def _repr_svg_(self) -> str:
        from skyward_jupyter.widgets.timeline import picture

        return picture(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def __str__(self) -> str:
        from skyward_jupyter.widgets.timeline import table

        return table(self)
