"""The pipes of a slot's process, with both ends in the test."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from skyward_jupyter.agent.piped import Piped
from skyward_jupyter.agent.pipes import Ends, Page, unread


class World:
    """A process that writes, and what its agent is told."""

    def __init__(self) -> None:
        self.ends = Ends.new()
        self.page = Page(os.dup(self.ends.page))
        self.sends, self._hears = socket.socketpair()
        self.said: list[tuple[str, str]] = []
        self._changed = asyncio.Event()
        self.piped = Piped(self.ends.for_agent, lambda: [self._hears.fileno()], self._say)

    def write(self, stream: int, data: bytes) -> None:
        assert os.write(self.ends.writes[stream], data) == len(data)

    def hear(self) -> None:
        self._hears.recv(1000)

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.said)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not done():
                self._changed.clear()
                await self._changed.wait()

    async def a_while(self) -> None:
        """Longer than text is gathered for."""
        before, self.said = self.said, []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.15):
                await self.until(lambda: bool(self.said))
        self.said = before

    def close(self) -> None:
        self.piped.close()
        self.page.close()
        self.sends.close()
        self._hears.close()
        for fd in self.ends.writes:
            os.close(fd)

    def _say(self, stream: str, text: str) -> None:
        self.said.append((stream, text))
        self._changed.set()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    made.close()


async def test_it_comes_by_itself_and_in_few_pieces(world: World) -> None:
    for number in range(100):
        world.write(0, b"%d\n" % number)
    await world.until(lambda: world.text.endswith("99\n"))
    assert world.said == [("stdout", "".join(f"{number}\n" for number in range(100)))]


async def test_all_that_was_written_is_there_when_a_task_ends(world: World) -> None:
    world.write(1, b"trouble")
    world.write(0, b"x" * 50_000)
    world.piped.drain()
    assert sorted(world.said) == [("stderr", "trouble"), ("stdout", "x" * 50_000)]


async def test_what_comes_before_a_place_and_what_comes_after(world: World) -> None:
    world.write(0, b"before after")
    world.write(1, b"later")
    world.piped.reach((6, 0))
    assert world.said == [("stdout", "before")]
    world.piped.reach((6, 0))
    world.piped.reach((12, 5))
    assert world.said[1:] == [("stdout", " after"), ("stderr", "later")]


async def test_it_waits_for_text_that_was_written_before(world: World) -> None:
    world.page.hold(0, True)
    world.sends.send(b"text of the slot")
    world.write(0, b"after it")
    await world.a_while()
    assert not world.said
    world.page.hold(0, False)
    await world.a_while()
    assert not world.said
    world.hear()
    await world.until(lambda: world.said == [("stdout", "after it")])


async def test_it_does_not_wait_for_ever_with_more_and_more(world: World) -> None:
    world.page.hold(0, True)
    total = 20 * 2**20
    left = total
    os.set_blocking(world.ends.writes[0], False)
    async with asyncio.timeout(60):
        while left:
            try:
                left -= os.write(world.ends.writes[0], b"x" * min(left, 2**16))
            except BlockingIOError:
                await asyncio.sleep(0)
    await world.until(lambda: bool(world.said))
    world.piped.drain()
    assert len(world.text) == total


async def test_a_character_in_two_halves_is_one(world: World) -> None:
    first, second = "é".encode()[:1], "é".encode()[1:]
    world.write(0, b"caf" + first)
    await world.until(lambda: world.text == "caf")
    world.write(0, second)
    await world.until(lambda: world.text == "café")


async def test_half_a_character_and_bytes_that_are_no_text_are_seen(world: World) -> None:
    world.write(0, b"\xff" + "é".encode()[:1])
    world.piped.drain()
    assert world.text == "\ufffd"
    world.piped.end()
    assert world.text == "\ufffd\ufffd"


async def test_a_character_that_the_end_of_a_task_divides_is_one(world: World) -> None:
    for byte in "é€".encode():
        world.write(0, bytes([byte]))
        world.piped.drain()
    assert world.text == "é€"


async def test_the_end_of_a_pipe_is_quiet(world: World) -> None:
    world.write(0, b"the last")
    for fd in world.ends.writes:
        os.close(fd)
    await world.until(lambda: world.text == "the last")
    world.piped.drain()
    assert world.text == "the last"
    object.__setattr__(world.ends, "writes", ())


async def test_how_much_was_read_is_known_to_both(world: World) -> None:
    world.write(0, b"x" * 1000)
    assert unread(world.ends.reads[0]) + world.page.taken(0) == 1000
    await world.until(lambda: len(world.text) == 1000)
    assert (unread(world.ends.reads[0]), world.page.taken(0), world.page.taken(1)) == (0, 1000, 0)
    assert world.page.turn % 2 == 0
