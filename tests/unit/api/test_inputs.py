"""Which parameters take a stream."""

from __future__ import annotations

import collections.abc
import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest

import skyward as sky
from skyward_jupyter.api.inputs import streamed
from skyward_jupyter.wire.feeds import Fed

type Numbers = Iterator[int]


def with_annotation(annotation: Any) -> frozenset[str]:
    def function(xs: object) -> None: ...

    function.__annotations__ = {"xs": annotation}
    return streamed(function, inspect.signature(function))


@pytest.mark.parametrize(
    "annotation",
    [
        collections.abc.Iterator[int],
        collections.abc.Iterator,
        collections.abc.Generator[int, None, None],
        collections.abc.AsyncIterator[int],
        typing.Iterator[int],
        typing.Generator[int, None, None],
        typing.Iterator,
        Iterator[int] | None,
        typing.Optional[typing.Iterator[int]],  # noqa: UP045
        Annotated[Iterator[int], "of some kind"],
        Numbers,
        "Iterator[int]",
        "collections.abc.Iterator[int]",
        "Numbers",
        "Iterator[NotThereYet]",
        "Iterator[NotThereYet] | None",
        "typing.Optional[t.Iterator[NotThereYet]]",
        "Annotated[Generator[NotThereYet, None, None], 1]",
        "'Iterator[NotThereYet]'",
    ],
    ids=str,
)
def test_a_stream(annotation: object) -> None:
    assert with_annotation(annotation) == {"xs"}


@pytest.mark.parametrize(
    "annotation",
    [
        int,
        list[int],
        collections.abc.Iterable[int],
        Callable[[Iterator[int]], int],
        list[Iterator[int]],
        "Iterable[int]",
        "list[Iterator[NotThereYet]]",
        "NotThereYet",
        "Callable[[Iterator[NotThereYet]], int]",
        "no python at all",
        "",
        None,
        5,
    ],
    ids=str,
)
def test_no_stream(annotation: object) -> None:
    assert with_annotation(annotation) == frozenset()


def test_only_parameters_with_a_name_of_their_own() -> None:
    def function(
        a: Iterator[int], /, b: int, *rest: Iterator[int], c: Iterator[int], **more: Iterator[int]
    ) -> None: ...

    assert streamed(function, inspect.signature(function)) == {"a", "c"}
    assert streamed(print, None) == frozenset()


def test_nothing_is_read_when_the_call_is_made() -> None:
    @sky.compute
    def total(xs: Iterator[int], factor: int = 1) -> int:
        return sum(xs) * factor

    values = iter([1, 2])
    call = total(values, factor=2)
    assert [source.name for source in call._sources] == ["xs"]
    assert "not run yet" in repr(call)
    sent = call._call()
    assert sent.args[0] == Fed(0)
    assert list(values) == [1, 2]
    assert total.local(iter([3])) == 3
