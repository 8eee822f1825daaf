"""Calls as values: `@compute`, what calling such a function gives, and the operators that send it to a pool."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from skyward_jupyter.actors.dispatch import Call
from skyward_jupyter.actors.pulling import Source
from skyward_jupyter.api.inputs import placed, refuse_shared, sources_of, streamed
from skyward_jupyter.api.output import keeper
from skyward_jupyter.api.progress import checked_progress
from skyward_jupyter.api.slips import NotCalled, NotRun, no_call
from skyward_jupyter.errors import UsageError
from skyward_jupyter.hints import near, suggests
from skyward_jupyter.wire.called import called
from skyward_jupyter.wire.stays import Stays

if TYPE_CHECKING:
    from skyward_jupyter.api.future import PoolFuture
    from skyward_jupyter.api.pool import ComputePool

P = ParamSpec("P")
R = TypeVar("R", covariant=True)

type Target = ComputePool | ModuleType


def pool_of(target: Target) -> ComputePool:
    """The pool that an operator's right-hand side means: itself, or for the module ``sky`` the active one."""
    from skyward_jupyter.api.pool import ComputePool
    from skyward_jupyter.api.registry import pool

    if isinstance(target, ComputePool):
        return target
    if getattr(target, "__name__", "") in ("skyward", "skyward_jupyter"):
        return pool()
    raise UsageError(f"{target!r} is no pool; write `call >> pool`, or `call >> sky` for the active pool")


@dataclass(frozen=True, slots=True, eq=False)
class PendingCompute[R](NotRun):
    """A call that has not run.

    Send it with ``>> pool`` (any node), ``@ pool`` (every node) or ``> pool`` (a future).
    """

    _function: Callable[..., R]
    _args: tuple[Any, ...]
    _kwargs: dict[str, Any]
    _timeout: float = 0.0
    #: Whether it yields its results one by one.
    _streams: bool = False
    #: How often it may be repeated when its node is lost; None for as often as the pool says.
    _retries: int | None = None
    #: Its arguments that are streams.
    _sources: tuple[Source, ...] = ()
    #: Whether, on every node, the first error interrupts it on the others.
    _fail_fast: bool = False
    #: Whether an error is given in place of a result, and not raised.
    _return_exceptions: bool = False

    def with_timeout(self, seconds: float) -> PendingCompute[R]:
        """The same call, stopped with `TaskTimeout` when it runs longer than `seconds` on a node."""
        return replace(self, _timeout=_checked_timeout(seconds))

    def with_retries(self, retries: int) -> PendingCompute[R]:
        """The same call, run again on another node up to `retries` times when its node is lost."""
        return replace(self, _retries=checked_retries(retries))

    def with_fail_fast(self) -> PendingCompute[R]:
        """The same call; sent to every node with ``@``, the first error interrupts it on the others and is raised."""
        return replace(self, _fail_fast=True)

    def with_return_exceptions(self) -> PendingCompute[R | Exception]:
        """The same call; what it raises is given in place of a result, on every node with ``@``."""
        return replace(self, _return_exceptions=True)  # type: ignore[return-value]

    def _call(self) -> Call:
        """It, as the pool takes it."""
        keep = keeper(self._function)
        how = self._timeout, keep, self._streams, self._retries
        if not self._sources:
            return Call(self._function, self._args, self._kwargs, *how)
        args, kwargs = placed(inspect.signature(self._function), self._args, self._kwargs, self._sources)
        return Call(self._function, args, kwargs, *how, self._sources)

    def __rshift__(self, target: Target) -> R:
        __tracebackhide__ = True
        result: R = pool_of(target)._inner.sending.run_blocking(self)
        return result

    def __matmul__(self, target: Target) -> list[R]:
        __tracebackhide__ = True
        return pool_of(target)._inner.sending.broadcast_blocking(self)

    def __gt__(self, target: Target) -> PoolFuture[R]:
        return pool_of(target).submit(self)

    def __and__[S](self, other: PendingCompute[S] | PendingGroup) -> PendingGroup:
        return PendingGroup((self, *_calls_of(other)), _form=tuple)

    def __reduce__(self) -> Any:
        raise Stays(self, "it is a call that has not run", f"run it first: result = {self._text()} >> pool")

    def __bool__(self) -> bool:
        raise UsageError("a call that has not run has no truth value; run it first, with `call >> pool`")

    def _text(self) -> str:
        """It, in one short line."""
        return called(self._function, self._args, self._kwargs)

    def __repr__(self) -> str:
        return f"<{self._text()}, not run yet; send it with `>> pool`>"


