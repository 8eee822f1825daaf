"""How collections are displayed: as the process that drives their pool has it, and on nodes by their repr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from skyward_jupyter.collections.collection import Collection

type Bundle = dict[str, Any]


class Display(Protocol):
    """Shows collections."""

    def present(self, collection: Collection) -> bool:
        """Display it live, and at the end by what stays readable; False where nothing can be live."""
        ...

    def bundle(self, collection: Collection) -> Bundle:
        """What displays it now, by MIME type."""
        ...


_display: Display | None = None


def enter(display: Display) -> None:
    """Say what shows the collections of this process."""
    global _display
    _display = display


def present(collection: Collection) -> bool:
    """Display a collection live, if that can be."""
    return _display is not None and _display.present(collection)


def bundle(collection: Collection) -> Bundle:
    """What displays a collection."""
    return {"text/plain": repr(collection)} if _display is None else _display.bundle(collection)
