"""Which arguments of a call are streams: those whose parameter is annotated ``Iterator[T]``, or ``Generator``.

An annotation that cannot be evaluated, as one that names what a notebook defines later, is read as text.
"""

from __future__ import annotations

import ast
import asyncio
import collections.abc
import contextvars
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAliasType

from skyward_jupyter.actors.pulling import Source
from skyward_jupyter.api.stream import ResultStream
from skyward_jupyter.errors import UsageError
from skyward_jupyter.wire.feeds import Fed

_KINDS = frozenset({"Iterator", "Generator", "AsyncIterator", "AsyncGenerator"})
_TYPES = frozenset(getattr(collections.abc, kind) for kind in _KINDS)
_AROUND = frozenset({"Optional", "Union", "Annotated"})

type Arguments = tuple[tuple[Any, ...], dict[str, Any], tuple[Source, ...]]


def streamed(function: Callable[..., Any], signature: inspect.Signature | None) -> frozenset[str]:
    """The names of the parameters that take a stream."""
    if signature is None:
        return frozenset()
    names = getattr(inspect.unwrap(function), "__globals__", {})
    return frozenset(
        one.name
        for one in signature.parameters.values()
        if one.annotation is not one.empty
        and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        and _is_stream(one.annotation, names)
    )


def sources_of(
    function: Callable[..., Any],
    signature: inspect.Signature,
    streams: frozenset[str],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    context: contextvars.Context,
) -> tuple[Source, ...]:
    """The streams of a call: what was given for `streams`, except None.

    Raises
    ------
    TypeError
        What was given cannot be iterated over.
    UsageError
        Two of them are the same iterator.
    """
    given = signature.bind(*args, **kwargs).arguments
    found = [
        _source(function, name, given[name], context) for name in given if name in streams and given[name] is not None
    ]
    refuse_shared(found)
    return tuple(found)


def placed(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any], sources: Iterable[Source]
) -> Any:
    """The arguments of a call with what stands for its streams in their places."""
    bound = signature.bind(*args, **kwargs)
    for number, source in enumerate(sources):
        bound.arguments[source.name] = Fed(number)
    return bound.args, bound.kwargs


def refuse_shared(sources: Iterable[Source]) -> None:
    """Two streams cannot come from one iterator: each would get some of its items, by chance."""
    seen: set[int] = set()
    for source in sources:
        if not source.used_up:
            continue
        if id(source.values) in seen:
            raise UsageError(
                f"one iterator is given twice, the second time as {source.name!r}, and its items can be read once; "
                "give each an iterator of its own, or a list"
            )
        seen.add(id(source.values))


def refuse_iterators(sources: Iterable[Source]) -> None:
    """One iterator cannot go to several nodes."""
    for source in sources:
        if source.used_up:
            raise UsageError(
                f"{source.name!r} is an iterator, whose items can be read once, and the call goes to every node; "
                "pass a list, or give each node its part with sky.shard"
            )


def refuse_own_loop(sources: Iterable[Source]) -> None:
    """An asynchronous iterator cannot be read while its loop is blocked."""
    from skyward_jupyter.errors import BlockingRefused
    from skyward_jupyter.runtime.bridge import runtime

    running = asyncio._get_running_loop()
    for source in sources:
        if running is not None and source.loop is running and not runtime().in_cell:
            raise BlockingRefused(
                f"blocking here would stop the event loop that {source.name!r} is read on; use `await pool.run(...)`"
            )


def _source(function: Callable[..., Any], name: str, values: Any, context: contextvars.Context) -> Source:
    if isinstance(values, ResultStream):
        return Source(name, values, context, close=values.close)
    if hasattr(values, "__anext__"):
        return Source(name, values, context, asyncio._get_running_loop())
    if hasattr(values, "__aiter__"):
        return Source(name, aiter(values), context, asyncio._get_running_loop())
    try:
        return Source(name, values, context, used_up=iter(values) is values)
    except TypeError:
        who = getattr(function, "__name__", "the function")
        raise TypeError(f"{who}(): {name} is a stream, and {type(values).__name__!r} object is not iterable") from None


def _is_stream(annotation: object, names: Mapping[str, Any]) -> bool:
    if isinstance(annotation, str):
        try:
            return _is_stream(eval(annotation, dict(names)), names)
        except Exception:
            return _says_stream(annotation)
    if isinstance(annotation, TypeAliasType):
        try:
            return _is_stream(annotation.__value__, names)
        except Exception:
            return False
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _is_stream(typing.get_args(annotation)[0], names)
    if origin is typing.Union or isinstance(annotation, types.UnionType):
        return any(_is_stream(one, names) for one in typing.get_args(annotation))
    if isinstance(annotation, typing.ForwardRef):
        return _is_stream(annotation.__forward_arg__, names)
    return (origin or annotation) in _TYPES


def _says_stream(text: str) -> bool:
    try:
        return _names_stream(ast.parse(text, mode="eval").body)
    except SyntaxError:
        return False


def _names_stream(node: ast.expr) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _KINDS
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _names_stream(left) or _names_stream(right)
        case ast.Constant(value=str(text)):
            return _says_stream(text)
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner) if name in _AROUND:
            return any(map(_names_stream, inner.elts if isinstance(inner, ast.Tuple) else [inner]))
        case ast.Subscript(value=value):
            return _names_stream(value)
        case _:
            return False
