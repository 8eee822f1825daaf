"""Skyward for notebooks, under the name users import: ``import skyward as sky``, ``%load_ext skyward``.

Names are loaded when they are first used, so importing this costs next to nothing. In a kernel it also sees to it that
the next cell can block without stopping the kernel's event loop.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skyward_jupyter import events
    from skyward_jupyter.agent.context import InstanceInfo, instance_info, is_head
    from skyward_jupyter.api.attach import attach, attach_async
    from skyward_jupyter.api.compute import ComputeFunction, PendingCompute, PendingGroup, compute, gather
    from skyward_jupyter.api.compute import compute as function
    from skyward_jupyter.api.executor import Executor
    from skyward_jupyter.api.future import PoolFuture
    from skyward_jupyter.api.output import silent, stderr, stdout
    from skyward_jupyter.api.pool import ComputePool
    from skyward_jupyter.api.pool import ComputePool as Compute
    from skyward_jupyter.api.registry import pool, pools
    from skyward_jupyter.api.runs import PoolRun
    from skyward_jupyter.api.shard import shard
    from skyward_jupyter.api.spec import Nodes, Worker
    from skyward_jupyter.api.stream import ResultStream
    from skyward_jupyter.collections.shared import shared_barrier as barrier
    from skyward_jupyter.collections.shared import shared_counter as counter
    from skyward_jupyter.collections.shared import shared_dict as dict
    from skyward_jupyter.collections.shared import shared_lock as lock
    from skyward_jupyter.collections.shared import shared_queue as queue
    from skyward_jupyter.collections.shared import shared_set as set
    from skyward_jupyter.errors import (
        AuthenticationFailed,
        BarrierTimeout,
        BlockingRefused,
        BootstrapFailed,
        CellFailed,
        CollectionLost,
        CollectionMismatch,
        CollectionUnavailable,
        CommandFailed,
        ConnectionFailed,
        ConnectionLost,
        ExecutorBroken,
        HostKeyChanged,
        KeyRefused,
        LockLost,
        LockMisused,
        LockTimeout,
        MachineError,
        NodeLost,
        NoKeyboard,
        NoPool,
        NoRoom,
        NotClustered,
        NotLoaded,
        NotPicklable,
        PoolError,
        PoolHeld,
        PoolStopped,
        ProvisioningFailed,
        RemoteError,
        RemoteExit,
        ResultGone,
        ResultNotPicklable,
        SkywardError,
        SlotDied,
        TaskFailed,
        TaskInterrupted,
        TaskTimeout,
        TransferFailed,
        UnknownNode,
        UsageError,
        ValueTooLarge,
    )
    from skyward_jupyter.extension import load_ipython_extension, unload_ipython_extension
    from skyward_jupyter.notebook.held import CellRun, last_run
    from skyward_jupyter.providers.ssh import SSH
    from skyward_jupyter.ssh.image import Image

#: What is called otherwise where it is defined: what would hide a builtin there, and what has two names here.
_RENAMED = {
    "Compute": "ComputePool",
    "function": "compute",
    "barrier": "shared_barrier",
    "counter": "shared_counter",
    "dict": "shared_dict",
    "lock": "shared_lock",
    "queue": "shared_queue",
    "set": "shared_set",
}
_HOMES = {
    "skyward_jupyter.agent.context": ("InstanceInfo", "instance_info", "is_head"),
    "skyward_jupyter.api.attach": ("attach", "attach_async"),
    "skyward_jupyter.api.compute": (
        "ComputeFunction",
        "PendingCompute",
        "PendingGroup",
        "compute",
        "function",
        "gather",
    ),
    "skyward_jupyter.api.executor": ("Executor",),
    "skyward_jupyter.api.future": ("PoolFuture",),
    "skyward_jupyter.api.output": ("silent", "stderr", "stdout"),
    "skyward_jupyter.api.pool": ("Compute", "ComputePool"),
    "skyward_jupyter.api.registry": ("pool", "pools"),
    "skyward_jupyter.api.runs": ("PoolRun",),
    "skyward_jupyter.api.shard": ("shard",),
    "skyward_jupyter.api.spec": ("Nodes", "Worker"),
    "skyward_jupyter.api.stream": ("ResultStream",),
    "skyward_jupyter.collections.shared": ("barrier", "counter", "dict", "lock", "queue", "set"),
    "skyward_jupyter.errors": (
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
        "NoPool",
        "NoKeyboard",
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
    ),
    "skyward_jupyter.notebook.held": ("CellRun", "last_run"),
    "skyward_jupyter.extension": ("load_ipython_extension", "unload_ipython_extension"),
    "skyward_jupyter.providers.ssh": ("SSH",),
    "skyward_jupyter.ssh.image": ("Image",),
}
_MODULES = {"events": "skyward_jupyter.events"}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "SSH",
    "AuthenticationFailed",
    "BarrierTimeout",
    "BlockingRefused",
    "BootstrapFailed",
    "CellFailed",
    "CellRun",
    "CollectionLost",
    "CollectionMismatch",
    "CollectionUnavailable",
    "CommandFailed",
    "Compute",
    "ComputeFunction",
    "ComputePool",
    "ConnectionFailed",
    "ConnectionLost",
    "Executor",
    "ExecutorBroken",
    "HostKeyChanged",
    "Image",
    "InstanceInfo",
    "KeyRefused",
    "LockLost",
    "LockMisused",
    "LockTimeout",
    "MachineError",
    "NoKeyboard",
    "NoPool",
    "NoRoom",
    "NodeLost",
    "Nodes",
    "NotClustered",
    "NotLoaded",
    "NotPicklable",
    "PendingCompute",
    "PendingGroup",
    "PoolError",
    "PoolFuture",
    "PoolHeld",
    "PoolRun",
    "PoolStopped",
    "ProvisioningFailed",
    "RemoteError",
    "RemoteExit",
    "ResultGone",
    "ResultNotPicklable",
    "ResultStream",
    "SkywardError",
    "SlotDied",
    "TaskFailed",
    "TaskInterrupted",
    "TaskTimeout",
    "TransferFailed",
    "UnknownNode",
    "UsageError",
    "ValueTooLarge",
    "Worker",
    "attach",
    "attach_async",
    "barrier",
    "compute",
    "counter",
    "dict",
    "events",
    "function",
    "gather",
    "instance_info",
    "is_head",
    "last_run",
    "load_ipython_extension",
    "lock",
    "pool",
    "pools",
    "queue",
    "set",
    "shard",
    "silent",
    "stderr",
    "stdout",
    "unload_ipython_extension",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    home = _HOME_OF.get(name)
    if home is None:
        return _other(name)
    importlib.import_module("skyward_jupyter.importing")  # before what takes long, which a fork is to wait for
    value = getattr(importlib.import_module(home), _RENAMED.get(name, name))
    globals()[name] = value
    return value


def _other(name: str) -> str:
    """What is no public name: the version, or an error that says what is meant."""
    if name == "__version__":
        from importlib.metadata import version

        return version("skyward-jupyter")
    text = f"module 'skyward' has no attribute {name!r}"
    if not name.startswith("_"):
        from skyward_jupyter.api.elsewhere import of_module

        text += of_module(name, __all__)
    raise AttributeError(text, name=name)


def __dir__() -> list[str]:
    return __all__


if "ipykernel" in sys.modules:
    from skyward_jupyter.runtime.cells import suspend_cells as _suspend_cells

    _suspend_cells()
