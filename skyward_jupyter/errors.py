"""Every error the project raises on purpose, in one tree.

::

    SkywardError
    ├── UsageError             an option, name or value that cannot mean anything (also ValueError)
    │   ├── NoPool             there is no such pool, or none at all
    │   ├── UnknownNode        a node number outside the pool
    │   ├── BlockingRefused    a blocking call where blocking would deadlock; names the awaitable form
    │   ├── CollectionMismatch a collection's name used as another kind, or with other settings
    │   ├── KeyRefused         a key that could not be the same key on another node (also TypeError)
    │   ├── ValueTooLarge      a key or value too large for a collection
    │   └── LockMisused        a lock released by who does not hold it, or taken twice by the same (also RuntimeError)
    ├── NoKeyboard             code on a node that asks somebody (also EOFError)
    ├── NoRoom                 shared memory, or the disk, is full
    ├── NotPicklable           a value that cannot travel; names the part at fault (also PicklingError)
    ├── ResultGone             a result that went to a kernel that has ended, or a call that never left it
    ├── PoolError              the pool as a whole
    │   ├── PoolStopped        the pool was stopped, or is stopping (also BrokenExecutor)
    │   ├── ExecutorBroken     an executor runs no more jobs (also BrokenExecutor)
    │   ├── PoolHeld           another kernel drives the pool
    │   ├── NotClustered       the nodes of the pool do not know each other, so they can share nothing
    │   ├── CollectionUnavailable too few nodes answered for a collection; the change may have been made
    │   ├── CollectionLost     nodes were lost together, and something of a collection with them; usable again
    │   └── ProvisioningFailed a machine or its agent could not be started
    │       └── BootstrapFailed a machine could not be made ready for an agent; names the step
    ├── MachineError           a machine that was logged in to; names it
    │   ├── ConnectionFailed   it could not be reached, or it speaks no SSH we know
    │   │   ├── AuthenticationFailed  it does not accept our key
    │   │   └── HostKeyChanged it shows another host key than before
    │   ├── ConnectionLost     the connection broke, or was closed, with something under way on it
    │   ├── CommandFailed      a command there ended badly
    │   └── TransferFailed     a file could not be written or read there (also OSError)
    ├── NodeLost               the node died with the task on it (also BrokenExecutor)
    ├── TaskFailed             the task ended without a result of its own
    │   ├── SlotDied           the process that ran it ended: segfault, os._exit, memory (also BrokenExecutor)
    │   ├── TaskTimeout        it ran longer than allowed (also TimeoutError)
    │   ├── TaskInterrupted    it was interrupted or cancelled from here
    │   ├── ResultNotPicklable it ended well, but what it returned cannot travel (also PicklingError)
    │   ├── NotLoaded          what was sent cannot be loaded where it arrived (also BrokenExecutor)
    │   └── RemoteError        it raised something that cannot travel as itself
    │       └── RemoteExit     a job of an executor ended in SystemExit (also SystemExit)
    ├── BarrierTimeout         not everybody came to a barrier in time (also TimeoutError)
    ├── LockLost               a lock's lease ran out while it was held
    ├── LockTimeout            a lock was not free in time (also TimeoutError)
    └── CellFailed             a ``%%sky`` cell raised on at least one node

A message says what happened, to which node or name, and what to do next. The facts are attributes.
An exception raised by user code on a node is not in this tree: it arrives as its own type. What is also a
`concurrent.futures.BrokenExecutor` is a RuntimeError.
"""

from __future__ import annotations

import concurrent.futures
import pickle
import time
from typing import Any


class SkywardError(Exception):
    """Base of every error of this project."""


class UsageError(SkywardError, ValueError):
    """An option, a name or a value that cannot mean anything; nothing was run."""


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


class CollectionMismatch(UsageError):
    """A collection's name is used as another kind, or with other settings, than it was first."""


class KeyRefused(UsageError, TypeError):
    """A key, or a member of a set, that could not be found again from another node."""


