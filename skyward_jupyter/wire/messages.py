"""The messages between the kernel, or an agent, and the actors of an agent.

One standing question drives everything that flows to the kernel: `Exchange` hands a node new tasks and controls,
acknowledges events up to a number, and is answered with the next ones. A node numbers the events of one client from 1
on and keeps each until it is acknowledged, so an exchange that got lost is simply asked again.
"""

from __future__ import annotations

from dataclasses import dataclass

from casty import Askable

from skyward_jupyter.agent.accelerators import GpuLoad
from skyward_jupyter.wire.blobs import Blob
from skyward_jupyter.wire.project import Unit


@dataclass(frozen=True, slots=True)
class Code:
    """A pickled function under its digest: sent to a node once."""

    digest: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Task:
    """One execution on one node.

    Attributes
    ----------
    id
        Given by the client, unique to it. A node that has seen it does not run it again.
    code
        Digest of the function.
    args
        The packed ``(args, kwargs)``.
    session
        Whether it runs in the node's session instead of a slot.
    timeout
        Seconds it may run; 0 for no limit.
    credit
        For a generator: how many yields may be unread. 0 for a plain call.
    flags
        Which output is kept, ``"stdout"`` and ``"stderr"`` separated by a comma.
    streams
        How many of its arguments are streams, which come by `Feed`.
    run, parts, label
        The call it belongs to: the id of that call's first task, how many tasks it has (their ids follow each other),
        and what to call it.
    owner, most
        Whose task it is, and how many of theirs one slot process runs; 0 for any number.
    """

    id: int
    code: str
    args: bytes
    session: bool = False
    timeout: float = 0.0
    credit: int = 0
    flags: str = ""
    streams: int = 0
    run: int = 0
    parts: int = 1
    label: str = ""
    owner: str = ""
    most: int = 0


@dataclass(frozen=True, slots=True)
class Control:
    """Something to do to a task: ``interrupt``, ``kill``, ``renew`` its session, ``close`` its stream, ``credit``
    (`amount` yields in all, of which `read` were read).

    ``return`` gives it back if it has not begun.
    """

    task: int
    action: str
    amount: int = 0
    read: int = 0


@dataclass(frozen=True, slots=True)
class Feed:
    """The next items of an input stream of a task.

    Attributes
    ----------
    task, stream
        Which stream of which task, from 0 on.
    number
        From 0 on: one that comes twice is taken once, one that comes early waits.
    body
        See `skyward_jupyter.wire.feeds`.
    last
        Whether nothing follows.
    error
        With `last`: the pickled exception that ended it, or nothing.
    full
        Whether with it all has been sent that was wanted: a reader that waits now should want more at a time.
    """

    task: int
    stream: int
    number: int
    body: bytes
    last: bool = False
    error: bytes = b""
    full: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One numbered event of a task; `kind` is a `skyward_jupyter.wire.events.Kind`, `body` its packed content.

    `seconds` is how long the task ran, on its last event. `overdue` is its timeout where it ended only because of that,
    or after: of a cell, whose value says what it left in its session. `full` says of yields that with them all has been
    yielded that was wanted: a reader that waits now should want more at a time.
    """

    seq: int
    task: int
    kind: int
    body: bytes
    seconds: float = 0.0
    overdue: float = 0.0
    full: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of a client, in order.

    `taken` names the kernel that took the pool over, and nothing was done.
    """

    events: tuple[Event, ...]
    taken: str = ""


@dataclass(frozen=True)
class Exchange(Askable[Batch]):
    """Take `tasks`, `codes`, `controls` and `feeds`; forget events up to `after`; answer with later ones.

    Without any, the answer is held for up to `hold` seconds, or until the next exchange of the same client. One that
    is to `listen` is held beside that, for what threads and children of tasks write that have ended. `epoch` counts how
    often another kernel took the pool over, as far as this one knows. `project` is the user's project as the tasks are
    to have it, where the node may have another: see `skyward_jupyter.wire.project`.
    """

    client: str
    after: int
    tasks: tuple[Task, ...] = ()
    codes: tuple[Code, ...] = ()
    controls: tuple[Control, ...] = ()
    hold: float = 20.0
    feeds: tuple[Feed, ...] = ()
    epoch: int = 0
    project: Code | None = None
    listen: bool = False


@dataclass(frozen=True)
class TakeProject(Askable[bool]):
    """Know the user's project as the kernel has it now, before tasks come that need it."""

    project: Code


@dataclass(frozen=True)
class AwaitNeeds(Askable[tuple[str, ...]]):
    """Ask which modules of the user's project a node needs; without any, the answer is held for `hold` seconds."""

    hold: float = 20.0


@dataclass(frozen=True)
class LackingContents(Askable[tuple[str, ...]]):
    """Ask which of these contents, by digest, a node's machine does not have."""

    digests: tuple[str, ...]


