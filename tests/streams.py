"""Calls with streams, and what they may leave, for the tests of several rooms."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import skyward as sky


@sky.compute
def total(xs: Iterator[int]) -> int:
    return sum(xs)


@sky.compute
def double(xs: Iterator[int]) -> Iterator[int]:
    for x in xs:
        yield 2 * x


def feeders() -> list[str]:
    """The threads of this process that read streams."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("skyward-feed")]