class ValueTooLarge(UsageError):
    """A key or value is too large for a collection; nothing was stored.

    Attributes
    ----------
    what
        Which key or value.
    size, limit
        Its size, and the largest there may be, in bytes as pickled.
    """

    def __init__(self, what: str, size: int, limit: int) -> None:
        self.what = what
        self.size = size
        self.limit = limit
        advice = (
            "use something shorter that stands for it, such as its name or a hash"
            if limit < 2**20
            else "store parts of it under keys of their own, or its place in a file that every node sees"
        )
        super().__init__(f"{what} takes {size:,} bytes pickled, and a collection has room for {limit:,}; {advice}")

    def __reduce__(self) -> tuple[Any, ...]:
        return ValueTooLarge, (self.what, self.size, self.limit)


class LockMisused(UsageError, RuntimeError):
    """A lock was released, or its token read, by who does not hold it, or it was acquired again by its holder."""


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


class NoRoom(SkywardError):
    """A payload does not fit into shared memory, or onto the disk; nothing was sent."""


class ResultGone(SkywardError):
    """Results of a run that a kernel started that has ended are not to be had: it had them, or the calls never ran.

    Attributes
    ----------
    results
        Those that are there, by their place in the call.
    unsent
        The places of the calls that waited in that kernel and never ran: run those again.
    """

    def __init__(self, message: str, results: dict[int, object], unsent: tuple[int, ...] = ()) -> None:
        self.results = results
        self.unsent = unsent
        super().__init__(message)


class PoolError(SkywardError):
    """Something concerns a pool as a whole."""


class PoolStopped(PoolError, concurrent.futures.BrokenExecutor):
    """The pool was stopped, or is stopping."""


class ExecutorBroken(PoolError, concurrent.futures.BrokenExecutor):
    """An executor runs no more jobs: its initializer failed, or no node of its pool could be reached.

    Attributes
    ----------
    executor
        What its nodes know the executor by; empty where that does not matter.
    """

    executor = ""


class PoolHeld(PoolError):
    """Another kernel drives the pool: it has it, or it took it over."""


class NotClustered(PoolError):
    """The nodes of the pool do not know each other; collections, which they would share, need a cluster."""


class CollectionUnavailable(PoolError):
    """Too few nodes answered for a collection, as while nodes are lost or replaced.

    A change that raised it may have been made nevertheless; reading, or making it again where that is safe, tells.
    """


class CollectionLost(PoolError):
    """Nodes were lost together that kept all copies of something, so part of a collection may be gone.

    It is raised once for each loss, on every node and in the notebook, in place of the next operation on the
    collection, which is not made. After that the collection can be used as it is.

    Attributes
    ----------
    kind, name
        Which collection.
    nodes
        The nodes that were lost together.
    left
        How many others were ready: 0 when everything is gone.
    at
        Since when (seconds since the epoch).
    """

    def __init__(self, kind: str, name: str, nodes: tuple[int, ...], left: int, at: float) -> None:
        self.kind = kind
        self.name = name
        self.nodes = nodes
        self.left = left
        self.at = at
        which = f"nodes {', '.join(map(str, nodes))} were" if len(nodes) > 1 else f"node {nodes[0]} was"
        together = " together" if len(nodes) > 1 else ""
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
        what = _KEPT.get(kind, "state")
        gone = f"some of its {what} may be gone" if left else f"all of its {what} are gone"
        super().__init__(
            f"{kind} {name!r} has lost data: {which} lost{together} at {when}, before what they kept had been copied, "
            f"so {gone} since then; this call was not made, check what is there and call again"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return CollectionLost, (self.kind, self.name, self.nodes, self.left, self.at)


#: What a collection keeps, for people.
_KEPT = {"dict": "keys", "set": "members", "counter": "counts", "queue": "items", "lock": "tokens"}


class ProvisioningFailed(PoolError):
    """A machine, or the agent on it, could not be started; what had been made is removed."""


class BootstrapFailed(ProvisioningFailed):
    """A machine could not be made ready for an agent. Trying again goes on where it ended.

    Attributes
    ----------
    machine, step, why
        Which machine, which step of it, and what was wrong.
    command
        What was run there, or what was done.
    last
        The last lines it wrote.
    log
        The file here that has all of them; empty where there are none.
    """

    def __init__(
        self, machine: str, step: str, why: str, command: str = "", last: tuple[str, ...] = (), log: str = ""
    ) -> None:
        self.machine = machine
        self.step = step
        self.why = why
        self.command = command
        self.last = last
        self.log = log
        told = "".join(f"\n    {line}" for line in last)
        ran = f"\n    $ {command}" if command and last else ""
        whole = f"\nAll of it is in {log}" if log else ""
        super().__init__(f"{machine} could not be made ready, at the step {step!r}: {why}{ran}{told}{whole}")

    def __reduce__(self) -> tuple[Any, ...]:
        return BootstrapFailed, (self.machine, self.step, self.why, self.command, self.last, self.log)


class MachineError(SkywardError):
    """Something concerns a machine that was logged in to.

    Attributes
    ----------
    host
        The machine, as the user named it.
    """

    def __init__(self, host: str, message: str) -> None:
        self.host = host
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), str(self), self.__dict__)


