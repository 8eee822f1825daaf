"""A job in its slot: its body is read from a file there and nowhere else, its result is written to one.

So the agent neither unpickles a job nor holds one in memory.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Buffer, Callable
from pathlib import Path
from typing import Any

from skyward_jupyter.agent.beginning import begin, lend
from skyward_jupyter.agent.coroutines import settled
from skyward_jupyter.errors import NoRoom
from skyward_jupyter.wire.blobs import Blob, BlobStore
from skyward_jupyter.wire.codec import dumps, pack, unpack
from skyward_jupyter.wire.envelope import HEADER, Packed
from skyward_jupyter.wire.exceptions import assign

#: The attribute of an error with the results of the items before the one that raised it, and the most bytes of them.
FINISHED = "_skyward_finished"
_CARRIED = 2**20


def run(call: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]], result: str) -> Result:
    """Run a job; its result goes to the file `result`."""
    function, args, kwargs = call
    return Result(settled(function(*args, **kwargs)), result)


class Result:
    """What a job returned. It is pickled when its slot packs what `run` returned, so one that cannot be is named."""

    def __init__(self, value: object, path: str) -> None:
        self._value = value
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        data = dumps(self._value)
        partial = f"{self._path}.{os.getpid()}"
        try:
            Path(partial).write_bytes(data)
            os.rename(partial, self._path)
        except OSError as error:
            Path(partial).unlink(missing_ok=True)
            raise NoRoom(f"there is no room for a result of {len(data) / 2**20:.0f} MB ({error.strerror})") from None
        return bool, ()


class Body:
    """Stands for a job's body: a slot that unpacks it gets ``(function, args, kwargs)``."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return load, (self._path,)


def load(path: str) -> tuple[Any, Any, Any]:
    """The ``(function, args, kwargs)`` of a job's file."""
    with open(path, "rb") as file:
        file.seek(HEADER.size)
        loaded = pickle.load(file)
    if isinstance(loaded, Packed):
        return _unpacked(loaded, BlobStore(Path(path).parent.parent))
    match loaded:
        case (function, tuple() as args, dict() as kwargs) if callable(function):
            return function, args, kwargs
        case _:
            raise TypeError(f"the job holds a {type(loaded).__name__}, not (function, args, kwargs)")


def _unpacked(call: Packed, store: BlobStore) -> tuple[Any, Any, Any]:
    def open_blob(blob: Blob) -> Buffer:
        folder, _, name = blob.name.rpartition("/")  # of an executor on this machine, beside the store
        return (BlobStore(store.directory.parent / folder) if folder else store).open(Blob(name, blob.size))

    if call.initializer:
        return prepared, (call, open_blob), {}
    given: Any = unpack(call.given, open_blob)
    return (unpack(call.function, open_blob), *given)


def prepared(call: Packed, open_blob: Callable[[Blob], Buffer]) -> Any:
    """Run the initializer first: the call may need it to be loaded at all."""

    def load() -> Any:
        return unpack(call.initializer, open_blob)

    lent = begin(call.executor, load)
    given: Any = unpack(call.given, open_blob)
    function: Any = unpack(call.function, open_blob)
    args, kwargs = given
    lend(lent, function, *filter(callable, args))
    return function(*args, **kwargs)


def each(function: Callable[..., Any], items: tuple[tuple[Any, ...], ...]) -> list[Any]:
    """Call `function` on each of several items, as one job."""
    results: list[Any] = []
    for item in items:
        try:
            results.append(settled(function(*item)))
        except Exception as error:
            _lend(results, error)
            raise
    return results


def _lend(results: list[Any], error: Exception) -> None:
    """Have an error bring the results of the items before it, where they can travel and are not large."""
    try:
        if results and len(dumps(results)) <= _CARRIED:
            assign(error, FINISHED, results)
    except Exception:
        return  # they cannot be pickled


def packed_args(body: Path, result: Path) -> bytes:
    """The arguments of `run` as a task carries them."""
    return pack(((Body(str(body)), str(result)), {}), _no_blob)


def packed_run() -> bytes:
    """`run` as a task's code."""
    return pack(run, _no_blob)


def _no_blob(_: memoryview) -> Blob:
    raise AssertionError("two paths are never that large")
