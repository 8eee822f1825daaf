"""What names a collection, how it is kept, and who does something to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from skyward_jupyter.errors import UsageError

type Kind = Literal["dict", "set", "counter", "queue", "barrier", "lock"]
type Consistency = Literal["strong", "eventual"]

KINDS: tuple[Kind, ...] = get_args(Kind.__value__)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,99}")


@dataclass(frozen=True, slots=True)
class Address:
    """One collection of a pool.

    Attributes
    ----------
    parties
        For a barrier: how many wait for each other; 0 for as many as the pool has nodes.
    """

    kind: Kind
    name: str
    consistency: Consistency = "strong"
    parties: int = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}"

    @property
    def settings(self) -> str:
        """Everything but the name, for errors that compare two uses of it."""
        match self.kind:
            case "barrier":
                return f"a barrier of {self.parties or 'as many parties as nodes'}"
            case "lock":
                return "a lock"
            case _:
                article = "an" if self.consistency == "eventual" else "a"
                return f"{article} {self.consistency} {self.kind}"


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who uses a collection.

    Attributes
    ----------
    node
        Rank of the node, or None for the kernel.
    task
        The task that runs there; 0 where that is not known.
    label
        What that task is called, if anything.
    """

    node: int | None
    task: int = 0
    label: str = ""

    def __str__(self) -> str:
        if self.node is None:
            return "the notebook"
        what = f" ({self.label})" if self.label else ""
        return f"node {self.node}{what}"


def checked(kind: Kind, name: object, consistency: object = "strong", parties: object = None) -> Address:
    """The address of a collection, or an error that says what is wrong with it."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a {kind}: use up to 100 letters, digits and any of _ . : / - , the first of them "
            "a letter, a digit or _"
        )
    if consistency not in ("strong", "eventual"):
        raise UsageError(f"consistency is {consistency!r}; it is 'strong' or 'eventual'")
    if parties is not None and (not isinstance(parties, int) or isinstance(parties, bool) or parties < 1):
        raise UsageError(f"parties is {parties!r}; it is a number from 1")
    return Address(kind, name, consistency, parties or 0)
