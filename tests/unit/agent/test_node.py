"""What an agent does with tasks, without a cluster and without slots of its own."""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
from collections.abc import AsyncIterator
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from skyward_jupyter.agent.channel import Channel
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.failure import Failed
from skyward_jupyter.agent.frames import SECONDS, Order, Parser, frame
from skyward_jupyter.agent.node import Agent
from skyward_jupyter.agent.pipes import Ends
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.messages import Batch, Code, Control, Event, Exchange, Feed, Own, Owned, Task
from skyward_jupyter.wire.said import text_in


class Reply:
    """Where an exchange is answered."""

    def __init__(self) -> None:
        self.batches: asyncio.Queue[Batch] = asyncio.Queue()

    def tell(self, batch: Batch) -> None:
        self.batches.put_nowait(batch)


class World:
    """An agent, the template it talks to, and one slot played by the test."""

    def __init__(self, store: Path) -> None:
        ours, theirs = socket.socketpair()
        self.template = Channel(ours)
        self.template.sock.setblocking(False)
        config = AgentConfig("unit", 0, "127.0.0.1:25520", (), "unit", str(store))
        self.channel = Channel(theirs)
        self.agent = Agent(config, self.channel)
        self.slot = socket.socket()
        self._parser = Parser()
        self._orders: list[tuple[Order, int]] = []
        self.fed: list[tuple[int, int]] = []
        self.reply = Reply()
        self.written: list[FileIO] = []

    async def attach(self, index: int = 0, pid: int = 999_999) -> None:
        """Give the agent a slot."""
        ours, theirs = socket.socketpair()
        self.slot.close()
        self.slot = ours
        self.slot.setblocking(False)
        ends = Ends.new()
        await self.agent.crew.connect(index, pid, (theirs.detach(),), ends.for_agent)
        self.written += [os.fdopen(fd, "wb", buffering=0) for fd in ends.writes]

    def exchange(self, *tasks: Task, after: int = 0, codes: bool = True, **more: Any) -> None:
        known = tuple(Code(task.code, b"body") for task in tasks) if codes else ()
        asked = Exchange("kernel", after, tasks, known, **more)
        object.__setattr__(asked, "reply_to", self.reply)
        self.agent.exchange(asked)

    async def answer(self) -> tuple[Event, ...]:
        return (await asyncio.wait_for(self.reply.batches.get(), 10)).events

    async def order(self) -> tuple[Order, int]:
        """The next order the slot gets."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            while not self._orders:
                data = await loop.sock_recv(self.slot, 65536)
                for kind, task, body in self._parser.feed(data):
                    self._orders.append((Order(kind), task))
                    if kind == Order.FEED:
                        piece = pickle.loads(body)
                        self.fed.append((piece.stream, piece.number))
        return self._orders.pop(0)

    def says(self, kind: Kind, task: int, body: bytes = b"") -> None:
        self.slot.send(frame(kind, task, (SECONDS.pack(0.5) if kind.final else b"") + body))

    def asked_template(self) -> list[dict[str, Any]]:
        return [message for message, _ in self.template.receive() or []]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    for client in made.agent._clients.values():
        client.close()
    for slot in made.agent.crew:
        slot.close()
        if slot.piped is not None:
            slot.piped.close()
    for file in made.written:
        file.close()
    made.slot.close()
    made.template.close()
    made.channel.close()


def failure(event: Event) -> Failed:
    assert Kind(event.kind) is Kind.ERROR
    return Failed.from_bytes(event.body, lambda blob: b"")


async def test_a_task_waits_for_a_slot(world: World) -> None:
    world.exchange(Task(1, "f", b"args"))
    await world.attach()
    assert await world.order() == (Order.RUN, 1)
    world.says(Kind.VALUE, 1, b"value")
    (event,) = await world.answer()
    assert (event.seq, event.task, event.kind, event.body, event.seconds) == (1, 1, Kind.VALUE, b"value", 0.5)
    assert world.agent.done == 1


async def test_a_task_seen_before_does_not_run_again(world: World) -> None:
    await world.attach()
    for _ in range(3):
        world.exchange(Task(1, "f", b""), Task(2, "f", b""))
    assert await world.order() == (Order.RUN, 1)
    world.says(Kind.VALUE, 1)
    assert await world.order() == (Order.RUN, 2)
    world.exchange(Task(1, "f", b""))
    world.says(Kind.VALUE, 2)
    world.exchange(Task(3, "f", b""))
    assert await world.order() == (Order.RUN, 3)


async def test_a_new_exchange_has_the_one_before_answered(world: World) -> None:
    world.exchange()
    assert world.reply.batches.empty()
    world.exchange()
    assert await world.answer() == ()


async def test_an_exchange_is_not_held_for_ever(world: World) -> None:
    world.exchange(hold=0.01)
    assert await world.answer() == ()


async def test_what_was_not_acknowledged_comes_again(world: World) -> None:
    await world.attach()
    world.exchange(Task(1, "f", b""))
    await world.order()
    world.says(Kind.VALUE, 1)
    first = await world.answer()
    world.exchange()
    assert await world.answer() == first
    world.exchange(after=1, hold=0.01)
    assert await world.answer() == ()


async def ended(world: World, *tasks: Task) -> int:
    """Have tasks run and end; returns the number of the last event."""
    await world.attach()
    for number, task in enumerate(tasks, 1):
        world.exchange(task, after=number - 1)
        await world.order()
        world.says(Kind.VALUE, task.id)
        await world.answer()
    return len(tasks)


async def test_output_after_the_end_goes_to_who_listens(world: World) -> None:
    after = await ended(world, Task(1, "f", b""), Task(2, "f", b""))
    world.exchange(after=after, listen=True)
    world.says(Kind.OUTPUT, 1, b"of a thread")
    (event,) = await world.answer()
    assert (event.task, event.kind, event.body) == (1, Kind.OUTPUT, b"of a thread")
    world.exchange(after=after + 1, listen=True)
    world.written[0].write(b"of a child\n")
    (event,) = await world.answer()
    assert (event.task, text_in(event.body)) == (2, ("stdout", "of a child\n"))


async def test_output_after_the_end_waits_for_who_listens_later(world: World) -> None:
    after = await ended(world, Task(1, "f", b""))
    world.says(Kind.OUTPUT, 1, b"late")
    world.says(Kind.DISPLAY, 1, b"late")
    world.says(Kind.OUTPUT, 7, b"of nobody")
    await asyncio.sleep(0.01)
    world.exchange(after=after, listen=True)
    assert [event.body for event in await world.answer()] == [b"late"]


async def test_listening_holds_nothing_else_up(world: World) -> None:
    after = await ended(world, Task(1, "f", b""))
    world.exchange(after=after, listen=True)
    world.exchange(Task(2, "f", b""), after=after)
    await world.order()
    world.says(Kind.OUTPUT, 1, b"late")
    world.says(Kind.VALUE, 2)
    events = [*await world.answer()]
    assert [(event.task, Kind(event.kind)) for event in events] == [(1, Kind.OUTPUT), (2, Kind.VALUE)]
    world.exchange(after=after + 2, listen=True, hold=0.01)
    assert (await world.answer(), await world.answer()) == ((), ())


async def test_who_listens_hears_that_another_kernel_took_over(world: World) -> None:
    after = await ended(world, Task(1, "f", b""))
    world.exchange(after=after, listen=True)
    world.agent.own(Own("kernel", 1, os.getpid(), 0.0, "another"))
    batch = await asyncio.wait_for(world.reply.batches.get(), 10)
    assert batch.taken == "another"


async def test_output_is_gathered_and_a_result_is_not(world: World) -> None:
    await world.attach()
    world.exchange(Task(1, "f", b""))
    await world.order()
    world.says(Kind.OUTPUT, 1, b"a")
    world.says(Kind.OUTPUT, 1, b"b")
    world.says(Kind.VALUE, 1)
    assert [Kind(event.kind) for event in await world.answer()] == [Kind.OUTPUT, Kind.OUTPUT, Kind.VALUE]


async def test_a_function_it_does_not_have(world: World) -> None:
    await world.attach()
    world.exchange(Task(1, "f", b""), codes=False)
    (event,) = await world.answer()
    assert (event.task, Kind(event.kind)) == (1, Kind.CODE)
    world.exchange(Task(1, "f", b""))
    assert await world.order() == (Order.RUN, 1)


@pytest.mark.parametrize("action", ["interrupt", "kill", "close"])
async def test_a_task_stopped_while_it_waits_never_runs(world: World, action: str) -> None:
    world.exchange(Task(1, "f", b""), Task(2, "f", b""))
    world.exchange(controls=(Control(1, action),))
    await world.answer()
    (event,) = await world.answer()
    assert (event.task, failure(event).how) == (1, "interrupted")
    await world.attach()
    assert await world.order() == (Order.RUN, 2)


async def test_a_task_that_waits_is_given_back_and_may_come_again(world: World) -> None:
    await world.attach()
    world.exchange(Task(1, "f", b""), Task(2, "f", b""))
    assert await world.order() == (Order.RUN, 1)
    world.exchange(controls=(Control(1, "return"), Control(2, "return")), hold=0.01)
    await world.answer()
    (event,) = await world.answer()
    assert (event.task, Kind(event.kind)) == (2, Kind.BACK)
    world.exchange(Task(2, "f", b""), after=1)
    world.says(Kind.VALUE, 1)
    assert await world.order() == (Order.RUN, 2)


async def test_a_control_for_nothing_does_nothing(world: World) -> None:
    await world.attach()
    world.exchange(controls=(Control(7, "interrupt"), Control(8, "kill"), Control(9, "credit", 3)), hold=0.01)
    assert await world.answer() == ()


async def test_credit_and_an_early_end_reach_the_slot(world: World) -> None:
    await world.attach()
    world.exchange(Task(1, "f", b"", credit=2))
    assert await world.order() == (Order.RUN, 1)
    world.exchange(controls=(Control(1, "credit", 5),))
    assert await world.order() == (Order.CREDIT, 1)
    world.exchange(controls=(Control(1, "credit", 5),))  # the answer to the first was lost
    world.exchange(controls=(Control(1, "credit", 4),))  # one before it that came late
    world.exchange(controls=(Control(1, "close"),))
    assert await world.order() == (Order.CLOSE, 1)


async def test_a_slot_that_dies_is_replaced_and_its_task_ends(world: World) -> None:
    await world.attach(pid=999_999)
    world.exchange(Task(1, "f", b""), Task(2, "f", b""))
    await world.order()
    world.agent.crew.ended(0, 999_999, -11)
    (event,) = await world.answer()
    assert (event.task, failure(event).how, failure(event).facts) == (1, "died", {"code": -11})
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        while not (asked := world.asked_template()):  # noqa: ASYNC110 - the template's socket is read by nobody else
            await asyncio.sleep(0.001)
    assert asked[-1] == {"op": "slot", "slot": 0, "sockets": 1}
    await world.attach(pid=999_998)
    assert await world.order() == (Order.RUN, 2)


async def test_a_session_is_started_when_it_is_wanted(world: World) -> None:
    await world.attach()
    assert world.asked_template() == []
    world.exchange(Task(1, "f", b"", session=True), Task(2, "f", b"", session=True))
    assert world.asked_template() == [{"op": "slot", "slot": -1, "sockets": 1}]
    await world.attach(index=-1, pid=999_997)
    assert await world.order() == (Order.RUN, 1)


async def test_two_clients_have_numbers_of_their_own(world: World) -> None:
    await world.attach()
    world.exchange(Task(1, "f", b""))
    await world.order()
    other = Reply()
    asked = Exchange("other", 0, (Task(1, "f", b""),))
    object.__setattr__(asked, "reply_to", other)
    world.agent.exchange(asked)
    world.says(Kind.VALUE, 1, b"first")
    assert [event.body for event in await world.answer()] == [b"first"]
    assert await world.order() == (Order.RUN, 1)
    world.says(Kind.VALUE, 1, b"second")
    (event,) = (await asyncio.wait_for(other.batches.get(), 10)).events
    assert (event.seq, event.body) == (1, b"second")


async def test_the_end_of_a_relayed_task_is_awaited_and_logged(world: World) -> None:
    await world.attach()
    world.agent.learn(Code("f", b"body"))
    waiting = asyncio.ensure_future(world.agent.finished("kernel", Task(5, "f", b"")))
    assert await world.order() == (Order.RUN, 5)
    world.says(Kind.VALUE, 5, b"done")
    event = await asyncio.wait_for(waiting, 10)
    assert (event.seq, event.body) == (1, b"done")
    world.exchange()
    assert await world.answer() == (event,)


class Follower:
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.told: list[tuple[int, object, bytes]] = []

    def began(self, task: int) -> None:
        self.told.append((task, "began", b""))

    def heard(self, task: int, kind: Kind, body: bytes, seconds: float) -> None:
        self.told.append((task, kind, body))


async def test_the_tasks_of_a_client_may_be_followed_instead_of_logged(world: World) -> None:
    await world.attach()
    follower = Follower()
    world.agent.follow("http", follower)
    world.agent.learn(Code("f", b"body"))
    world.agent.submit("http", Task(1, "f", b""))
    assert await world.order() == (Order.RUN, 1)
    world.says(Kind.OUTPUT, 1, b"text")
    world.says(Kind.VALUE, 1, b"done")
    async with asyncio.timeout(10):
        while len(follower.told) < 3:  # noqa: ASYNC110 - the slot's socket is read by the agent
            await asyncio.sleep(0.001)
    assert follower.told == [(1, "began", b""), (1, Kind.OUTPUT, b"text"), (1, Kind.VALUE, b"done")]
    assert not world.agent.client("http").log.has_after(0)
    assert (world.agent.done, world.agent.failed, world.agent.queued) == (1, 0, 0)


async def test_pieces_of_a_stream_reach_the_slot_in_order_once(world: World) -> None:
    await world.attach()
    world.exchange(Task(1, "f", b"", streams=2))
    assert await world.order() == (Order.RUN, 1)
    pieces = [Feed(1, 0, number, b"") for number in range(4)]
    for asked in ([1], [0, 1], [3], [0, 1, 2, 3], [2]):
        world.exchange(feeds=tuple(pieces[number] for number in asked))
    world.exchange(feeds=(Feed(1, 1, 0, b""), Feed(7, 0, 0, b"")))
    world.exchange(controls=(Control(1, "close"),))
    orders = [await world.order() for _ in range(6)]
    assert orders == [(Order.FEED, 1)] * 5 + [(Order.CLOSE, 1)]
    assert world.fed == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)]


async def test_a_task_that_wants_more_is_heard_at_once(world: World) -> None:
    await world.attach()
    world.exchange(Task(1, "f", b"", streams=1))
    await world.order()
    world.says(Kind.WANT, 1, b"wanted")
    (event,) = await world.answer()
    assert (Kind(event.kind), event.body) == (Kind.WANT, b"wanted")


def _own(world: World, epoch: int, name: str = "second") -> Owned:
    return world.agent.own(Own("kernel", epoch, os.getpid(), 0.0, name))


async def test_who_takes_over_learns_what_there_is(world: World) -> None:
    await world.attach()
    world.exchange(Task(1, "f", b""), after=0)
    await world.order()
    world.says(Kind.VALUE, 1, b"acknowledged")
    await world.answer()
    world.exchange(
        Task(2, "f", b"", run=2, parts=3, label="train"),
        Task(3, "f", b"", run=2, parts=3, label="train", credit=16),
        Task(4, "f", b"", run=2, parts=3, label="train", session=True),
        after=1,
    )
    await world.order()
    world.says(Kind.VALUE, 2, b"kept")
    await world.order()
    owned = _own(world, 1)
    assert (owned.taken, owned.after, owned.session) == ("", 1, False)
    seen = [(known.task, known.run, known.parts, known.label, known.state) for known in owned.tasks]
    assert seen == [(2, 2, 3, "train", "ended"), (3, 2, 3, "train", "running"), (4, 2, 3, "train", "waiting")]
    assert [(known.streams, known.session) for known in owned.tasks] == [(False, False), (True, False), (False, True)]
    world.agent.lease.end()


async def test_who_lost_the_pool_is_told_at_its_next_exchange_and_the_one_that_waits(world: World) -> None:
    await world.attach()
    world.exchange()
    _own(world, 1)
    held = await asyncio.wait_for(world.reply.batches.get(), 10)
    assert (held.taken, held.events) == ("second", ())
    world.exchange(Task(1, "f", b""))
    assert (await asyncio.wait_for(world.reply.batches.get(), 10)).taken == "second"
    assert world.agent.taken(0) == "second"
    assert world.agent.taken(1) == ""
    world.exchange(Task(2, "f", b""), epoch=1)
    assert await world.order() == (Order.RUN, 2)
    assert _own(world, 0, "third").taken == "second"
    world.agent.lease.end()
