"""Errors of what was asked for: it cannot mean anything, or cannot be done where it is asked."""

from __future__ import annotations

import pickle
from typing import Any

from skyward_jupyter.errors.base import SkywardError, UsageError


class NoPool(UsageError):
    """There is no pool of that name, or no pool at all."""


class UnknownNode(UsageError):
    """There is no such `node` in the pool, which has `size` of them."""

    def __init__(self, node: int, size: int) -> None:
        self.node = node
        self.size = size
        last = f"0 to {size - 1}" if size > 1 else "only 0"
        super().__init__(f"there is no node {node}: this pool has {size} ({last})")


class BlockingRefused(UsageError):
    """Blocking here would wait for itself; the message names the form to await instead."""


class NotPicklable(SkywardError, TypeError, pickle.PicklingError):
    """A value that cannot travel to a node.

    Attributes
    ----------
    path
        Where the part at fault is, written as Python would reach it (``model.callbacks[2].lock``).
    kind
        The type of that part, as ``module.qualname``.
    reason
        Why that cannot be sent.
    """

    def __init__(self, path: str, kind: str, reason: str, advice: str = "") -> None:
        self.path = path
        self.kind = kind
        self.reason = reason
        advice = advice or "make it on the node instead, or leave it out of what you send"
        super().__init__(f"{path} (a {kind}) cannot be sent to a node: {reason}; {advice}")


class NoKeyboard(SkywardError, EOFError):
    """Code on a node asks for what nobody can type there.

    Attributes
    ----------
    what
        What asks.
    """

    def __init__(self, what: str, instead: str) -> None:
        super().__init__(f"a node has no keyboard, so {what} gets no answer: {instead}")
        self.what = what
        self._instead = instead

    def __reduce__(self) -> Any:
        return type(self), (self.what, self._instead)
