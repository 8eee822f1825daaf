"""What a template does with the agents of one rank that come after each other."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable

import pytest

from skyward_jupyter.agent.channel import Message
from skyward_jupyter.fleets.local import LocalFleet
from skyward_jupyter.providers.terms import NodeSpec
from skyward_jupyter.runtime.bridge import wait


class Told:
    """One rank of a fleet, and what its template says of it."""

    def __init__(self, fleet: LocalFleet) -> None:
        assert fleet._link is not None
        self.fleet = fleet
        self.messages: list[Message] = []
        self._told = asyncio.Event()
        self._hear = fleet._hear
        fleet._link.listen(fleet._key, self._heard)

    def _heard(self, message: Message) -> None:
        self.messages.append(message)
        self._told.set()
        self._hear(message)

    def start(self) -> None:
        self.fleet.start((0,), (), (0,))

    @property
    def story(self) -> list[str]:
        """What was said, in order, without what is said at any time."""
        what = [(message.get("what", message["op"]), message.get("pid", 0)) for message in self.messages]
        pids = list(dict.fromkeys(pid for _, pid in what if pid))
        return [
            f"{word} {pids.index(pid) if pid else ''}".strip()
            for word, pid in what
            if word not in ("http", "log", "preloaded")
        ]

    async def until(self, *words: str) -> None:
        """Wait until the last that was said is this."""
        await self.until_any(words)

    async def until_any(self, *stories: tuple[str, ...]) -> tuple[str, ...]:
        """Wait until the last that was said is one of these, and return it."""
        async with asyncio.timeout(60):
            while not (ends := [words for words in stories if self.story[-len(words) :] == list(words)]):
                self._told.clear()
                await self._told.wait()
        return ends[0]


type Run = Callable[[Callable[[Told], Awaitable[None]]], None]


@pytest.fixture
def run() -> Run:
    """Runs a test on the loop that has the connection to the template."""

    async def on_the_loop(test: Callable[[Told], Awaitable[None]]) -> None:
        told = Told(LocalFleet("template", NodeSpec(), lambda _: None, key=f"template~{secrets.token_hex(4)}"))
        try:
            await test(told)
        finally:
            told.fleet.close()
            told.fleet.forget()

    return lambda test: wait(on_the_loop(test), "")


def test_an_agent_is_started_once_the_one_before_it_has_ended(run: Run) -> None:
    async def test(told: Told) -> None:
        told.start()
        await told.until("started 0", "ready")
        told.start()
        await told.until("exited 0", "started 1", "ready")

    run(test)


@pytest.mark.parametrize("pause", [0.0, 0.03])
def test_of_many_that_are_asked_for_the_last_is_started(run: Run, pause: float) -> None:
    async def test(told: Told) -> None:
        for _ in range(5):
            told.start()
            await asyncio.sleep(pause)
        # How many were started meanwhile depends on how they arrive: all at once, or with time in between.
        await told.until_any(*((f"exited {n - 1}", f"started {n}", "ready") for n in range(1, 5)))
        count = max(int(words.split()[1]) for words in told.story if words.startswith("started"))
        turns = [words for words in told.story if words != "ready"]
        assert turns[:-1] == [f"{what} {n}" for n in range(count) for what in ("started", "exited")]

    run(test)


def test_one_that_is_killed_before_its_turn_never_starts(run: Run) -> None:
    async def test(told: Told) -> None:
        told.start()
        await told.until("started 0", "ready")
        told.start()
        told.fleet.kill(0)
        never = ("exited", "exited 0")
        # The one before it may have ended already when it is killed.
        if await told.until_any(never, ("exited 0", "started 1", "exited 1")) == never:
            assert told.messages[-2]["why"] == "it was ended before it had started"

    run(test)


def test_an_agent_that_cannot_have_its_address_says_so(run: Run) -> None:
    async def test(told: Told) -> None:
        host, _, port = told.fleet.address(0).rpartition(":")
        with socket.socket() as other:
            other.bind((host, int(port)))
            other.listen()
            told.start()
            await told.until("started 0", "failed", "exited 0")
        assert told.messages[-1]["why"] == "its agent failed: Address already in use (os error 98)"

    run(test)
