"""Where the output of a cell goes, as far as what groups it needs to know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from skyward_jupyter.notebook.rows import Places, Row
from skyward_jupyter.wire.events import Display


class Screen(Protocol):
    """Where output goes: the cell, or the display of a run in the background.

    Attributes
    ----------
    raw
        Whether text of a single node may go there as it is, carriage returns included.
    places
        Where its displays are that can be updated; None where nothing can change once it is shown.
    """

    raw: bool
    places: Places | None

    def write(self, stream: str, text: str) -> None:
        """Text of a stream."""
        ...

    def publish(self, ranks: Iterable[int], event: Display, labelled: bool) -> None:
        """A MIME bundle that these nodes displayed."""
        ...

    def row(self, row: Row) -> None:
        """Displays side by side, in the place where the row was before."""
        ...

    def live(self, key: str, text: str) -> None:
        """Text in a place of its own, which this replaces."""
        ...

    def settle(self, key: str, text: str) -> None:
        """What such a place has in the end, before what is written from now on."""
        ...

    def bundle(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """A MIME bundle of this side."""
        ...

    def clear(self, wait: bool) -> None:
        """Clear what was written."""
        ...

    def crowded(self) -> None:
        """Some of what was written is not shown."""
        ...
