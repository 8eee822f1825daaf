"""The names users import, and what importing them costs."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import skyward as sky
from skyward_jupyter import errors

PUBLIC = [
    "AuthenticationFailed",
    "BarrierTimeout",
    "SSH",
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
    "NoPool",
    "NoKeyboard",
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


def fresh(code: str) -> list[str]:
    """What `code` prints as JSON, in a Python of its own."""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(ran.stdout)
    return found


def test_the_public_names_are_these() -> None:
    assert sorted(sky.__all__) == sorted(PUBLIC)
    assert sorted(dir(sky)) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(sky, name) is not None


def test_every_error_is_public() -> None:
    raised = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert raised <= set(PUBLIC)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'skyward' has no attribute 'Pool'"):
        sky.Pool  # type: ignore[attr-defined]
    with pytest.raises(ImportError):
        from skyward import nothing_of_this_name  # type: ignore[attr-defined]  # noqa: F401


def test_a_checker_knows_every_name_and_no_other() -> None:
    tree = ast.parse(Path(sky.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    known = {one.asname or one.name: f"{node.module}.{one.name}" for node in imports for one in node.names}
    assert set(known) == set(PUBLIC)
    for name, where in known.items():
        module, _, there = where.rpartition(".")
        found = getattr(importlib.import_module(module), there, None)
        assert getattr(sky, name) is (found if found is not None else importlib.import_module(where)), name


def test_importing_it_costs_next_to_nothing() -> None:
    heavy = "('casty', 'IPython', 'asyncio', 'anywidget', 'ipywidgets', 'cloudpickle', 'numpy', 'psutil')"
    code = f"import skyward, sys, json; print(json.dumps([m for m in sys.modules if m.partition('.')[0] in {heavy}]))"
    assert fresh(code) == []


def test_a_compute_function_needs_no_notebook() -> None:
    code = (
        "import skyward as sky, sys, json\n"
        "sky.compute(lambda: 1)().with_timeout(2)\n"
        "print(json.dumps([m for m in ('IPython', 'ipywidgets', 'anywidget', 'ipykernel') if m in sys.modules]))"
    )
    assert fresh(code) == []
