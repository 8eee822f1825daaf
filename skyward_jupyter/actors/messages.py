"""What the actors of the kernel tell each other.

They carry numbers; what a number stands for is in the pool's `Desk`.
"""

from __future__ import annotations

from dataclasses import dataclass

from skyward_jupyter.wire.messages import Event, Feed


@dataclass(frozen=True, slots=True)
class Enqueue:
    """To the task actor: these tasks want any free slot, in this order."""

    tasks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """To the task actor: this task is wanted no more; on a node, it is controlled there."""

    task: int
    action: str


@dataclass(frozen=True, slots=True)
class Returned:
    """To the task actor: a node gave these tasks back before they had begun."""

    rank: int
    tasks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """To the task actor: time to see whether tasks wait behind one that takes long."""


@dataclass(frozen=True, slots=True)
class NodeUp:
    """A node takes tasks, on so many slots; it has `given` already."""

    rank: int
    slots: int
    given: int = 0


@dataclass(frozen=True, slots=True)
class Slots:
    """To the task actor: a node has so many slots now."""

    rank: int
    slots: int


@dataclass(frozen=True, slots=True)
class NodeDown:
    """A node takes no more tasks."""

    rank: int


@dataclass(frozen=True, slots=True)
class Assign:
    """To a node actor: run these pooled tasks."""

    tasks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recall:
    """To a node actor: have the pooled tasks back that have not begun."""


@dataclass(frozen=True, slots=True)
class Direct:
    """To a node actor: run this task, which is for this node alone."""

    task: int


@dataclass(frozen=True, slots=True)
class Act:
    """To a node actor: do something to a task there (see `skyward_jupyter.wire.messages.Control`)."""

    task: int
    action: str
    amount: int = 0
    read: int = 0


@dataclass(frozen=True, slots=True)
class Give:
    """To a node actor: send a piece of a stream to a task there."""

    feed: Feed


@dataclass(frozen=True, slots=True)
class Follow:
    """To a node actor: pull events until this task, started there by a broadcast, has ended."""

    task: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """To a node actor: the last event of a broadcast's part on it, which the head handed over."""

    event: Event


@dataclass(frozen=True, slots=True)
class Phase:
    """To a node actor: what it is at now, as its fleet says, with the process id when known."""

    phase: str
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Meet:
    """To a node actor: the node has joined, and may be asked."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """To a node actor: a line that its start wrote."""

    text: str


@dataclass(frozen=True, slots=True)
class Reach:
    """To a node actor: why its link is broken; that it is mended when `why` is empty."""

    why: str


@dataclass(frozen=True, slots=True)
class Lacks:
    """To a node actor: how many slots it has, and why not all of them; nothing when it has them all again."""

    slots: int
    why: str


@dataclass(frozen=True, slots=True)
class Gone:
    """To a node actor: the node is lost; `final` when another try would end the same way."""

    why: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """To a node actor: a slot's process of a node that was lost before has ended, and what it left may go."""

    pid: int


@dataclass(frozen=True, slots=True)
class Drain:
    """To a node actor: take nothing new, and end the node once what runs is done."""


@dataclass(frozen=True, slots=True)
class Scale:
    """To the pool actor: have so many nodes; `why` is told to those who listen."""

    nodes: int
    why: str = "asked"


@dataclass(frozen=True, slots=True)
class Joined:
    """To the pool actor: a node is ready."""

    rank: int


@dataclass(frozen=True, slots=True)
class Lost:
    """To the pool actor: a node is gone, asked for or not; `final` when another try would end the same way."""

    rank: int
    why: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Introduced:
    """To the pool actor: the nodes know each other; `turn` counts how often they were told."""

    turn: int


@dataclass(frozen=True, slots=True)
class Close:
    """To the pool actor: end everything."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """To the pool and the supplier actor: these nodes run already."""

    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """To the pool actor: another kernel took the pool over."""

    by: str


@dataclass(frozen=True, slots=True)
class Start:
    """To the supplier actor: start nodes."""

    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kill:
    """To the supplier actor: end a node."""

    rank: int


@dataclass(frozen=True, slots=True)
class Dismiss:
    """To the supplier actor: this node is not wanted any more; end it if it lives, and say no more of it."""

    rank: int


@dataclass(frozen=True, slots=True)
class Dead:
    """To the supplier actor: the cluster has given up a member at an address."""

    address: str


@dataclass(frozen=True, slots=True)
class Unheard:
    """To a node actor: the cluster has given up a member at its address, perhaps an earlier one."""


@dataclass(frozen=True, slots=True)
class Heard:
    """To the supplier actor: a report of the fleet."""

    rank: int
    what: str
    pid: int
    text: str
    final: bool = False
    slots: int = 0


@dataclass(frozen=True, slots=True)
class Changed:
    """To the panel actor: something a dashboard shows has changed."""


@dataclass(frozen=True, slots=True)
class Watch:
    """To the panel actor: somebody looks, or nobody does any more."""

    visible: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """To the panel actor: time for the next delta."""
