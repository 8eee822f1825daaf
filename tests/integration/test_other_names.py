"""Names of other libraries that mean the same here: each does what the one it stands for does."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path
from uuid import uuid4

import pytest

import skyward as sky


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"test-{uuid4().hex[:8]}"


@sky.function
def double(x: int) -> int:
    return 2 * x


@sky.function(retries=0)
def where() -> tuple[int, bool]:
    return sky.instance_info().node, sky.is_head()


def test_functions_and_pools_are_the_same_things() -> None:
    assert sky.function is sky.compute
    assert sky.Compute is sky.ComputePool
    assert isinstance(double, sky.ComputeFunction)
    assert where()._retries == 0


def test_a_call_goes_on(pool: sky.ComputePool) -> None:
    future = pool.run_async(double(4))
    assert future.result() == 8

    async def awaited() -> int:
        return await pool.run_async(double(5))

    assert asyncio.run(awaited()) == 10
    with pytest.raises(sky.UsageError, match="is a function, not a call"):
        pool.run_async(double, 1)  # type: ignore[call-overload]


def test_the_head_knows_that_it_is(pool: sky.ComputePool) -> None:
    assert where() @ pool == [(0, True), (1, False), (2, False)]
    assert sky.is_head()


def test_sizes() -> None:
    with sky.Compute(nodes=1, worker=sky.Worker(executor="auto"), panel="off") as made:
        assert made.worker == sky.Worker()
        assert made.current_nodes == 1
        made.resize(2)
        assert made.current_nodes == len(made.nodes) == 2
        assert double(1) @ made == [2, 2]
    assert made.current_nodes == 0


def test_collections_are_those_of_the_pool(pool: sky.ComputePool, name: str) -> None:
    with sky.ComputePool(nodes=1, panel="off"):  # the active one
        shared = pool.dict(name)
        shared["a"] = 1
        assert sky.dict(name, pool=pool)["a"] == 1
        assert pool.set(name) == sky.set(name, pool=pool)
        assert pool.counter(name) == sky.counter(name, pool=pool)
        assert pool.queue(name, consistency="eventual") == sky.queue(name, consistency="eventual", pool=pool)
        assert pool.barrier(name, 2) == sky.barrier(name, n=2, pool=pool) == sky.barrier(name, parties=2, pool=pool)
        assert pool.lock(name) == sky.lock(name, pool=pool)
        assert {shared.pool, pool.lock(name, timeout=1).pool} == {pool.name}


def test_a_dict_is_set_by_another_name(pool: sky.ComputePool, name: str) -> None:
    shared = pool.dict(name)
    asyncio.run(shared.set_async("k", [1]))
    assert shared["k"] == [1]


def test_a_counter_starts_from_a_number(pool: sky.ComputePool, name: str) -> None:
    counter = pool.counter(name)
    counter.increment(3)
    counter.reset(10)
    counter.increment()
    assert counter.value == 11
    asyncio.run(counter.reset_async(-4))
    assert counter.value == -4
    counter.reset()
    assert counter.value == 0
    with pytest.raises(sky.UsageError, match="whole numbers"):
        counter.reset(1.5)  # type: ignore[arg-type]

    @sky.compute
    def there() -> int:
        sky.counter(name).reset(7)
        return sky.counter(name).value

    assert there() >> pool == 7


def test_parties_of_a_barrier(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    def meet() -> int:
        barrier = sky.barrier(name, 3)
        barrier.wait(30)
        barrier.reset()
        sky.barrier(name, n=3).wait(30)
        return barrier.parties or 0

    assert meet() @ pool == [3, 3, 3]
    asyncio.run(pool.barrier(name, 3).reset_async())
    with pytest.raises(sky.UsageError, match="parties is 2 and n is 3, which mean the same"):
        pool.barrier(name, 2, n=3)
    with pytest.raises(sky.UsageError, match="parties is 0"):
        sky.barrier(name, n=0, pool=pool)


def test_a_lock_that_is_waited_for_so_long(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    def holding() -> None:
        with sky.lock(name):
            sky.queue(f"{name}-held").put(True)
            sky.queue(f"{name}-end").get(timeout=60)

    held = holding() > pool
    assert pool.queue(f"{name}-held").get(timeout=60)
    lock = pool.lock(name, timeout=0.2)
    assert not lock.acquire()
    assert not asyncio.run(lock.acquire_async())
    with pytest.raises(sky.LockTimeout, match=r"was not free within 0\.2 s; .*timeout=60") as caught, lock:
        pytest.fail("it was not free")
    assert isinstance(caught.value, TimeoutError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.name, again.seconds, str(again)) == (name, 0.2, str(caught.value))

    @sky.compute
    def also(sent: object) -> bool:
        assert isinstance(sent, type(sky.lock(name)))
        return sent.acquire()

    assert (also(lock) >> pool) is False
    pool.queue(f"{name}-end").put(None)
    held.result(60)
    with pool.lock(name, timeout=60):
        assert pool.lock(name).token > 0
    with pytest.raises(sky.UsageError, match="timeout is -1"):
        sky.lock(name, timeout=-1, pool=pool)


def test_output_of_nodes_that_a_function_chooses(pool: sky.ComputePool, capfd: pytest.CaptureFixture[str]) -> None:
    @sky.stdout(only=lambda info: info.node == info.total_nodes - 1)
    @sky.compute
    def last() -> None:
        print("said by", sky.instance_info().node)

    @sky.compute
    @sky.stdout(only=sky.is_head)
    def head() -> None:
        print("head", sky.instance_info().node)

    last() @ pool
    head() @ pool
    out = capfd.readouterr().out
    assert "said by 2" in out
    assert "head 0" in out
    assert out.count("said by") == out.count("head") == 1


def test_pools_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "skyward.toml").write_text(
        '[pools.training]\nnodes = 2\nconcurrency = 2\nexecutor = "auto"\nenv = { MARK = "x" }\n'
        '[profiles.other]\nnodes = [1, 3]\nname = "lab"\n[pools.reach]\njump = "gate"\n'
        '[pools."no name"]\nnodes = 1\n'
    )
    with sky.ComputePool.Named("training") as made:
        assert (made.name, made.size, made.worker) == ("training", 2, sky.Worker(2))
        assert sky.pool("training") is made
    lab = sky.Compute.Named("other")
    assert (lab.name, lab.bounds, lab.state) == ("lab", (1, 3), "new")
    assert sky.ComputePool.Named("no name").size == 1
    with pytest.raises(sky.UsageError, match="no profile 'trainin'; did you mean training"):
        sky.ComputePool.Named("trainin")
    with pytest.raises(sky.UsageError, match="jump is about machines to log in to"):
        sky.ComputePool.Named("reach")
