"""Nodes and processes that are killed while collections are in use.

What was confirmed is there, what was held is free, and what is lost is counted.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

import skyward as sky
from skyward_jupyter.api.collections import find
from skyward_jupyter.collections.cells import SEGMENTS
from skyward_jupyter.collections.engine import WITHIN
from skyward_jupyter.collections.keeper import TTL
from skyward_jupyter.collections.steward import Copies
from skyward_jupyter.runtime.bridge import wait
from tests.faults.conftest import World
from tests.faults.test_nodes import pid_of, replaced

pytestmark = pytest.mark.fault


def kill(pool: sky.ComputePool, world: World, node: int) -> None:
    """Kill a node and wait until another is in its place."""
    old = pid_of(pool, node)
    os.kill(old, signal.SIGKILL)
    world.until(lambda: replaced(pool, node, old), f"node {node} is back")


def copies(pool: sky.ComputePool) -> list[int]:
    """Of how many parts of collections each node keeps a copy."""

    async def count() -> list[int]:
        _, engine = find(pool.name).reach()
        return await engine.ask_others(lambda node: node.ask(Copies()))

    found = wait(count())
    return found if len(found) == 3 else [0]


def kept(count: int) -> dict[int, str]:
    """What a dict keeps: of some keys a value that is kept apart."""
    return {number: str(number) * (1 if number % 10 else 5000) for number in range(count)}


@sky.compute(retries=0)
def write_until_told(number: int) -> tuple[int, int]:
    """How many writes of its own were confirmed, and how many were not."""
    shared, counter, over = sky.dict("written"), sky.counter("counted"), sky.set("over")
    confirmed = refused = 0
    while "over" not in over:
        try:
            shared[number, confirmed] = confirmed
            counter.increment()
            confirmed += 1
        except sky.CollectionUnavailable:
            refused += 1
    return confirmed, refused


@pytest.mark.parametrize("node", [0, 2])
def test_no_confirmed_write_is_lost_with_a_node(pool: sky.ComputePool, world: World, node: int) -> None:
    shared, counter = sky.dict("written", pool=pool), sky.counter("counted", pool=pool)
    writers = [write_until_told(number) > pool for number in range(3)]
    world.until(lambda: counter.value > 60, "all write")
    kill(pool, world, node)
    at = counter.value
    world.until(lambda: counter.value > at + 60, "those that are left go on", within=2 * WITHIN)
    sky.set("over", pool=pool).add("over")
    confirmed, refused, lost = 0, 0, 0
    for writer in writers:
        try:
            done, failed = writer.result(60)
        except sky.NodeLost:
            lost += 1
            continue
        confirmed, refused = confirmed + done, refused + failed
    assert lost == 1
    written = shared.items()
    assert all(key[1] == value for key, value in written)
    assert len(written) >= confirmed
    # What was not confirmed may have been counted nevertheless, as may have been what the lost one did.
    assert counter.value >= confirmed
    assert len(written) == len(shared)


def test_each_call_goes_on_and_counts_once_while_nodes_are_killed(pool: sky.ComputePool, world: World) -> None:
    shared, counter = sky.dict("shared", pool=pool), sky.counter("counted", pool=pool)
    counter.increment(0)
    over = threading.Event()

    def work(writer: int) -> tuple[int, list[str]]:
        confirmed, wrong = 0, []
        while not over.is_set():
            key = writer, confirmed % 20
            shared[key] = confirmed
            if shared.setdefault(key, -1) != confirmed or shared.pop(key) != confirmed or key in shared:
                wrong.append(f"{key} at {confirmed}")
            counter.increment()
            confirmed += 1
        return confirmed, wrong

    with ThreadPoolExecutor(4) as writers:
        writing = [writers.submit(work, writer) for writer in range(4)]
        try:
            for node in (1, 0, 2):
                at = counter.value
                kill(pool, world, node)
                world.until(lambda: counter.value > at + 60, "they go on", within=2 * WITHIN)  # noqa: B023
        finally:
            over.set()
        done = [one.result(60) for one in writing]
    assert [wrong for _, wrong in done] == [[], [], [], []]
    assert counter.value == sum(confirmed for confirmed, _ in done)


def test_every_key_is_there_after_each_node_was_killed_once(pool: sky.ComputePool, world: World) -> None:
    shared, members = sky.dict("kept", pool=pool), sky.set("members", pool=pool)
    shared.update(kept(300))
    members.update(range(300))
    before = copies(pool)
    assert min(before) == max(before) >= 2 * SEGMENTS
    for node in range(3):
        kill(pool, world, node)
        world.until(lambda: min(copies(pool)) >= min(before), "the node in its place has copies of everything")
    assert dict(shared.items()) == kept(300)
    assert set(members) == set(range(300))


@sky.compute
def keep(name: str) -> None:
    """Use collections that the notebook does not know."""
    sky.dict(f"{name}-dict").update({number: number for number in range(50)})
    sky.counter(f"{name}-counter").increment(7)


@sky.compute
def look(name: str) -> str:
    """What the next operation on one of them says, and how many keys there are after it."""
    try:
        len(sky.dict(f"{name}-dict"))
    except sky.CollectionLost as error:
        return f"{error.kind} {error.name} {error.nodes} {error.left}; {len(sky.dict(f'{name}-dict'))}"
    return "nothing"


def test_what_went_with_all_nodes_is_told_once_and_usable_again(pool: sky.ComputePool, world: World) -> None:
    keep("its") >> pool
    old = [view.pid for view in pool.nodes]
    before = time.time()
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    world.until(lambda: all(replaced(pool, node, pid) for node, pid in enumerate(old)), "all are back")
    counter = sky.counter("its-counter", pool=pool)
    with pytest.raises(
        sky.CollectionLost, match="counter 'its-counter' has lost data: nodes 0, 1, 2 were lost"
    ) as told:
        counter.increment()
    assert (told.value.nodes, told.value.left) == ((0, 1, 2), 0)
    assert before <= told.value.at <= time.time()
    assert look("its") @ pool == ["dict its-dict (0, 1, 2) 0; 0"] * 3
    assert look("its") @ pool == ["nothing"] * 3
    counter.increment()
    assert counter.value == 1
    assert sky.counter("new", pool=pool).value == 0


def test_of_two_nodes_that_are_killed_together_nothing_is_lost(pool: sky.ComputePool, world: World) -> None:
    """The second is replaced once what the first kept has its copies again."""
    shared, members = sky.dict("kept", pool=pool), sky.set("members", pool=pool)
    shared.update(kept(100))
    members.update(range(100))
    world.until(lambda: min(copies(pool)) == max(copies(pool)) > SEGMENTS, "all have copies of everything")
    old = {node: pid_of(pool, node) for node in (1, 2)}
    for pid in old.values():
        os.kill(pid, signal.SIGKILL)
    world.until(lambda: all(replaced(pool, *one) for one in old.items()), "both are back", within=60)
    found: list[object] = []

    def answered() -> bool:
        """Too few nodes may answer for some seconds more."""
        with contextlib.suppress(sky.CollectionUnavailable):
            found[:] = [dict(shared.items()), set(members)]
        return bool(found)

    world.until(answered, "enough nodes answer", within=60)
    assert found == [kept(100), set(range(100))]


def test_the_lock_of_a_lost_node_is_free_within_its_lease(pool: sky.ComputePool, world: World) -> None:
    @sky.compute(retries=0)
    def hold() -> None:
        sky.lock("held").acquire()
        sky.dict("where")["held"] = sky.instance_info().node, sky.lock("held").token
        time.sleep(60)

    holding = hold() > pool
    where = sky.dict("where", pool=pool)
    world.until(lambda: "held" in where, "the lock is held")
    node, token = where["held"]
    os.kill(pid_of(pool, node), signal.SIGKILL)
    killed = time.monotonic()
    lock = sky.lock("held", pool=pool)
    assert lock.acquire(timeout=TTL + 10)
    assert time.monotonic() - killed < TTL + 10
    assert lock.token > token
    lock.release()
    with pytest.raises(sky.NodeLost):
        holding.result(30)


def test_the_lock_of_a_killed_process_is_free_at_once(pool: sky.ComputePool, world: World) -> None:
    @sky.compute
    def hold() -> None:
        sky.lock("held").acquire()
        sky.dict("where")["held"] = os.getpid()
        time.sleep(60)

    holding = hold() > pool
    where = sky.dict("where", pool=pool)
    world.until(lambda: "held" in where, "the lock is held")
    os.kill(where["held"], signal.SIGKILL)
    assert sky.lock("held", pool=pool).acquire(timeout=TTL / 2)
    with pytest.raises(sky.SlotDied):
        holding.result(30)


def test_a_lock_of_the_notebook_outlives_other_nodes_and_says_when_it_was_lost(
    pool: sky.ComputePool, world: World
) -> None:
    lock = sky.lock("mine", pool=pool)
    lock.acquire()
    kill(pool, world, 2)
    lock.release()
    lock.acquire()
    kill(pool, world, 0)  # the node that holds it for this process
    with pytest.raises(sky.LockLost, match="was lost while it was held with token 2"):
        lock.release()
    assert lock.acquire(timeout=TTL + 10)
    lock.release()


def test_a_barrier_names_the_node_that_was_killed(pool: sky.ComputePool, world: World) -> None:
    @sky.compute(retries=0)
    def come() -> None:
        if sky.instance_info().node == 2:
            sky.set("came").add("last")
            time.sleep(60)
        sky.barrier("all").wait(timeout=4)

    errors: list[BaseException] = []

    def broadcast() -> None:
        try:
            come() @ pool
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=broadcast)
    thread.start()
    world.until(lambda: "last" in sky.set("came", pool=pool), "it is on its way")
    os.kill(pid_of(pool, 2), signal.SIGKILL)
    thread.join(40)
    (group,) = errors
    assert isinstance(group, ExceptionGroup)
    timeouts = [error for error in group.exceptions if isinstance(error, sky.BarrierTimeout)]
    assert [error.missing for error in timeouts] == [(2,), (2,)]


def test_no_item_is_doubled_or_lost_when_consumers_are_killed(pool: sky.ComputePool, world: World) -> None:
    """Processes are killed, not nodes: what a process had not got is given to another, exactly once."""

    @sky.compute
    def consume() -> None:
        queue, done = sky.queue("work"), sky.dict("done")
        sky.dict("pids")[os.getpid()] = True
        while (item := queue.get(timeout=5)) is not None:
            done[item] = done.get(item, 0) + 1

    queue, done = sky.queue("work", pool=pool), sky.dict("done", pool=pool)
    consumers = [consume() > pool for _ in range(3)]
    world.until(lambda: len(sky.dict("pids", pool=pool)) == 3, "they wait")
    queue.put_many(range(200))
    killed = 0
    for slot in world.slots(pool.name, 1):
        world.until(lambda: len(done) > 20, "they work")
        slot.kill()
        killed += 1
    ended = [_ended(consumer) for consumer in consumers]
    missing = set(range(200)) - set(done)
    assert Counter(dict(done.items())).most_common(1)[0][1] == 1
    # The one item that the killed process had got and not yet noted, at most.
    assert len(missing) <= killed
    assert sum(isinstance(error, sky.SlotDied) for error in ended) == killed
    assert queue.empty()


def test_items_are_there_once_or_counted_when_a_node_is_lost(pool: sky.ComputePool, world: World) -> None:
    @sky.compute(retries=0)
    def consume() -> list[int]:
        queue, taken = sky.queue("work"), sky.set("taken")
        sky.set("ready").add(sky.instance_info().node)
        while (item := queue.get(timeout=8)) is not None:
            taken.add((sky.instance_info().node, item))
        return []

    queue, taken = sky.queue("work", pool=pool), sky.set("taken", pool=pool)
    consumers = [consume() > pool for _ in range(3)]
    world.until(lambda: len(sky.set("ready", pool=pool)) == 3, "they wait")
    queue.put_many(range(300))
    world.until(lambda: len(taken) > 30, "they work")
    kill(pool, world, 1)
    for consumer in consumers:
        _ended(consumer)
    items = Counter(item for _, item in taken)
    left = Counter(iter(lambda: queue.get(timeout=1), None))
    assert max((items + left).values()) == 1
    # One that was being handed to the lost node, or noted there, and one whose answer it owed to somebody else.
    lost = set(range(300)) - set(items) - set(left)
    assert len(lost) <= 3


def test_a_killed_kernel_frees_what_it_held(world: World) -> None:
    name = f"fault-kernel-{os.getpid()}"
    script = world.script(
        f"import skyward as sky, sys\n"
        f"pool = sky.ComputePool(nodes=2, name={name!r}, ttl=20).start()\n"
        f"sky.lock('held').acquire()\n"
        f"print('held', flush=True)\n"
        f"sys.stdin.read()\n"
    )
    assert script.stdout is not None
    assert script.stdout.readline() == "held\n"
    script.kill()
    made = sky.attach(name, force=True)
    try:
        lock = sky.lock("held", pool=made)
        assert lock.acquire(timeout=TTL / 2)
        assert lock.token == 2
    finally:
        made.stop()
    world.until(lambda: world.gone(name), "everything of the pool is gone")


def _ended(future: Future[Any]) -> BaseException | None:
    try:
        future.result(60)
    except sky.SkywardError as error:
        return error
    return None


@sky.compute
def answer_with(kind: str, number: int) -> None:
    """Once a write of the notebook is seen, make another one, which is confirmed."""
    sky.set("ready").add((kind, number))
    shared, members, counter = sky.dict("shared"), sky.set("members"), sky.counter("count")
    match kind:
        case "dict":
            while shared[number] != "old":
                pass
            shared[number] = "new"
        case "clear":
            while number in shared:
                pass
            shared[number] = "new"
        case "set":
            while number not in members:
                pass
            members.remove(number)
        case _:
            while counter.value != 0:
                pass
            counter.increment(50)


@pytest.mark.parametrize("kind", ["dict", "clear", "set", "counter"])
def test_no_confirmed_write_is_undone_by_one_that_had_to_wait_for_its_answer(
    pool: sky.ComputePool, world: World, kind: str
) -> None:
    """Nothing in this process goes on for three seconds just after a write was sent, and its answer lies there."""
    shared, members = sky.dict("shared", pool=pool), sky.set("members", pool=pool)
    counter, ready = sky.counter("count", pool=pool), sky.set("ready", pool=pool)
    hold_the_interpreter = ctypes.PyDLL(None).usleep

    def write(number: int) -> None:
        match kind:
            case "dict":
                shared[number] = "old"
            case "clear":
                shared.clear()
            case "set":
                members.add(number)
            case _:
                counter.reset()

    def undone(number: int) -> bool:
        match kind:
            case "dict" | "clear":
                return bool(shared.get(number) != "new")
            case "set":
                return number in members
            case _:
                return counter.value != 50

    lost = 0
    for number in range(4):
        shared[number] = "before"
        counter.increment()
        answering = answer_with(kind, number) > pool
        world.until(lambda: (kind, number) in ready, "the other writer waits")  # noqa: B023
        with ThreadPoolExecutor(1) as threads:
            writing = threads.submit(write, number)
            time.sleep(0.0004 * number)
            hold_the_interpreter(3_000_000)
            writing.result(30)
        answering.result(30)
        lost += undone(number)
    assert lost == 0
