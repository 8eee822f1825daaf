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

A module here has those of one kind; all are had from this one.
"""

from __future__ import annotations

from skyward_jupyter.errors.base import (
    SkywardError,
    UsageError,
)
from skyward_jupyter.errors.collections import (
    BarrierTimeout,
    CollectionLost,
    CollectionMismatch,
    CollectionUnavailable,
    KeyRefused,
    LockLost,
    LockMisused,
    LockTimeout,
    ValueTooLarge,
)
from skyward_jupyter.errors.machines import (
    AuthenticationFailed,
    CommandFailed,
    ConnectionFailed,
    ConnectionLost,
    HostKeyChanged,
    MachineError,
    TransferFailed,
)
from skyward_jupyter.errors.pools import (
    BootstrapFailed,
    ExecutorBroken,
    NodeLost,
    NoRoom,
    NotClustered,
    PoolError,
    PoolHeld,
    PoolStopped,
    ProvisioningFailed,
)
from skyward_jupyter.errors.tasks import (
    CellFailed,
    NotLoaded,
    RemoteError,
    RemoteExit,
    ResultGone,
    ResultNotPicklable,
    SlotDied,
    TaskFailed,
    TaskInterrupted,
    TaskTimeout,
)
from skyward_jupyter.errors.usage import (
    BlockingRefused,
    NoKeyboard,
    NoPool,
    NotPicklable,
    UnknownNode,
)

__all__ = [
    "AuthenticationFailed",
    "BarrierTimeout",
    "BlockingRefused",
    "BootstrapFailed",
    "CellFailed",
    "CollectionLost",
    "CollectionMismatch",
    "CollectionUnavailable",
    "CommandFailed",
    "ConnectionFailed",
    "ConnectionLost",
    "ExecutorBroken",
    "HostKeyChanged",
    "KeyRefused",
    "LockLost",
    "LockMisused",
    "LockTimeout",
    "MachineError",
    "NoKeyboard",
    "NoPool",
    "NoRoom",
    "NodeLost",
    "NotClustered",
    "NotLoaded",
    "NotPicklable",
    "PoolError",
    "PoolHeld",
    "PoolStopped",
    "ProvisioningFailed",
    "RemoteError",
    "RemoteExit",
    "ResultGone",
    "ResultNotPicklable",
    "SkywardError",
    "SlotDied",
    "TaskFailed",
    "TaskInterrupted",
    "TaskTimeout",
    "TransferFailed",
    "UnknownNode",
    "UsageError",
    "ValueTooLarge",
]

# Wherever one is shown or named, it is called what it is imported as.
for _kind in [globals()[_name] for _name in __all__]:
    _kind.__module__ = __name__
del _kind
