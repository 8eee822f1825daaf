"""Losses that collections have to tell of: nodes that went together, and with them the last copies of something.

Each engine tells of a loss once for each collection, in place of the next operation on it. Which keys are gone is not
known: those that tell are the collections that were in use before.
"""

from __future__ import annotations

from skyward_jupyter.collections.address import Address
from skyward_jupyter.errors import CollectionLost
from skyward_jupyter.wire.messages import Loss


class Losses:
    """The losses that one engine has not told of."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._pending: dict[str, Loss] = {}

    def know(self, name: str) -> None:
        """A collection is in use."""
        self._known.add(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The collections that are in use."""
        return tuple(sorted(self._known))

    def add(self, loss: Loss) -> None:
        """Tell of a loss at the next operation on each collection that the kernel, or this engine, knows."""
        self._pending.update(dict.fromkeys((*loss.names, *self._known), loss))

    def tell(self, address: Address) -> None:
        """Raise `CollectionLost` if something of a collection may be gone, once."""
        if not self._pending or address.kind == "barrier":
            return
        loss = self._pending.pop(address.name, None)
        if loss is not None:
            raise CollectionLost(address.kind, address.name, loss.nodes, loss.left, loss.at)
