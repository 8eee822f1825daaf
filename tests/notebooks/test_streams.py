"""Calls with streams from a notebook: where a source prints, and how an interrupt ends both sides."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

DEFINE = """
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

@sky.compute
def later(xs: 'Iterator[NotDefinedYet]') -> int:
    return sum(1 for _ in xs)

go = threading.Event()
closed = []

def source(n):
    try:
        for k in range(n):
            if k == 2:
                print('two')
            yield k
    finally:
        closed.append(n)
"""


def test_a_source_prints_in_its_cell(nodes: Kernel) -> None:
    nodes.ok(DEFINE)
    shown = nodes.ok("total(source(5)) >> sky.pool()")
    assert (shown.stdout, shown.text) == ("two\n", "10")
    assert nodes.ok("list(double(source(2)) >> sky.pool())").text == "[0, 2]"
    assert nodes.ok("later(source(2)) >> sky.pool()").text == "2"


def test_what_a_source_prints_later_is_in_the_cell_that_made_the_call(nodes: Kernel) -> None:
    nodes.ok(DEFINE)
    nodes.ok("def slow():\n    go.wait(20)\n    print('from the first')\n    yield 7")
    first = nodes.ok("future = total(slow()) > sky.pool()")
    second = nodes.ok("go.set()\nprint(future.result(20))")
    assert second.stdout == "7\n"
    assert first.stdout == "from the first\n"


def test_top_level_await_with_an_asynchronous_source(nodes: Kernel) -> None:
    nodes.ok(DEFINE)
    nodes.ok(
        "import asyncio\nasync def numbers(n):\n    for k in range(n):\n        await asyncio.sleep(0)\n        yield k"
    )
    assert nodes.ok("await sky.pool().run(total(numbers(20)))").text == "190"
    assert nodes.ok("total(numbers(20)) >> sky.pool()").text == "190"
    assert nodes.ok("[y async for y in sky.pool().stream(double(numbers(3)))]").text == "[0, 2, 4]"


def test_an_interrupt_ends_both_sides(nodes: Kernel) -> None:
    nodes.ok(DEFINE)
    stopped = nodes.run(
        "for y in double(source(10**9)) >> sky.pool():\n    if y == 100: print('far enough')",
        interrupt_at="far enough",
    )
    assert stopped.ename == "KeyboardInterrupt"
    nodes.ok("import time\ndeadline = time.monotonic() + 20")
    nodes.ok("while not closed and time.monotonic() < deadline: time.sleep(.01)")
    assert nodes.ok("closed").text == "[1000000000]"
    assert nodes.ok("[t.name for t in threading.enumerate() if t.name.startswith('skyward-feed')]").text == "[]"
    assert nodes.ok("total([1, 2]) >> sky.pool()").text == "3"