@dataclass(frozen=True, slots=True, eq=False)
class PendingGroup(NotRun):
    """Several calls that run side by side; made by ``&`` (gives a tuple) or `gather` (gives a list).

    Those of generator functions are refused: they stream, each by itself.
    """

    _calls: tuple[PendingCompute[Any], ...]
    _form: Callable[[list[Any]], Any] = list
    _stream: bool = False
    _ordered: bool = True
    _fail_fast: bool = False
    _return_exceptions: bool = False
    #: Whether a bar says how far they are; None for one when it takes long.
    _progress: bool | None = None

    def __post_init__(self) -> None:
        for call in self._calls:
            if call._streams:
                name = getattr(call._function, "__name__", "a call")
                raise UsageError(
                    f"{name} yields its results one by one, and calls side by side give one each: read it alone, with "
                    f"`for x in {name}(...) >> pool`, or send a function that returns list({name}(...))"
                )
        refuse_shared(source for call in self._calls for source in call._sources)

    def __and__(self, other: PendingCompute[Any] | PendingGroup) -> PendingGroup:
        return replace(self, _calls=self._calls + _calls_of(other))

    def with_timeout(self, seconds: float) -> PendingGroup:
        """The same calls, each with this timeout."""
        return replace(self, _calls=tuple(call.with_timeout(seconds) for call in self._calls))

    def with_retries(self, retries: int) -> PendingGroup:
        """The same calls, each with these retries."""
        return replace(self, _calls=tuple(call.with_retries(retries) for call in self._calls))

    def with_fail_fast(self) -> PendingGroup:
        """The same calls; in a stream, the first error ends it when it comes, and not in its turn."""
        return replace(self, _fail_fast=True)

    def with_return_exceptions(self) -> PendingGroup:
        """The same calls, each to its end; what one raises is given in place of its result."""
        return replace(self, _return_exceptions=True)

    def __rshift__(self, target: Target) -> Any:
        __tracebackhide__ = True
        return pool_of(target)._inner.sending.run_blocking(self)

    def __gt__(self, target: Target) -> PoolFuture[Any]:
        return pool_of(target).submit(self)

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[PendingCompute[Any]]:
        return iter(self._calls)

    def __reduce__(self) -> Any:
        raise Stays(self, "these are calls that have not run", "run them first: results = sky.gather(*calls) >> pool")

    def _text(self) -> str:
        return "sky.gather(*calls)" if self._form is list else "(a() & b())"

    def __repr__(self) -> str:
        return f"<{len(self._calls)} calls, not run yet; send them with `>> pool`>"


def _calls_of(value: object) -> tuple[PendingCompute[Any], ...]:
    match value:
        case PendingCompute():
            return (value,)
        case PendingGroup():
            return value._calls
        case _:
            raise UsageError(f"& joins calls that have not run, as in (a() & b()) >> pool: {no_call(value, '&')}")


def _checked_timeout(seconds: object) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise UsageError(f"a timeout of {seconds!r} s cannot be kept; give a positive number of seconds")
    return float(seconds)


def checked_retries(retries: object) -> int:
    """`retries`, if it can be kept."""
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise UsageError(f"retries is {retries!r}; say how often a call may be repeated, 0 for never")
    return retries


@suggests()
def gather(
    *calls: PendingCompute[Any],
    stream: bool = False,
    ordered: bool = True,
    fail_fast: bool = False,
    return_exceptions: bool = False,
    progress: bool | None = None,
) -> PendingGroup:
    """Several calls as one. The first error interrupts the others and is raised.

    It carries the rest as ``error.gathered``: the `results` that are there and the `errors`, by place, and the places
    of those that were `cancelled`.

    Parameters
    ----------
    stream
        Give an iterator that yields results while others still run, instead of a list.
    ordered
        With `stream`, in the order of `calls`; otherwise as they come.
    fail_fast
        With `stream` in the order of `calls`: an error ends it when it comes, and not only in its turn.
    return_exceptions
        Let all calls run to their end, and give what one raises in place of its result, with `stream` too.
    progress
        Show how many have ended, failed and are left, and how long that will take: True for at once, False for never;
        when not given, where somebody waits for more than two seconds. With `stream`, only when it is asked for.
    """
    checked_progress(progress)
    for call in calls:
        if not isinstance(call, PendingCompute):
            raise UsageError(f"gather takes calls of @sky.compute functions: {no_call(call)}")
    return PendingGroup(
        calls,
        _stream=stream,
        _ordered=ordered,
        _fail_fast=fail_fast,
        _return_exceptions=return_exceptions,
        _progress=progress,
    )


