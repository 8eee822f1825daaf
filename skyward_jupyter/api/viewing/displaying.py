"""Collections in the process that drives their pool are displayed by the widgets, which are loaded with the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyward_jupyter.collections.collection import Bundle
from skyward_jupyter.runtime.bridge import runtime

if TYPE_CHECKING:
    from skyward_jupyter.collections.collection import Collection


class Displaying:
    """Shows collections; see `skyward_jupyter.collections.collection.Display`."""

    def present(self, collection: Collection) -> bool:
        """In a kernel, display it live."""
        if not runtime().in_kernel:
            return False
        from skyward_jupyter.widgets.collection import present

        present(collection)
        return True

    def bundle(self, collection: Collection) -> Bundle:
        """The live widget where there can be one, text and HTML always."""
        from skyward_jupyter.widgets.collection import show

        return show(collection)
