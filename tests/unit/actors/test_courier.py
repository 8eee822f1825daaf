"""The conversation with a node, on a link that loses things."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable

import casty
import pytest

from skyward_jupyter.actors import courier as module
from skyward_jupyter.actors.courier import Courier
from skyward_jupyter.actors.desk import TaskEntry, task_of
from skyward_jupyter.agent.log import RunLog
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.feeds import FIRST_WINDOW
from skyward_jupyter.wire.messages import Batch, Code, Control, Event, Exchange, Feed


def entry(number: int, *, size: int = 1, stream: bool = False) -> TaskEntry:
    return TaskEntry(
        number,
        Code(f"code{number % 3}", b"body"),
        b"a" * size,
        asyncio.get_running_loop().create_future(),
        yields=asyncio.Queue() if stream else None,
        pooled=True,
    )


class Node:
    """A worker as the courier knows it: it runs what it has not seen, and answers when it has something to say."""

    def __init__(self) -> None:
        self.log = RunLog()
        self.ran: list[int] = []
        self.codes: set[str] = set()
        self.controls: list[Control] = []
        self.feeds: list[Feed] = []
        self.asked: list[Exchange] = []
        self.lose: deque[str] = deque()
        self.says = asyncio.Event()
        self.held = 0

    def write(self, task: int, kind: Kind, body: bytes = b"") -> Event:
        event = self.log.add(task, kind, body)
        self.says.set()
        return event

    async def ask(self, exchange: Exchange) -> Batch:
        self.asked.append(exchange)
        fault = self.lose.popleft() if self.lose else ""
        if fault == "request":
            raise casty.Unavailable("lost on the way there")
        self.log.acknowledge(exchange.after)
        self.codes.update(code.digest for code in exchange.codes)
        self.controls += exchange.controls
        self.feeds += exchange.feeds
        for task in exchange.tasks:
            if task.id not in self.ran:
                assert task.code in self.codes
                self.ran.append(task.id)
                self.write(task.id, Kind.OUTPUT, b"out")
                self.write(task.id, Kind.VALUE)
        self.held += 1
        turn = self.held
        while not self.log.has_after(exchange.after) and turn == self.held:
            self.says.clear()
            await self.says.wait()
        if fault == "silence":
            await asyncio.Event().wait()
        if fault == "answer":
            raise casty.Unavailable("lost on the way back")
        return self.log.batch()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(0.001)


class Kernel:
    """A courier, and what it delivered."""

    def __init__(self, node: Node, patience: float = 20.0, alive: Callable[[], bool] = lambda: False) -> None:
        self.events: list[Event] = []
        self.gone: list[str] = []
        self.courier = Courier("kernel", node.ask, self.deliver, lambda: False, self.gone.append, patience, alive)

    def deliver(self, event: Event) -> None:
        self.events.append(event)
        if Kind(event.kind).final:
            self.courier.following.pop(event.task, None)

    def send(self, *entries: TaskEntry) -> None:
        for each in entries:
            self.courier.add(each)
        self.courier.flush()

    async def until(self, count: int) -> None:
        await until(lambda: len(self.events) >= count)

    def check(self, tasks: list[int]) -> None:
        """Every event once, in order, and every task ended."""
        assert [event.seq for event in self.events] == list(range(1, 1 + 2 * len(tasks)))
        assert sorted(event.task for event in self.events if Kind(event.kind).final) == tasks


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY", 0.0)


async def test_tasks_go_out_and_events_come_back_in_order() -> None:
    node = Node()
    kernel = Kernel(node)
    kernel.send(*map(entry, range(1, 6)))
    await kernel.until(10)
    kernel.check([1, 2, 3, 4, 5])
    assert node.ran == [1, 2, 3, 4, 5]
    assert len(node.asked[0].tasks) == 5
    assert kernel.courier.following == {}


async def test_a_function_is_sent_once() -> None:
    node = Node()
    kernel = Kernel(node)
    kernel.send(*map(entry, range(1, 10)))
    await kernel.until(18)
    kernel.send(*map(entry, range(10, 20)))
    await kernel.until(38)
    assert sum(len(exchange.codes) for exchange in node.asked) == 3


async def test_it_acknowledges_what_it_has() -> None:
    node = Node()
    kernel = Kernel(node)
    kernel.send(entry(1))
    await kernel.until(2)
    kernel.send(entry(2))
    await kernel.until(4)
    assert node.asked[-1].after >= 2
    assert all(event.seq > 2 for event in node.log.batch().events)


async def test_nothing_is_asked_when_nothing_is_awaited() -> None:
    node = Node()
    kernel = Kernel(node)
    kernel.courier.flush()
    kernel.send(entry(1))
    await kernel.until(2)
    await asyncio.sleep(0)
    assert len(node.asked) <= 2
    assert kernel.courier.following == {}


@pytest.mark.parametrize("faults", [["request"], ["answer"], ["request", "answer"] * 3, ["answer"] * 5])
async def test_nothing_is_lost_or_doubled_when_messages_are(faults: list[str]) -> None:
    node = Node()
    node.lose.extend(faults)
    kernel = Kernel(node)
    kernel.send(*map(entry, range(1, 4)))
    await kernel.until(6)
    kernel.check([1, 2, 3])
    assert node.ran == [1, 2, 3]


async def test_random_losses() -> None:
    rng = random.Random(11)
    node = Node()
    kernel = Kernel(node)
    for number in range(1, 101):
        node.lose.extend(rng.choices(["", "request", "answer"], k=2))
        kernel.send(entry(number))
        if number % 7 == 0:
            await asyncio.sleep(0)
    await kernel.until(200)
    kernel.check(list(range(1, 101)))
    assert sorted(node.ran) == list(range(1, 101))


async def test_what_failed_together_is_asked_for_once() -> None:
    node = Node()
    node.lose.extend(["request"] * 20)
    kernel = Kernel(node)
    for number in range(1, 21):
        kernel.send(entry(number))
    await kernel.until(40)
    kernel.check(list(range(1, 21)))
    assert [len(exchange.tasks) for exchange in node.asked[:21]] == [1] * 20 + [20]


async def test_a_lost_function_is_sent_again() -> None:
    node = Node()
    node.lose.append("request")
    kernel = Kernel(node)
    kernel.send(entry(1))
    await kernel.until(2)
    assert node.codes == {"code1"}


async def test_controls_survive_a_loss() -> None:
    node = Node()
    kernel = Kernel(node)
    node.lose.append("request")
    kernel.courier.control(Control(7, "interrupt"))
    kernel.courier.flush()
    await until(lambda: node.controls)
    assert node.controls == [Control(7, "interrupt")]
    kernel.courier.close()


async def test_many_large_tasks_take_several_exchanges() -> None:
    node = Node()
    kernel = Kernel(node)
    kernel.send(*(entry(number, size=900_000) for number in range(1, 8)))
    await kernel.until(14)
    kernel.check(list(range(1, 8)))
    sent = [exchange.tasks for exchange in node.asked if exchange.tasks]
    assert [len(tasks) for tasks in sent] == [2, 2, 2, 1]


async def test_one_task_larger_than_an_exchange_goes_alone() -> None:
    node = Node()
    kernel = Kernel(node)
    kernel.send(entry(1, size=3 * module.EXCHANGE_BOUND), entry(2))
    await kernel.until(4)
    kernel.check([1, 2])


async def test_dropped_output_is_counted_and_leaves_no_hole_in_what_follows() -> None:
    node = Node()
    node.log = RunLog(output_bound=10)
    kernel = Kernel(node)
    for _ in range(5):
        node.write(1, Kind.OUTPUT, b"x" * 8)
    kernel.send(entry(1))
    await until(lambda: 1 not in kernel.courier.following)
    assert Kind.DROPPED in [Kind(event.kind) for event in kernel.events]
    assert Kind(kernel.events[-1].kind) is Kind.VALUE
    assert [event.seq for event in kernel.events] == sorted({event.seq for event in kernel.events})


async def test_an_event_that_came_another_way_comes_once() -> None:
    node = Node()
    kernel = Kernel(node)
    kernel.courier.following[9] = False
    first, second = node.write(9, Kind.OUTPUT), node.write(9, Kind.VALUE)
    assert not kernel.courier.advance(second)
    assert kernel.courier.advance(first)
    kernel.deliver(first)
    kernel.courier.flush()
    await kernel.until(2)
    assert [event.seq for event in kernel.events] == [1, 2]
    assert not kernel.courier.advance(second)


async def test_a_node_that_stays_silent_is_reported() -> None:
    node = Node()
    node.lose.extend(["request"] * 1000)
    kernel = Kernel(node, patience=0.0)
    kernel.send(entry(1))
    await until(lambda: kernel.gone)
    assert "lost on the way there" in kernel.gone[0]


async def test_a_node_that_is_known_to_run_is_waited_for() -> None:
    node = Node()
    node.lose.extend(["request"] * 200)
    asked: list[int] = []

    def alive() -> bool:
        asked.append(len(node.asked))
        return True

    kernel = Kernel(node, patience=0.0, alive=alive)
    kernel.send(entry(1))
    await kernel.until(2)
    assert len(asked) == 200
    assert kernel.gone == []
    kernel.check([1])


async def test_closed_it_delivers_nothing_more() -> None:
    node = Node()
    kernel = Kernel(node)
    kernel.courier.following[9] = False
    kernel.courier.flush()
    await asyncio.sleep(0)
    kernel.courier.close()
    node.write(9, Kind.VALUE)
    await asyncio.sleep(0)
    kernel.send(entry(1))
    await asyncio.sleep(0)
    assert kernel.events == []
    assert len(node.asked) == 1


async def test_what_a_task_says_of_itself() -> None:
    made = entry(4, stream=True)
    made.session, made.timeout, made.flags = True, 2.5, "stderr"
    task = task_of(made)
    assert (task.id, task.code, task.session, task.timeout, task.flags) == (4, "code1", True, 2.5, "stderr")
    assert task.credit == FIRST_WINDOW
    assert task_of(entry(5)).credit == 0


@pytest.mark.parametrize("faults", [[], ["request"] * 3, ["answer", "request"] * 2])
async def test_pieces_of_streams_survive_losses(faults: list[str]) -> None:
    node = Node()
    kernel = Kernel(node)
    kernel.courier.following[7] = False
    node.lose.extend(faults)
    for number in range(20):
        kernel.courier.feed(Feed(7, 0, number, b"x"))
        kernel.courier.flush()
        await asyncio.sleep(0)
    await until(lambda: {feed.number for feed in node.feeds} == set(range(20)))
    kernel.courier.close()


async def test_large_pieces_take_several_exchanges_in_order() -> None:
    node = Node()
    kernel = Kernel(node)
    kernel.courier.following[7] = False
    for number in range(7):
        kernel.courier.feed(Feed(7, 0, number, b"x" * 900_000))
    kernel.courier.flush()
    await until(lambda: len(node.feeds) == 7)
    assert [feed.number for feed in node.feeds] == list(range(7))
    assert [len(exchange.feeds) for exchange in node.asked if exchange.feeds] == [2, 2, 2, 1]
    kernel.courier.close()


async def test_a_task_that_has_ended_is_sent_nothing_more() -> None:
    node = Node()
    kernel = Kernel(node)
    kernel.courier.following[7] = False
    kernel.courier.feed(Feed(7, 0, 0, b"x"))
    kernel.courier.feed(Feed(8, 0, 0, b"x"))
    kernel.courier.flush()
    await until(lambda: node.feeds)
    assert [feed.task for feed in node.feeds] == [7]
    kernel.courier.close()


async def test_a_node_may_forget_what_came_last_when_nothing_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ACKNOWLEDGE_AFTER", 0.0)
    node = Node()
    kernel = Kernel(node)
    kernel.send(entry(1))
    await until(lambda: node.asked and node.asked[-1].after == 2)
    assert (node.asked[-1].tasks, node.asked[-1].listen) == ((), True)
    kernel.send(entry(2))
    await until(lambda: len(node.asked) >= 4 and node.asked[-1].after == 4)
    kernel.courier.close()


async def test_an_idle_node_is_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ACKNOWLEDGE_AFTER", 0.0)
    node = Node()
    kernel = Kernel(node)
    kernel.send(entry(1))
    await until(lambda: node.asked and node.asked[-1].listen)
    for number in range(3):
        node.write(1, Kind.OUTPUT, b"late")
        await kernel.until(3 + number)
    await until(lambda: node.asked[-1].listen and node.asked[-1].after == 5)
    assert [event.seq for event in kernel.events] == [1, 2, 3, 4, 5]
    kernel.courier.close()


async def test_a_node_that_cannot_be_listened_to_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ACKNOWLEDGE_AFTER", 0.0)
    node = Node()
    kernel = Kernel(node, patience=0.0)
    node.lose += ["", "request"]
    kernel.send(entry(1))
    await until(lambda: len(node.asked) == 2)
    await asyncio.sleep(0)
    assert (node.asked[-1].listen, kernel.gone) == (True, [])
    kernel.send(entry(2))
    await until(lambda: node.asked[-1].listen and node.asked[-1].after == 4)
    kernel.courier.close()


async def test_what_came_late_can_be_asked_for() -> None:
    node = Node()
    kernel = Kernel(node)
    node.write(1, Kind.OUTPUT, b"late")
    assert await kernel.courier.hear()
    assert [event.body for event in kernel.events] == [b"late"]
    kernel.courier.close()


async def test_a_node_that_is_anothers_says_so() -> None:
    taken: list[str] = []

    async def ask(exchange: Exchange) -> Batch:
        assert exchange.epoch == 3
        return Batch((), taken="kernel 2")

    courier = Courier("kernel", ask, lambda _: None, lambda: False, lambda _: None, epoch=3, taken=taken.append)
    courier.add(entry(1))
    courier.flush()
    await until(lambda: taken)
    assert taken == ["kernel 2"]


async def test_what_another_kernel_had_is_not_asked_for_again() -> None:
    node = Node()
    kernel = Kernel(node)
    for task in (1, 2):
        node.write(task, Kind.VALUE)
    kernel.courier.start_after(1)
    kernel.courier.follow(2, pooled=False)
    kernel.courier.flush()
    await kernel.until(1)
    assert [(event.seq, event.task) for event in kernel.events] == [(2, 2)]


async def test_an_answer_that_never_comes_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATE", 0.1 - Exchange("", 0).hold)
    node = Node()
    node.lose.append("silence")
    kernel = Kernel(node, alive=lambda: True)
    kernel.send(entry(1))
    await kernel.until(2)
    kernel.check([1])
    assert node.ran == [1]


async def test_what_failed_together_goes_again_as_it_was_called() -> None:
    node = Node()
    node.lose.extend(["request", "request", "request"])
    kernel = Kernel(node)
    for number in (1, 2, 3):
        kernel.send(entry(number))
    await kernel.until(6)
    assert node.ran == [1, 2, 3]