def _again(kind: type[MachineError], message: str, facts: dict[str, Any]) -> MachineError:
    """The error that was pickled; its arguments made the message, and are not needed again."""
    made = kind.__new__(kind)
    MachineError.__init__(made, facts["host"], message)
    made.__dict__.update(facts)
    return made


class ConnectionFailed(MachineError):
    """A machine could not be reached, or speaks no SSH that we know."""


class AuthenticationFailed(ConnectionFailed):
    """A machine was reached, and does not accept our key."""


class HostKeyChanged(ConnectionFailed):
    """A machine shows another host key than the one that is known of it.

    Attributes
    ----------
    known, shown
        SHA256 fingerprints: of the key that is known, and of the one it shows.
    """

    def __init__(self, host: str, known: str, shown: str, advice: str) -> None:
        self.known = known
        self.shown = shown
        super().__init__(host, f"{host} shows the host key {shown}, but it is known by {known}: {advice}")


class ConnectionLost(MachineError):
    """The connection to a machine broke, or was closed, with something under way on it."""


class CommandFailed(MachineError):
    """A command on a machine ended badly.

    Attributes
    ----------
    status
        Exit status; of a command that a signal ended, minus its number.
    last
        The last lines that it wrote.
    """

    def __init__(self, host: str, what: str, status: int, last: tuple[str, ...] = ()) -> None:
        self.status = status
        self.last = last
        end = f"ended with status {status}" if status >= 0 else f"was ended by signal {-status}"
        told = "".join(f"\n    {line}" for line in last)
        super().__init__(host, f"on {host}, {what} {end}{':' if told else ''}{told}")


class TransferFailed(MachineError, OSError):
    """A file could not be written on a machine, or read from it; a file that was there is as it was."""


class NodeLost(SkywardError, concurrent.futures.BrokenExecutor):
    """A node died, or was removed, with the task on it.

    Attributes
    ----------
    node, why
        Rank of the node in its pool, and what ended it, as far as that is known.
    tries
        On how many nodes the task was begun, each lost with it.
    """

    def __init__(self, node: int, why: str = "", tries: int = 1, what: str = "") -> None:
        self.node = node
        self.why = why
        self.tries = tries
        detail = f" ({why})" if why else ""
        often = f", the last of {tries} nodes lost with it" if tries > 1 else ""
        super().__init__(
            f"node {node} was lost while {what or 'the task'} ran on it{detail}{often}; the pool starts another in its "
            "place, run the call again if repeating it is safe"
        )


class TaskFailed(SkywardError):
    """A task ended without a result of its own.

    Attributes
    ----------
    node
        Rank of the node it ran on, or None when it never reached one.
    killed
        Whether it did not stop when interrupted, so that its slot was ended.
    """

    killed = False

    def __init__(self, message: str, node: int | None = None) -> None:
        self.node = node
        super().__init__(message)


