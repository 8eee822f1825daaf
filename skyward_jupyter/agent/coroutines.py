"""Async functions as tasks: a slot has no loop of its own, so each task gets one for as long as it runs."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Generator
from typing import Any


def settled(value: Any) -> Any:
    """What a call gave; of an async function its result, of an async generator a generator."""
    if inspect.iscoroutine(value):
        return asyncio.run(value)
    return _iterated(value) if isinstance(value, AsyncGenerator) else value


def _iterated(values: AsyncGenerator[Any]) -> Generator[Any]:
    with asyncio.Runner() as runner:
        try:
            while True:
                try:
                    value = runner.run(_next(values))
                except StopAsyncIteration:
                    return
                yield value
        finally:
            runner.run(values.aclose())


async def _next(values: AsyncGenerator[Any]) -> Any:
    return await anext(values)