@dataclass(frozen=True)
class GiveUnit(Askable[str]):
    """The files of a module that a node needs; the answer says why they were not kept, or nothing.

    Attributes
    ----------
    unit
        None when there is no such module, or when it does not travel; `why` says so.
    contents
        A blob with those that the machine lacked: compressed, a pickled mapping by digest.
    """

    name: str
    unit: Unit | None = None
    contents: Blob | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A task of a client on a node: one that waits, runs, or has ended and whose end was not acknowledged.

    Attributes
    ----------
    task, run, parts, label, session
        As of `Task`.
    streams
        Whether it yields its results.
    state
        ``waiting``, ``running`` or ``ended``.
    age
        For how many seconds the node has had it: clocks of machines are not compared.
    had
        How many of its yields the client has acknowledged.
    """

    task: int
    run: int
    parts: int
    label: str
    session: bool
    streams: bool
    state: str
    age: float
    had: int = 0


@dataclass(frozen=True, slots=True)
class Owned:
    """What a node says to who drives its pool now.

    Attributes
    ----------
    taken
        Who has it instead; empty when it is the one that asked.
    before, was_alive
        Who had it before, and whether that one is alive.
    tasks
        Those of the client that are not over for it.
    after
        The last event that the client acknowledged.
    session
        Whether the node has a session.
    handed
        The numbers of all tasks that the client ever sent here, as ranges: the first and the last of each.
    ended
        How many of them are done, have failed, and were cancelled.
    """

    taken: str = ""
    before: str = ""
    was_alive: bool = False
    tasks: tuple[Known, ...] = ()
    after: int = 0
    session: bool = False
    handed: tuple[tuple[int, int], ...] = ()
    ended: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True)
class Loss:
    """Nodes that were lost together, before what they kept of collections had its copies again.

    Attributes
    ----------
    at
        When the last of them was lost (seconds since the epoch).
    nodes, left
        Which, and how many others were ready.
    names
        The collections that the kernel knew of.
    """

    at: float
    nodes: tuple[int, ...]
    left: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bereave:
    """Tell of a loss at the next operation on each collection."""

    loss: Loss


@dataclass(frozen=True)
class Own(Askable[Owned]):
    """This process drives the pool: watch its life from now on.

    Refused to one that comes with an earlier epoch than the present owner's. `loss` is one that is not made good yet.
    """

    client: str
    epoch: int
    pid: int
    since: float
    name: str
    loss: Loss | None = None


@dataclass(frozen=True)
class Hears(Askable[bool]):
    """Ask a node whether it hears from the one at `address`, or at least has not given it up."""

    address: str


@dataclass(frozen=True)
class Rests(Askable[bool]):
    """Ask a node whether everything that collections keep on it has all its copies, as far as it knows.

    Attributes
    ----------
    lives
        Members of the cluster of the data nodes, by their incarnations, that it has to know of for that.
    """

    lives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Life(Askable[str]):
    """Ask a data node which member of their cluster it is, by its incarnation."""


@dataclass(frozen=True)
class Keeps(Askable[bool]):
    """Ask a node whether it keeps anything of collections."""


@dataclass(frozen=True)
class Renew:
    """The kernel that drives the pool in this epoch, on another machine, is alive."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Part:
    """The last event of one node's part of a broadcast; `lost` says why there is none."""

    rank: int
    event: Event | None
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One node of a broadcast: where it is, the id and flags of its own task, and the events it may forget."""

    rank: int
    address: str
    task: int
    flags: str
    after: int


@dataclass(frozen=True)
class Relay(Askable[Part]):
    """One node's part of a broadcast, asked by the head; `task` has neither the id nor the flags of `target` yet."""

    client: str
    target: Target
    task: Task
    code: Code
    epoch: int = 0


@dataclass(frozen=True)
class Broadcast(Askable[tuple[Part, ...]]):
    """Run `task` on every node of `targets` and answer with the last event of each.

    Whatever a node printed meanwhile is pulled from that node; the last event is also in its own numbering, so a lost
    answer loses nothing.
    """

    client: str
    task: Task
    code: Code
    targets: tuple[Target, ...]
    epoch: int = 0


@dataclass(frozen=True)
class PutPiece(Askable[str]):
    """A piece of a blob; `targets` are nodes to hand it on to. The answer says why it was not kept, or nothing."""

    name: str
    offset: int
    size: int
    data: bytes
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class FetchPiece(Askable[bytes]):
    """At most `length` bytes of a blob from `offset` on; none when it is gone."""

    name: str
    offset: int
    length: int


@dataclass(frozen=True)
class HasBlobs(Askable[tuple[str, ...]]):
    """Which of these blobs the node lacks."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class DropBlob:
    """Forget a blob that was a result."""

    name: str


@dataclass(frozen=True, slots=True)
class Load:
    """What a node measures of itself: CPU in percent of one core, memory in MiB, its tasks, and its GPUs.

    `jobs` and `jobs_ended` are those of its tasks that came over HTTP: how many run, and how many are done, have failed
    and were cancelled. `tasks` has the numbers of the tasks that run, and for how many seconds each has.
    """

    cpu: float
    memory: float
    running: int
    done: int
    busy: int
    gpus: tuple[GpuLoad, ...] = ()
    jobs: int = 0
    jobs_ended: tuple[int, int, int] = (0, 0, 0)
    tasks: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Measure(Askable[Load]):
    """Ask a node for its `Load` since the last time it was asked, with its GPUs and tasks for who looks at them.

    Only the tasks of this client are told of.
    """

    gpus: bool = False
    tasks_of: str = ""


@dataclass(frozen=True)
class Consult(Askable[bytes]):
    """Ask the node's session a question of `skyward_jupyter.agent.questions`; answered with nothing when it is busy."""

    question: bytes


@dataclass(frozen=True)
class RenewSession(Askable[bool]):
    """End the node's session, whatever runs in it, and have another; answered once that is there, or cannot be."""
