"""What is left of a map when one of its jobs raises."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from skyward_jupyter.api.mapped import flat, mapped


def square(x: int) -> int:
    if x == 3:
        raise ValueError("bad 3")
    return x * x


def squares(chunk: tuple[int, ...]) -> list[int]:
    return [square(x) for x in chunk]


def results_of(work: Any, items: list[Any], chunk: int = 0) -> Iterator[Any]:
    """A map whose jobs have all ended."""
    with ThreadPoolExecutor() as executor:
        futures: list[Future[Any]] = []

        def submit(item: Any) -> Future[Any]:
            futures.append(executor.submit(work, item))
            return futures[-1]

        found = mapped(submit, items, None, None, chunk)
        wait(futures)
    return found


def test_the_results_behind_the_error_are_kept() -> None:
    results = results_of(square, list(range(6)))
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    with pytest.raises(ValueError, match="bad 3") as caught:
        next(results)
    found = caught.value.gathered  # type: ignore[attr-defined]
    assert (found.given, found.results, list(found.errors), found.cancelled) == (3, {4: 16, 5: 25}, [3], ())
    assert "5 of 6 calls succeeded, 1 failed (at 3); those that were not given yet" in caught.value.__notes__[-1]


def test_those_of_chunks_too_by_item() -> None:
    results = flat(results_of(squares, [(0, 1), (2, 3), (4, 5), (6, 3), (8, 9)], 2))
    assert [next(results) for _ in range(2)] == [0, 1]
    with pytest.raises(ValueError, match="bad 3") as caught:
        next(results)
    found = caught.value.gathered  # type: ignore[attr-defined]
    assert found.results == {4: 16, 5: 25, 8: 64, 9: 81}
    assert (list(found.errors), found.cancelled) == ([2, 6], (3, 7))