class ComputeFunction[**P, R](NotCalled):
    """A function whose calls are values to send to a pool; made by `compute`.

    Attributes
    ----------
    function
        What it was made of, as an executor takes it.
    """

    def __init__(self, function: Callable[P, R], timeout: float = 0.0, retries: int | None = None) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._timeout = timeout
        self._retries = retries
        try:
            self._signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):
            self._signature = None
        self._fits = _plain_counts(self._signature)
        inner = inspect.unwrap(function)
        self._streams = inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner)
        self._inputs = streamed(function, self._signature)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> PendingCompute[R]:
        """The call, not run. Arguments that do not fit the signature are refused here."""
        if self._signature is not None and (kwargs or len(args) not in self._fits):
            try:
                self._signature.bind(*args, **kwargs)
            except TypeError as error:
                asked = next((near(one, self._signature.parameters) for one in kwargs if f"'{one}'" in str(error)), "")
                text = f"{getattr(self.function, '__name__', self.function)}(): {error}"
                raise TypeError(f"{text}; {asked}" if asked else text) from None
        sources = self._sources(args, kwargs) if self._inputs else ()
        return PendingCompute(self.function, args, kwargs, self._timeout, self._streams, self._retries, sources)

    def _sources(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Source, ...]:
        """The arguments that are streams; read in the context of this call."""
        assert self._signature is not None
        context = contextvars.copy_context()
        return sources_of(self.function, self._signature, self._inputs, args, kwargs, context)

    def local(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it here and now, without a pool."""
        return self.function(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        bound = functools.partial(self.function, instance)  # type: ignore[arg-type]
        return ComputeFunction(bound, self._timeout, self._retries)

    def __reduce__(self) -> tuple[Any, ...]:
        return ComputeFunction, (self.function, self._timeout, self._retries)

    def __repr__(self) -> str:
        return f"<compute function {getattr(self.function, '__qualname__', self.function)!s}>"


def _plain_counts(signature: inspect.Signature | None) -> range:
    """How many positional arguments alone make a call that fits: binding them costs more than packing them."""
    if signature is None:
        return range(0)
    parameters = signature.parameters.values()
    plain = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in parameters):
        return range(0)
    return range(sum(one.default is one.empty for one in plain), len(plain) + 1)


@overload
def compute[**P, R](function: Callable[P, Coroutine[Any, Any, R]], /) -> ComputeFunction[P, R]: ...
@overload
def compute[**P, R](function: Callable[P, AsyncIterator[R]], /) -> ComputeFunction[P, Iterator[R]]: ...
@overload
def compute[**P, R](function: Callable[P, R], /) -> ComputeFunction[P, R]: ...
@overload
def compute[**P, R](
    *, timeout: float = 0.0, retries: int | None = None
) -> Callable[[Callable[P, R]], ComputeFunction[P, R]]: ...
def compute(function: Callable[..., Any] | None = None, /, *, timeout: float = 0.0, retries: int | None = None) -> Any:
    """Make a function one whose calls can be sent to a pool.

    Calling it then runs nothing: it gives a `PendingCompute`. ``f.local(...)`` runs it here. An async function runs on
    a loop of its own on the node, and its call gives what it returns.

    Parameters
    ----------
    timeout
        Seconds each call may run on a node; 0 for no limit.
    retries
        How often a call that ``>>``, ``>`` or `gather` sent is run again, on another node, when its node is lost; as
        often as the pool's `retries` (3) when not given. A lost node may have run some of the call, or all of it:
        give 0 where a second time would do harm. Nothing else repeats a call: not what it raises, not the end of its
        slot, not a timeout. A broadcast is not repeated, nor a generator that has yielded.
    """
    if retries is not None:
        checked_retries(retries)
    if timeout != 0:
        timeout = _checked_timeout(timeout)
    if function is None:
        return lambda inner: _computing(inner, timeout, retries)
    return _computing(function, timeout, retries)


def _computing(function: object, timeout: float, retries: int | None) -> ComputeFunction[..., Any]:
    if not callable(function):
        raise UsageError(f"@sky.compute goes on a function, not on {function!r}")
    return ComputeFunction(function, timeout, retries)