class SlotDied(TaskFailed, concurrent.futures.BrokenExecutor):
    """The slot process that ran the task ended; another has taken its place.

    Attributes
    ----------
    signal, status
        The signal that ended the process, or its exit status; the other is None.
    """

    def __init__(self, message: str, node: int | None = None, *, signal: int | None = None, status: int | None = None):
        self.signal = signal
        self.status = status
        super().__init__(message, node)


class TaskTimeout(TaskFailed, TimeoutError):
    """The task ran longer than it was allowed to and was stopped."""


class TaskInterrupted(TaskFailed):
    """The task was interrupted or cancelled from here."""


class ResultNotPicklable(TaskFailed, pickle.PicklingError):
    """The task ended well, but what it returned cannot travel."""


class NotLoaded(TaskFailed, concurrent.futures.BrokenExecutor):
    """A call could not be loaded on its node, or what it returned could not be loaded here."""


class RemoteError(TaskFailed):
    """An exception of a node that could not be sent as itself.

    Attributes
    ----------
    type_name
        The name of its type.
    """

    def __init__(self, type_name: str, text: str, node: int | None = None) -> None:
        self.type_name = type_name
        super().__init__(f"{type_name}: {text}" if text else type_name, node)

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteError, (self.type_name, str(self).partition(": ")[2], self.node)


class RemoteExit(RemoteError, SystemExit):
    """A job of an executor ended in SystemExit; left alone, it ends this program as its own SystemExit does.

    Attributes
    ----------
    code
        The status that it was ended with.
    """

    def __init__(self, text: str, node: int | None, code: object) -> None:
        super().__init__("SystemExit", text, node)
        self.code = code  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteExit, (str(self).partition(": ")[2], self.node, self.code)


class BarrierTimeout(SkywardError, TimeoutError):
    """Not everybody came to a barrier in time; those who waited may wait again.

    Attributes
    ----------
    name, seconds
        The barrier, and how long was waited.
    missing
        The nodes nobody of which waited at the barrier.
    arrived, parties
        How many were there, and how many it takes.
    """

    def __init__(self, name: str, seconds: float, missing: tuple[int, ...], arrived: int, parties: int) -> None:
        self.name = name
        self.seconds = seconds
        self.missing = missing
        self.arrived = arrived
        self.parties = parties
        ranks = ", ".join(map(str, missing))
        who = f"; nobody came from node{'s' * (len(missing) > 1)} {ranks}" if missing else ""
        super().__init__(
            f"{arrived} of {parties} parties had come to barrier {name!r} after {seconds:g} s{who}; see what the "
            "others do, or give `parties=` if fewer are to come"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return BarrierTimeout, (self.name, self.seconds, self.missing, self.arrived, self.parties)


class LockTimeout(SkywardError, TimeoutError):
    """``with`` did not have the lock `name` within the `seconds` it was made with; nothing in it has run."""

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        super().__init__(
            f"lock {name!r} was not free within {seconds:g} s; show the lock to see who holds it, or give it more "
            f"time, as in sky.lock({name!r}, timeout=60)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return LockTimeout, (self.name, self.seconds)


class LockLost(SkywardError):
    """The lease of a lock ran out while it was held, so that somebody else may have had it since.

    Attributes
    ----------
    name
        The lock.
    token
        The fencing token it was held with: a later holder has a larger one.
    """

    def __init__(self, name: str, token: int) -> None:
        self.name = name
        self.token = token
        super().__init__(
            f"lock {name!r} was lost while it was held with token {token}: its lease could not be renewed in time; "
            "check what it guards, another holder may have been there"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return LockLost, (self.name, self.token)


class CellFailed(SkywardError):
    """A ``%%sky`` cell raised on at least one node.

    Attributes
    ----------
    errors
        The error of each failed node, by rank, with the frames and their variables there as its traceback.
    nodes
        The ranks of the nodes that failed.
    """

    def __init__(self, message: str, errors: dict[int, BaseException]) -> None:
        self.errors = errors
        self.nodes = tuple(sorted(errors))
        super().__init__(message)
