"""The results of `Executor.map`: in order, each let go once it was given; leaving them cancels what has not ended.

What a job raises carries the results of those behind it that have ended.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from typing import Any

from skyward_jupyter.agent.jobcall import FINISHED
from skyward_jupyter.api.gathering import Gathered, carry
from skyward_jupyter.api.mapbar import MapBar
from skyward_jupyter.api.waiting import unsaid

type Submit = Callable[[Any], Future[Any]]


def mapped(
    submit: Submit,
    items: Iterable[Any],
    timeout: float | None,
    most: int | None,
    chunk: int = 0,
    bar: MapBar | None = None,
) -> Iterator[Any]:
    """Submit a job for each item now, or for the first `most` and then for one more with each result.

    With `chunk`, an item is a chunk of so many, and what its job gives is the list of their results. `bar` shows how
    far they are.
    """
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
    results = _results(futures, (submit, rest) if most is not None else None, end, chunk)
    return results if bar is None else _shown(results, futures, bar)


def _shown(results: Iterator[Any], futures: deque[Future[Any]], bar: MapBar) -> Iterator[Any]:
    """The results, with a bar that shows how far they are."""
    __tracebackhide__ = True
    failed: BaseException | None = None
    try:
        with closing(results):  # type: ignore[type-var]
            while True:
                bar.read(futures)
                try:
                    with unsaid():
                        result = next(results)
                except StopIteration:
                    return
                bar.given()
                passed = [result]
                del result
                yield passed.pop()
    except BaseException as error:
        failed = error
        raise
    finally:
        bar.over(failed)


def flat(chunks: Iterator[list[Any]]) -> Iterator[Any]:
    """The results of all chunks."""
    with closing(chunks):  # type: ignore[type-var]
        for chunk in chunks:
            chunk.reverse()
            while chunk:
                yield chunk.pop()


def _results(
    futures: deque[Future[Any]], more: tuple[Submit, Iterator[Any]] | None, end: float | None, chunk: int
) -> Iterator[Any]:
    __tracebackhide__ = True
    given = 0
    try:
        while futures:
            if more is not None:
                submit, rest = more
                futures.extend(submit(item) for item in itertools.islice(rest, 1))
            # Nothing here may hold on to a result that was given.
            try:
                yield _taken(futures.popleft(), end)
            except Exception as error:
                carry(error, _left(error, futures, given, chunk))
                raise
            given += 1
    finally:
        _cancel(futures)


def _left(error: Exception, futures: Iterable[Future[Any]], given: int, chunk: int) -> Gathered:
    """What became of the items from the one on whose job raised `error`."""
    width = chunk or 1
    results: dict[int, Any] = {}
    errors: dict[int, BaseException] = {}
    cancelled: list[int] = []

    def fail(start: int, raised: BaseException) -> None:
        before = vars(raised).pop(FINISHED, ())
        results.update(enumerate(before, start))
        errors[start + len(before)] = raised
        cancelled.extend(range(start + len(before) + 1, start + width))

    fail(given * width, error)
    for place, future in enumerate(futures, given + 1):
        if not future.done() or future.cancelled():
            cancelled.extend(range(place * width, (place + 1) * width))
        elif (raised := future.exception()) is not None:
            fail(place * width, raised)
        else:
            value = future.result()
            results.update(enumerate(value, place * width) if chunk else ((place, value),))
    return Gathered(results, errors, tuple(cancelled), given * width)


def _taken(future: Future[Any], end: float | None) -> Any:
    __tracebackhide__ = True
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
