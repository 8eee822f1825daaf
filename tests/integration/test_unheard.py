"""What a kernel does beside everything else fails once: whoever waits for it is told, within seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest

import skyward as sky
from skyward_jupyter.actors import courier, dispatch, feed, node, payloads, pool, results

#: Longer than any of these takes, and much shorter than what waits for ever.
WITHIN = 30.0


class Lost(Exception):
    pass


@sky.compute
def double(x: int) -> int:
    return 2 * x


@sky.compute
def size(data: bytes) -> int:
    return len(data)


@sky.compute
def grow(count: int) -> bytes:
    return b"x" * count


@sky.compute
def total(numbers: Iterator[int]) -> int:
    return sum(numbers)


def once(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """Have a coroutine function fail the first time that it is called."""
    whole = getattr(owner, name)
    calls: list[int] = []

    async def failing(*args: object, **named: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise Lost("on the way")
        return await whole(*args, **named)

    monkeypatch.setattr(owner, name, failing)


def broadcast(it: sky.ComputePool) -> object:
    try:
        return double(2) @ it
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


def made(name: str) -> sky.ComputePool:
    return sky.ComputePool(nodes=2, name=f"unheard-{os.getpid()}-{name}", _share=False)


@pytest.mark.parametrize(
    ("owner", "name"), [(node._Node, "_connect"), (pool._Pool, "_tell")], ids=["connecting", "introducing"]
)
def test_a_start_goes_on(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    once(monkeypatch, owner, name)
    began = time.monotonic()
    with made(name.strip("_")) as it:
        assert double(2) @ it == [4, 4]
        assert time.monotonic() - began < WITHIN


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        (dispatch.Dispatch, "_broadcast", broadcast),
        (node._Node, "_not_supplied", lambda it: size(b"x" * 2_000_000) >> it),
        (results, "_fetch", lambda it: grow(2_000_000) >> it),
        (feed._Stream, "_pump", lambda it: total(iter(range(10))) >> it),
    ],
    ids=["broadcasting", "supplying", "fetching", "feeding"],
)
def test_a_call_fails_at_once(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, call: Callable[[sky.ComputePool], object]
) -> None:
    with made(name.strip("_")) as it:
        assert double(2) >> it == 4
        once(monkeypatch, owner, name)
        if name == "_not_supplied":
            once(monkeypatch, payloads.Payloads, "send")
        began = time.monotonic()
        with pytest.raises(Lost, match="on the way"):
            call(it)
        assert time.monotonic() - began < WITHIN
        assert double(2) >> it == 4


def test_a_node_that_is_not_heard_any_more_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with made("converse") as it:
        assert double(2) >> it == 4
        once(monkeypatch, courier.Courier, "_converse")
        began = time.monotonic()
        assert double(2) >> it == 4
        assert time.monotonic() - began < WITHIN
