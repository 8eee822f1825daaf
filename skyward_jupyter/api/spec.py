"""How the nodes of a pool are to be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from skyward_jupyter.errors import UsageError
from skyward_jupyter.hints import suggesting
from skyward_jupyter.providers.terms import LARGEST, Terms

#: The most slots of one node.
MOST_SLOTS = 250


def slots_of(worker: Worker) -> Literal["process", "thread"]:
    """What the slots of a worker are."""
    return "thread" if worker.executor == "thread" else "process"


def is_count(value: object) -> bool:
    """Whether `value` is a whole number of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@suggesting
@dataclass(frozen=True, slots=True)
class Worker:
    """How a node runs tasks.

    Attributes
    ----------
    concurrency
        Tasks at a time on one node, 1 to 250.
    executor
        ``"process"`` gives each its own process: one can crash without harm to the others, and they use as many cores.
        ``"thread"`` runs them as threads of one process, which share memory and imports; a crash ends all of them.
        ``"auto"`` is ``"process"``.
    """

    concurrency: int = 1
    executor: Literal["process", "thread", "auto"] = "process"

    def __post_init__(self) -> None:
        if not is_count(self.concurrency) or self.concurrency > MOST_SLOTS:
            raise UsageError(f"concurrency is {self.concurrency!r}; a node runs 1 to {MOST_SLOTS} tasks at a time")
        if self.executor not in ("process", "thread", "auto"):
            raise UsageError(f"executor is {self.executor!r}; choose 'process' or 'thread'")


@suggesting
@dataclass(frozen=True, slots=True, init=False)
class Nodes:
    """How many nodes a pool has: always as many, or between two numbers.

    ``Nodes(4)`` is four. ``Nodes(min=2, max=16)``, or ``nodes=(2, 16)``, starts with two, has more while calls wait in
    the queue for longer than more nodes would take to start, and fewer again once nodes are idle. With ``min=0`` the
    pool starts with none, and the first call brings the first one.

    `elastic` says whether the number may change by itself.

    Parameters
    ----------
    desired
        How many to start with; `min` when not given.
    min, max
        The bounds; `desired` when not given, and 1 for `min` of a pool that may have more.
    idle_after
        Seconds after which a node that does nothing goes, the highest number first. One on which a ``%%sky`` cell has
        run stays, for what the cell left there: by hand, ``scale`` takes it away.
    """

    desired: int
    min: int
    max: int
    idle_after: float

    def __init__(
        self,
        desired: int | None = None,
        min: int | None = None,
        max: int | None = None,
        idle_after: float = 60.0,
    ) -> None:
        if desired is None and max is None:
            raise UsageError(
                "Nodes() says nothing: give how many, as in Nodes(4), or bounds, as in Nodes(min=2, max=16)"
            )
        for name, value in (("desired", desired), ("min", min), ("max", max)):
            if value is not None and not is_size(value):
                raise UsageError(f"{name} is {value!r}; a pool on this machine has 0 to {LARGEST} nodes")
        most = max if max is not None else desired
        assert most is not None
        least = min if min is not None else most if max is None else 1 if desired is None or desired > 1 else desired
        first = desired if desired is not None else least
        if not least <= first <= most:
            raise UsageError(f"{least} <= {first} <= {most} does not hold; min, desired and max are in this order")
        if most < 1:
            raise UsageError("max is 0; a pool that may have no node at all runs nothing")
        if not _is_duration(idle_after):
            raise UsageError(f"idle_after is {idle_after!r}; give a positive number of seconds")
        for field, set_to in (("desired", first), ("min", least), ("max", most), ("idle_after", float(idle_after))):
            object.__setattr__(self, field, set_to)

    @property
    def elastic(self) -> bool:
        """Whether the number may change by itself."""
        return self.min < self.max

    def __str__(self) -> str:
        return f"{self.min} to {self.max}" if self.elastic else str(self.desired)


def nodes_of(value: object) -> Nodes:
    """What ``nodes=`` means: a number, two of them, or `Nodes`."""
    match value:
        case Nodes():
            return value
        case (int() as least, int() as most):
            return Nodes(min=least, max=most)
        case int() if is_count(value) and value <= LARGEST:
            return Nodes(value)
    raise UsageError(
        f"nodes is {value!r}; a pool on this machine has 1 to {LARGEST}, or a range of that, as in (2, 16)"
    )


def terms_of(
    nodes: Nodes,
    *,
    retries: int,
    max_retries: int,
    patience: float,
    panel: str,
    preload: bool | tuple[str, ...] = True,
) -> Terms:
    """What a pool's record keeps of how it was made."""
    range_ = (nodes.desired, nodes.min, nodes.max, nodes.idle_after) if nodes.elastic else (0, 0, 0, 0.0)
    return Terms(*range_, retries=retries, max_retries=max_retries, patience=patience, panel=panel, preload=preload)


def nodes_again(terms: Terms, size: int) -> Nodes:
    """What `Nodes` a recorded pool was made with; one of a fixed size has as many as it had last."""
    if not terms.largest:
        return Nodes(max(size, 1))
    return Nodes(terms.first, terms.smallest, terms.largest, terms.idle_after)


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def is_size(value: object) -> bool:
    """Whether `value` is a number of nodes, or none."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST
