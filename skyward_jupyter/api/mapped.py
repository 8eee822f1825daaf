"""The results of `Executor.map`: in order, each let go once it was given; leaving them cancels what has not ended."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from typing import Any

type Submit = Callable[[Any], Future[Any]]


def mapped(submit: Submit, items: Iterable[Any], timeout: float | None, most: int | None) -> Iterator[Any]:
    """Submit a job for each item now, or for the first `most` and then for one more with each result."""
    end = None if timeout is None else time.monotonic() + timeout
    rest = iter(items)
    futures: deque[Future[Any]] = deque()
    try:
        for item in itertools.islice(rest, most):
            futures.append(submit(item))
    except BaseException:
        _cancel(futures)
        raise
    # What holds on to no more than the futures does not keep the executor alive.
    return _results(futures, (submit, rest) if most is not None else None, end)


def flat(chunks: Iterator[list[Any]]) -> Iterator[Any]:
    """The results of all chunks."""
    with closing(chunks):  # type: ignore[type-var]
        for chunk in chunks:
            chunk.reverse()
            while chunk:
                yield chunk.pop()


def _results(
    futures: deque[Future[Any]], more: tuple[Submit, Iterator[Any]] | None, end: float | None
) -> Iterator[Any]:
    try:
        while futures:
            if more is not None:
                submit, rest = more
                futures.extend(submit(item) for item in itertools.islice(rest, 1))
            # Nothing here may hold on to a result that was given.
            yield _taken(futures.popleft(), end)
    finally:
        _cancel(futures)


def _taken(future: Future[Any], end: float | None) -> Any:
    try:
        return future.result(None if end is None else max(0.0, end - time.monotonic()))
    except BaseException:
        future.cancel()
        raise
    finally:
        del future


def _cancel(futures: Iterable[Future[Any]]) -> None:
    for future in futures:
        future.cancel()
