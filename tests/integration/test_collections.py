"""Collections on real nodes: from slots, from the process that drives the pool, and from both at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

import skyward as sky
from skyward_jupyter.collections import values


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"test-{uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def threads() -> Iterator[sky.ComputePool]:
    """Two nodes whose slots are threads."""
    worker = sky.Worker(concurrency=3, executor="thread")
    with sky.ComputePool(nodes=2, name="threads", worker=worker) as made:
        yield made


@sky.compute
def fill(name: str, mark: object) -> int:
    shared = sky.dict(name)
    node = sky.instance_info().node
    shared[node, mark] = {"from": node}
    shared["last"] = node
    return len(shared)


def test_a_dict_is_one_dict_on_every_node_and_here(pool: sky.ComputePool, name: str) -> None:
    fill(name, "a") @ pool
    here = sky.dict(name, pool=pool)
    assert {key: value for key, value in here.items() if key != "last"} == {
        (node, "a"): {"from": node} for node in range(3)
    }
    assert here["last"] in range(3)
    assert sorted(key for key in here if key != "last") == [(0, "a"), (1, "a"), (2, "a")]
    here["mine"] = [1, 2]

    @sky.compute
    def read() -> Any:
        return sky.dict(name)["mine"]

    assert read() @ pool == [[1, 2]] * 3


def test_a_dict_has_the_protocols_of_a_dict(pool: sky.ComputePool, name: str) -> None:
    shared = sky.dict(name, pool=pool)
    assert not shared
    assert len(shared) == 0
    with pytest.raises(KeyError, match="missing"):
        shared["missing"]
    with pytest.raises(KeyError):
        del shared["missing"]
    with pytest.raises(KeyError):
        shared.pop("missing")
    assert shared.pop("missing", 3) == 3
    assert shared.get("missing") is None
    assert shared.get("missing", 5) == 5
    shared.update({"a": 1, "b": None}, c=3)
    assert "a" in shared
    assert "z" not in shared
    assert shared["b"] is None
    assert shared.setdefault("a", 9) == 1
    assert shared.setdefault("d", 4) == 4
    assert sorted(shared.keys()) == ["a", "b", "c", "d"]
    assert sorted(shared.values(), key=str) == [1, 3, 4, None]
    assert shared.pop("c") == 3
    del shared["d"]
    assert sorted(shared.items()) == [("a", 1), ("b", None)]
    assert bool(shared)
    shared.clear()
    assert list(shared) == []


def test_keys_are_found_by_value_from_everywhere(pool: sky.ComputePool, name: str) -> None:
    shared = sky.dict(name, pool=pool)
    shared[True] = "one"
    shared[frozenset("abc"), (1.5, "x")] = "set"

    @sky.compute
    def read() -> tuple[str, str]:
        there = sky.dict(name)
        return there[1.0], there[frozenset("cba"), (1.5, "".join(["x"]))]

    assert read() @ pool == [("one", "set")] * 3
    with pytest.raises(TypeError, match="unhashable type: 'list'"):
        shared[[1]] = 1
    with pytest.raises(sky.KeyRefused, match="only equal to itself"):
        shared[object()] = 1


def test_a_set_has_the_protocols_of_a_set(pool: sky.ComputePool, name: str) -> None:
    shared = sky.set(name, pool=pool)
    shared.update(range(5), {3, "x"})
    shared.add(2)
    assert set(shared) == {0, 1, 2, 3, 4, "x"}
    shared.discard("x")
    shared.discard("x")
    with pytest.raises(KeyError):
        shared.remove("x")
    shared.remove(4)
    assert 3 in shared
    assert 4 not in shared
    assert len(shared) == 4

    @sky.compute
    def add() -> None:
        sky.set(name).add(sky.instance_info().node + 100)

    add() @ pool
    assert set(shared) == {0, 1, 2, 3, 100, 101, 102}
    shared.clear()
    assert not shared


def test_many_count_at_once_and_nothing_is_lost(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    def count(times: int) -> None:
        counter = sky.counter(name)
        for _ in range(times):
            counter.increment()
        counter.decrement(2)

    sky.gather(*(count(50) for _ in range(6))) >> pool
    counter = sky.counter(name, pool=pool)
    assert counter.value == int(counter) == 6 * 48
    counter.increment(-8)
    assert counter.value == 280
    counter.reset()
    assert counter.value == 0
    with pytest.raises(sky.UsageError, match="whole numbers"):
        counter.increment(1.5)  # type: ignore[arg-type]


def test_every_item_of_a_queue_goes_to_one_consumer(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    def take(wait: float) -> list[int]:
        queue, taken = sky.queue(name), []
        while (item := queue.get(timeout=wait)) is not None:
            taken.append(item)
        return taken

    @sky.compute
    def put(start: int) -> None:
        for item in range(start, start + 60):
            sky.queue(name).put(item)

    # Two on one node's slots would wait for each other: these are as many as there are slots.
    mine = take(3.0) > pool
    others = take(3.0) > pool
    put(0) >> pool
    sky.queue(name, pool=pool).put_many(range(60, 120))
    taken = Counter([*mine.result(), *others.result()])
    assert taken == Counter(range(120))
    assert sky.queue(name, pool=pool).empty()


def test_a_queue_keeps_its_order_and_says_how_long_it_is(pool: sky.ComputePool, name: str) -> None:
    queue = sky.queue(name, pool=pool)
    assert queue.empty()
    assert queue.get(timeout=0) is None
    started = time.monotonic()
    assert queue.get(timeout=0.3) is None
    assert 0.25 < time.monotonic() - started < 10
    queue.put("a")
    queue.put_many(["b", None, "c"])
    assert len(queue) == 4
    assert [queue.get() for _ in range(4)] == ["a", "b", None, "c"]
    queue.put_many(range(10))
    queue.clear()
    assert not queue


def test_who_waits_for_an_item_is_woken_by_it(pool: sky.ComputePool, name: str, until: Any) -> None:
    queue = sky.queue(name, pool=pool)

    @sky.compute
    def take() -> Any:
        return sky.queue(name).get()

    from skyward_jupyter.api.collections import watch
    from skyward_jupyter.runtime.bridge import wait

    async def takers() -> int:
        return len((await watch(queue).queue()).takers)

    took = []
    for item in range(3):
        waiting = take() > pool
        until(lambda: wait(takers()) == 1, "the task waits")
        put = time.monotonic()
        queue.put(item)
        assert waiting.result() == item
        took.append(time.monotonic() - put)
    assert min(took) < 1.5  # it does not look by itself for two seconds


def test_a_barrier_opens_for_all_again_and_again(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    def step(times: int) -> list[bool]:
        barrier = sky.barrier(name)
        seen: list[bool] = []
        reached = sky.counter(f"{name}-reached")
        for number in range(times):
            reached.increment()
            barrier.wait(timeout=20)
            seen.append(reached.value >= 3 * (number + 1))
            barrier.wait(timeout=20)
        return seen

    assert step(6) @ pool == [[True] * 6] * 3


def test_a_barrier_that_times_out_names_who_did_not_come(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    def come() -> None:
        if sky.instance_info().node != 1:
            sky.barrier(name).wait(timeout=0.5)

    with pytest.raises(ExceptionGroup) as caught:
        come() @ pool
    errors = caught.value.exceptions
    assert {error.missing for error in errors if isinstance(error, sky.BarrierTimeout)} == {(1,)}
    assert "2 of 3 parties had come" in str(errors[0])
    assert "nobody came from node 1" in str(errors[0])
    assert isinstance(errors[0], TimeoutError)


def test_a_barrier_may_be_of_other_parties(pool: sky.ComputePool, name: str) -> None:
    barrier = sky.barrier(name, parties=2, pool=pool)
    assert barrier.parties == 2

    @sky.compute
    def come() -> str:
        sky.barrier(name, parties=2).wait(timeout=20)
        return "through"

    other = come() > pool
    barrier.wait(timeout=20)
    assert other.result() == "through"


def test_one_at_a_time_holds_a_lock_and_tokens_rise(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    def hold(times: int) -> None:
        lock, held, tokens = sky.lock(name), sky.counter(f"{name}-held"), sky.queue(f"{name}-tokens")
        for _ in range(times):
            with lock:
                held.increment()
                tokens.put((lock.token, held.value))
                held.decrement()

    hold(8) @ pool
    with sky.lock(name, pool=pool) as lock:
        last = lock.token
    tokens = sky.queue(f"{name}-tokens", pool=pool)
    seen = [tokens.get() for _ in range(len(tokens))]
    assert [count for _, count in seen if count != 1] == []
    rising = [token for token, _ in seen]
    assert rising == sorted(set(rising))
    assert len(rising) == 24
    assert last > rising[-1]


def test_wrong_use_of_a_lock_is_refused(pool: sky.ComputePool, name: str) -> None:
    lock = sky.lock(name, pool=pool)
    with pytest.raises(sky.LockMisused, match="not held here"):
        lock.release()
    with pytest.raises(sky.LockMisused, match="not held here"):
        _ = lock.token
    with lock, pytest.raises(sky.LockMisused, match="not reentrant"):
        lock.acquire()

    @sky.compute
    def again() -> str:
        with sky.lock(name), pytest.raises(sky.LockMisused):
            sky.lock(name).acquire()
        with pytest.raises(RuntimeError):
            sky.lock(name).release()
        return "refused"

    assert again() >> pool == "refused"
    assert lock.acquire(timeout=5)
    lock.release()


def test_a_lock_that_is_held_elsewhere_is_not_had_in_time(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    def attempt(timeout: float) -> bool:
        return sky.lock(name).acquire(timeout=timeout)

    with sky.lock(name, pool=pool):
        assert attempt(0) >> pool is False
        assert attempt(0.3) >> pool is False
    assert attempt(10) >> pool is True
    assert attempt(10) >> pool is True  # the call before ended, and what it held was freed


def test_another_thread_does_not_release_a_lock(pool: sky.ComputePool, name: str) -> None:
    lock = sky.lock(name, pool=pool)
    with ThreadPoolExecutor(1) as other, lock:
        with pytest.raises(sky.LockMisused, match="not held here"):
            other.submit(lock.release).result()
        assert other.submit(lock.acquire, 0.2).result() is False


def test_a_lock_is_renewed_while_it_is_held(pool: sky.ComputePool, name: str) -> None:
    from skyward_jupyter.collections.keeper import TTL

    @sky.compute
    def attempt() -> bool:
        return sky.lock(name).acquire(timeout=TTL + 3)

    lock = sky.lock(name, pool=pool)
    with lock:
        assert attempt() >> pool is False
        assert isinstance(lock.token, int)


def test_an_interrupted_wait_leaves_nothing_behind(pool: sky.ComputePool, name: str, until: Any) -> None:
    @sky.compute
    def wait_for_all() -> None:
        sky.set(f"{name}-began").add(sky.instance_info().node)
        sky.lock(name).acquire()

    @sky.compute
    def take() -> None:
        sky.set(f"{name}-began").add("take")
        sky.queue(f"{name}-queue").get()

    began = sky.set(f"{name}-began", pool=pool)
    with sky.lock(name, pool=pool):
        waiting = [wait_for_all() > pool, take() > pool]
        until(lambda: len(began) == 2, "both wait")
        pool.interrupt()
        for future in waiting:
            with pytest.raises((KeyboardInterrupt, sky.TaskInterrupted)):
                future.result()
    lock = sky.lock(name, pool=pool)
    assert lock.acquire(timeout=5)
    lock.release()
    sky.queue(f"{name}-queue", pool=pool).put("kept")
    assert sky.queue(f"{name}-queue", pool=pool).get(timeout=5) == "kept"


def test_a_name_is_one_collection(pool: sky.ComputePool, name: str) -> None:
    sky.counter(name, pool=pool).increment()
    with pytest.raises(sky.CollectionMismatch, match=f"'{name}' is a strong counter in this pool, and is asked for as"):
        sky.dict(name, pool=pool)["a"] = 1

    @sky.compute
    def other() -> None:
        sky.counter(name, consistency="eventual").increment()

    with pytest.raises(sky.CollectionMismatch, match="as an eventual counter"):
        other() >> pool
    sky.barrier(f"{name}-b", parties=1, pool=pool).wait()
    with pytest.raises(sky.CollectionMismatch, match=r"a barrier of 1 .* as a barrier of 2"):
        sky.barrier(f"{name}-b", parties=2, pool=pool).wait()


def test_names_and_settings_are_checked(pool: sky.ComputePool) -> None:
    for wrong in ("", "a b", "ä", "x" * 101, "-a", 3):
        with pytest.raises(sky.UsageError, match="cannot name a dict"):
            sky.dict(wrong, pool=pool)  # type: ignore[arg-type]
    with pytest.raises(sky.UsageError, match="'strong' or 'eventual'"):
        sky.set("a", consistency="weak", pool=pool)  # type: ignore[arg-type]
    with pytest.raises(sky.UsageError, match="number from 1"):
        sky.barrier("a", parties=0, pool=pool)
    with pytest.raises(sky.UsageError, match="seconds from 0"):
        sky.queue("a", pool=pool).get(timeout=-1)


def test_large_values_are_written_read_and_taken_as_small_ones_are(pool: sky.ComputePool, name: str) -> None:
    shared = sky.dict(name, pool=pool)
    large = {number: bytes([number]) * 10**5 for number in range(20)}
    shared.update(large, small=b"s")
    assert dict(shared.items()) == {**large, "small": b"s"}
    assert shared.setdefault(0, bytes(10**5)) == large[0]
    assert shared.setdefault("new", large[1]) == large[1]

    @sky.compute
    def swap() -> bytes:
        here, node = sky.dict(name), sky.instance_info().node
        taken: bytes = here.pop(node)
        here["small"] = bytes(5000 + node)
        return taken

    assert swap() @ pool == [large[node] for node in range(3)]
    assert len(shared["small"]) in range(5000, 5003)
    shared["small"] = b"s"
    assert shared["small"] == b"s"
    assert 0 not in shared
    assert shared.get(0) is None
    assert len(shared) == 17 + 2
    shared.clear()
    assert list(shared.items()) == []
    assert shared.pop("new", "none") == "none"


def test_clear_beside_writers_removes_what_was_there_before_it_and_nothing_after(
    pool: sky.ComputePool, name: str
) -> None:
    shared, members = sky.dict(name, pool=pool), sky.set(f"{name}-set", pool=pool)

    @sky.compute
    def write(turns: int) -> list[tuple[int, int]]:
        here, there, node = sky.dict(name), sky.set(f"{name}-set"), sky.instance_info().node
        for turn in range(turns):
            here.update({(node, turn, number): turn for number in range(50)})
            there.update((node, turn, number) for number in range(50))
        return [(node, turn) for turn in range(turns)]

    shared.update({(9, 0, number): 0 for number in range(200)})
    members.update((9, 0, number) for number in range(200))
    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(lambda: write(20) @ pool)
        for _ in range(5):
            shared.clear()
            members.clear()
        assert not {key for key in (*shared.keys(), *members) if key[0] == 9}
        writing.result(60)
    found = dict(shared.items())
    assert len(found) == len(shared)
    assert len(set(members)) == len(members)
    assert all(key[1] == value for key, value in found.items())
    shared.clear()
    members.clear()
    write(1) @ pool
    everything = {(node, 0, number) for node in range(3) for number in range(50)}
    assert set(shared.keys()) == set(members) == everything


def test_many_writers_at_once_of_one_process_are_each_told_what_they_found(pool: sky.ComputePool, name: str) -> None:
    shared = sky.dict(name, pool=pool)

    async def work() -> list[Any]:
        await asyncio.gather(*(shared.setitem_async(number, number) for number in range(500)))
        return await asyncio.gather(*(shared.pop_async(number % 600, None) for number in range(1200)))

    popped = asyncio.run(work())
    assert Counter(popped) == {**dict.fromkeys(range(500), 1), None: 700}
    assert len(shared) == 0


def test_many_counts_at_once_of_one_process_are_all_counted(pool: sky.ComputePool, name: str) -> None:
    counter = sky.counter(name, pool=pool)

    async def work() -> None:
        deltas = [*range(200), *[2**62, -(2**62)] * 20, *range(-100, 0)]
        await asyncio.gather(*map(counter.increment_async, deltas))

    asyncio.run(work())
    assert counter.value == sum(range(200)) + sum(range(-100, 0))

    async def anew() -> None:
        await asyncio.gather(*(counter.increment_async(7) for _ in range(50)), counter.reset_async())
        await asyncio.gather(*(counter.increment_async() for _ in range(50)))

    asyncio.run(anew())
    assert counter.value == 50


def test_too_large_is_refused_with_its_size(pool: sky.ComputePool, name: str) -> None:
    shared = sky.dict(name, pool=pool)
    shared["largest"] = b"x" * (values.LIMIT - 100)
    assert len(shared["largest"]) == values.LIMIT - 100
    with pytest.raises(sky.ValueTooLarge, match=r"the value of .a. takes 5,000,0\d\d bytes pickled") as caught:
        shared["a"] = b"x" * 5_000_000
    assert caught.value.limit == values.LIMIT
    with pytest.raises(sky.ValueTooLarge, match="this key takes"):
        shared["k" * 5000] = 1


def test_eventual_is_the_same_to_use(pool: sky.ComputePool, name: str) -> None:
    shared = sky.dict(name, consistency="eventual", pool=pool)
    shared.update(dict.fromkeys(range(30)))

    @sky.compute
    def count() -> int:
        return len(sky.dict(name, consistency="eventual"))

    assert count() @ pool == [30] * 3


def test_a_collection_travels_as_itself(pool: sky.ComputePool, name: str) -> None:
    shared, counter = sky.dict(name, pool=pool), sky.counter(f"{name}-count", pool=pool)

    @sky.compute
    def use(given: Any) -> Any:
        given["node"] = sky.instance_info().node
        counter.increment()
        return given

    back = use(shared) >> pool
    assert back == shared
    assert back["node"] in range(3)
    assert counter.value == 1
    assert repr(shared) == f"<dict '{name}' of pool 'shared'>"


def test_async_functions_have_twins_of_everything(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    async def use() -> Any:
        shared, queue = sky.dict(name), sky.queue(f"{name}-queue")
        await shared.setitem_async("a", 1)
        await shared.update_async(b=2)
        await asyncio.gather(*(sky.counter(f"{name}-count").increment_async() for _ in range(20)))
        getting = asyncio.create_task(queue.get_async())
        await queue.put_async("item")
        async with sky.lock(f"{name}-lock") as lock:
            token = lock.token
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sky.barrier(f"{name}-barrier").wait_async(), 0.2)
        return (
            await shared.getitem_async("a"),
            await shared.contains_async("b"),
            sorted([key async for key in shared]),
            await shared.len_async(),
            await sky.counter(f"{name}-count").value_async(),
            await getting,
            token,
        )

    assert use() >> pool == (1, True, ["a", "b"], 2, 20, "item", 1)


async def test_the_twins_work_on_any_loop_here(pool: sky.ComputePool, name: str) -> None:
    shared, lock = sky.dict(name, pool=pool), sky.lock(f"{name}-lock", pool=pool)
    await shared.setitem_async("a", 1)
    assert await shared.get_async("a") == 1
    assert await shared.setdefault_async("a", 5) == 1
    assert await shared.pop_async("a") == 1
    async with lock:
        other = asyncio.create_task(lock.acquire_async(timeout=0.2))
        assert await other is False
        with pytest.raises(sky.LockMisused, match="not reentrant"):
            await lock.acquire_async()
    assert await lock.acquire_async(timeout=5)
    await lock.release_async()


async def test_a_cancelled_wait_is_withdrawn(pool: sky.ComputePool, name: str) -> None:
    barrier = sky.barrier(name, parties=2, pool=pool)
    waiting = asyncio.create_task(barrier.wait_async())
    await asyncio.sleep(0.3)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(sky.BarrierTimeout, match="1 of 2"):
        await barrier.wait_async(timeout=0.5)


def test_nodes_that_share_no_memory_share_them_as_well(far: sky.ComputePool, name: str) -> None:
    fill(name, 1) @ far
    assert {key for key in sky.dict(name, pool=far) if key != "last"} == {(0, 1), (1, 1)}


def test_thread_slots_share_as_well(threads: sky.ComputePool, name: str) -> None:
    @sky.compute
    def use(number: int) -> int:
        with sky.lock(f"{name}-lock") as lock:
            sky.counter(name).increment()
            sky.dict(f"{name}-dict")[number] = lock.token
            return lock.token

    tokens = sky.gather(*(use(number) for number in range(12))) >> threads
    assert sorted(tokens) == list(range(1, 13))
    assert sky.counter(name, pool=threads).value == 12
    assert sorted(sky.dict(f"{name}-dict", pool="threads").values()) == list(range(1, 13))


def test_a_thread_slot_that_waits_can_be_interrupted(threads: sky.ComputePool, name: str, until: Any) -> None:
    @sky.compute
    def wait_long() -> None:
        sky.counter(f"{name}-began").increment()
        sky.queue(name).get()

    waiting = wait_long() > threads
    until(lambda: sky.counter(f"{name}-began", pool=threads).value == 1, "it waits")
    threads.interrupt()
    with pytest.raises((KeyboardInterrupt, sky.TaskInterrupted)):
        waiting.result()


def test_threads_of_user_code_may_use_them(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    def use() -> int:
        counter = sky.counter(name)
        workers = [threading.Thread(target=counter.increment) for _ in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return counter.value

    assert use() >> pool == 8
    here = sky.counter(name, pool=pool)
    with ThreadPoolExecutor(4) as some:
        list(some.map(lambda _: here.increment(), range(8)))
    assert here.value == 16


def test_processes_of_user_code_may_use_them(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    def use() -> int:
        import os

        counter = sky.counter(name)
        counter.increment()
        if (child := os.fork()) == 0:
            counter.increment()
            os._exit(0)
        os.waitpid(child, 0)
        return counter.value

    assert use() >> pool == 2


def test_another_pool_is_refused_on_a_node(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    def elsewhere() -> None:
        sky.dict(name, pool="other")["a"] = 1

    with pytest.raises(sky.UsageError, match="cannot reach the collections of pool 'other'"):
        elsewhere() >> pool


def test_no_pool_and_a_stopped_pool_say_so() -> None:
    with pytest.raises(sky.NoPool, match="there is no pool 'nowhere'"):
        sky.dict("a", pool="nowhere")
    with sky.ComputePool(nodes=1, name="brief") as made:
        shared = sky.dict("a", pool=made)
        shared["a"] = 1
    with pytest.raises(sky.PoolStopped, match="pool 'brief' does not run any more"):
        shared["a"]


def test_a_pool_without_a_node_says_so() -> None:
    with sky.ComputePool(nodes=(0, 2), name="empty") as made:
        with pytest.raises(sky.PoolStopped, match="has no node, and collections live in nodes"):
            sky.dict("a", pool=made)["a"] = 1

        @sky.compute
        def use() -> int:
            sky.counter("a").increment()
            return sky.counter("a").value

        assert use() >> made == 1
        assert sky.counter("a", pool=made).value == 1


def test_a_pool_may_grow_and_shrink_under_them() -> None:
    @sky.compute
    def meet() -> int:
        sky.barrier("everybody").wait(timeout=20)
        return len(sky.dict("kept"))

    with sky.ComputePool(nodes=1, name="grows") as made:
        shared = sky.dict("kept", pool=made)
        shared.update({number: number for number in range(200)})
        assert meet() @ made == [200]
        made.scale(4)
        assert meet() @ made == [200] * 4
        shared.update({number: number for number in range(200, 400)})
        made.scale(2)
        assert meet() @ made == [400] * 2
        assert sorted(shared.items()) == [(number, number) for number in range(400)]


def test_calls_go_on_when_the_link_to_the_nodes_is_made_anew(pool: sky.ComputePool, name: str, until: Any) -> None:
    from skyward_jupyter.api.collections import find
    from skyward_jupyter.runtime.bridge import runtime

    hub, _ = find(pool.name).reach()
    shared, counter = sky.dict(name, pool=pool), sky.counter(f"{name}-count", pool=pool)
    shared["times"], over = 0, threading.Event()
    counter.increment(0)

    def work(number: int) -> int:
        times = 0
        while not over.is_set():
            shared[number, times % 50] = times
            assert shared[number, times % 50] == times
            counter.increment()
            times += 1
        return times

    with ThreadPoolExecutor(4) as workers:
        working = [workers.submit(work, number) for number in range(4)]
        for _ in range(4):
            before, at = hub.client, counter.value
            assert hub.redial is not None
            runtime().call_soon(hub.redial.mended, 0)
            until(lambda: hub.client is not before, "there is another client")  # noqa: B023
            until(lambda: counter.value > at + 20 or any(one.done() for one in working), "all go on")  # noqa: B023
        over.set()
        counted = sum(one.result() for one in working)
    assert counter.value == counted
