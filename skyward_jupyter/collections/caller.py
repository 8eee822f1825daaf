"""One who calls collections through an engine: a process, or the kernel; and what is to be undone when it is gone."""

from __future__ import annotations

import asyncio
import builtins
import io
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skyward_jupyter import errors
from skyward_jupyter.collections.address import Address, Who
from skyward_jupyter.errors import CollectionUnavailable, LockMisused
from skyward_jupyter.tasks import promise

if TYPE_CHECKING:
    from skyward_jupyter.collections.engine import Engine


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a collection.

    Attributes
    ----------
    task
        The task that makes it, 0 for none.
    """

    address: Address
    method: str
    args: tuple[Any, ...]
    task: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended."""

    value: Any = None
    error: BaseException | None = None


def read_outcome(data: bytes) -> Outcome:
    """Return the outcome that a node has pickled: plain values and errors of this project, and no code but theirs.

    Values of users are bytes in it. Anything else is an outcome that says so.
    """
    try:
        outcome = _Outcomes(io.BytesIO(data)).load()
        if not isinstance(outcome, Outcome) or not isinstance(outcome.error, BaseException | None):
            raise TypeError(f"it is a {type(outcome).__name__}")
    except Exception as error:
        return Outcome(error=CollectionUnavailable(f"what the node answered cannot be read: {error}"))
    return outcome


def read_call(data: bytes) -> Call:
    """Return the call that a process, or the kernel, has pickled; values of users are bytes in it.

    Raises
    ------
    UnpicklingError
        It is anything else. No code that it names runs.
    """
    call: object = _Calls(io.BytesIO(data)).load()
    if not isinstance(call, Call):
        raise pickle.UnpicklingError(f"a {type(call).__name__} is not a call of a collection")
    return call


class _Calls(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        try:
            return _CALLS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not read here") from None


_CALLS = {(kind.__module__, kind.__qualname__): kind for kind in (Call, Address, Who)}


class _Outcomes(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        if (module, name) == (Outcome.__module__, Outcome.__qualname__):
            return Outcome
        found = getattr(errors, name, None) if module == errors.__name__ else None
        if found is None and module == "builtins":
            found = getattr(builtins, name, None)
            found = found if isinstance(found, type) and issubclass(found, Exception) else None
        if found is None or getattr(found, "__module__", "") not in (errors.__name__, "builtins"):
            raise pickle.UnpicklingError(f"{module}.{name} is not read here")
        return found


class Caller:
    """The calls of one who may be gone at any time.

    What it did not get to hear is undone: an item that it took is put back. And so are the locks it holds.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._calls: dict[int, tuple[Call, asyncio.Task[Any]]] = {}
        self._locks: dict[int, Address] = {}

    async def outcome(self, number: int, call: Call, who: Who | None = None) -> bytes:
        """Make a call, which is called `number`, and give its pickled outcome; asked again, it is not made again."""
        if number not in self._calls:
            work = promise(self._made(call, who or Who(None)))
            self._calls[number] = call, work
        _, work = self._calls[number]
        await asyncio.wait([work])
        if work.cancelled():
            raise asyncio.CancelledError
        error = work.exception()
        return _pickled(Outcome(None if error else work.result(), error))

    def forget(self, number: int, heard: bool) -> None:
        """It has heard the outcome of a call, or will not."""
        call, work = self._calls.pop(number, (None, None))
        if call is None or work is None or heard:
            return
        if not work.done():
            work.cancel()
        elif not work.cancelled() and work.exception() is None:
            self._undo(call, work.result())

    def gone(self) -> None:
        """It has ended."""
        for number in list(self._calls):
            self.forget(number, heard=False)
        for number, address in list(self._locks.items()):
            self._release(number, address)

    async def _made(self, call: Call, who: Who) -> Any:
        if call.method in ("release", "stands") and call.args[0] not in self._locks:
            raise LockMisused(f"{call.address} is not held by who releases it")
        value = await self._engine.call(call.address, call.method, call.args, who)
        match call.method, value:
            case "acquire", (number, _):
                self._locks[number] = call.address
            case "stands", False:
                self._release(call.args[0], call.address)
            case "release", _:
                del self._locks[call.args[0]]
        return value

    def _undo(self, call: Call, value: Any) -> None:
        match call.method, value:
            case "acquire", (int(number), _):
                self._release(number, call.address)
            case "get", bytes() if call.address.kind == "queue":
                self._engine.own(call.address, "put", ((value,),))

    def _release(self, number: int, address: Address) -> None:
        if self._locks.pop(number, None) is not None:
            self._engine.own(address, "release", (number,))


def failed(error: BaseException) -> bytes:
    """Return the pickled outcome of a call that could not even be made."""
    return _pickled(Outcome(error=error))


def _pickled(outcome: Outcome) -> bytes:
    try:
        return pickle.dumps(outcome, 5)
    except Exception:
        error = outcome.error
        return pickle.dumps(Outcome(error=CollectionUnavailable(f"{type(error).__name__}: {error}")), 5)
