"""How a pool is asked for, before anything runs."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import skyward as sky
from skyward_jupyter.api import registry
from skyward_jupyter.api.spec import nodes_again, terms_of


@pytest.mark.parametrize("concurrency", [0, -1, True, 1.0, "2", None])
def test_a_worker_runs_at_least_one_task(concurrency: Any) -> None:
    with pytest.raises(sky.UsageError, match="runs 1 to 250 tasks"):
        sky.Worker(concurrency=concurrency)


@pytest.mark.parametrize("executor", ["processes", "", None, "PROCESS"])
def test_a_worker_has_processes_or_threads(executor: Any) -> None:
    with pytest.raises(sky.UsageError, match="choose 'process' or 'thread'"):
        sky.Worker(executor=executor)


def test_a_worker_is_a_value() -> None:
    assert sky.Worker() == sky.Worker(1, "process")
    with pytest.raises(dataclasses.FrozenInstanceError):
        sky.Worker().concurrency = 2  # type: ignore[misc]


@pytest.mark.parametrize("nodes", [0, -1, True, False, 251, "4", 4.0, (1, 2, 3), (1, "4"), ()])
def test_sizes_that_no_pool_has(nodes: Any) -> None:
    with pytest.raises(sky.UsageError, match="has 1 to 250"):
        sky.ComputePool(nodes=nodes)


@pytest.mark.parametrize(
    ("made", "numbers"),
    [
        (sky.Nodes(4), (4, 4, 4)),
        (sky.Nodes(min=2, max=16), (2, 2, 16)),
        (sky.Nodes(4, 2, 16), (4, 2, 16)),
        (sky.Nodes(max=8), (1, 1, 8)),
        (sky.Nodes(5, max=8), (5, 1, 8)),
        (sky.Nodes(5, min=2), (5, 2, 5)),
        (sky.Nodes(0, max=3), (0, 0, 3)),
        (sky.Nodes(min=0, max=3), (0, 0, 3)),
    ],
)
def test_what_is_left_out_of_nodes(made: sky.Nodes, numbers: tuple[int, int, int]) -> None:
    assert (made.desired, made.min, made.max) == numbers
    assert made.elastic is (numbers[1] < numbers[2])


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({}, "needs a number|says nothing"),
        ({"min": 3}, "needs a number|says nothing"),
        ({"min": 4, "max": 2}, "4 <= 4 <= 2 does not hold"),
        ({"desired": 5, "min": 1, "max": 4}, "1 <= 5 <= 4 does not hold"),
        ({"min": 0, "max": 0}, "runs nothing"),
        ({"min": 0, "max": 251}, "max is 251; a pool on this machine has 0 to 250"),
        ({"min": True, "max": 2}, "min is True"),
        ({"min": -1, "max": 2}, "min is -1"),
        ({"desired": 2.0}, "desired is 2.0"),
        ({"max": 2, "idle_after": 0}, "idle_after is 0; give a positive number of seconds"),
        ({"max": 2, "idle_after": float("inf")}, "idle_after is inf"),
    ],
)
def test_nodes_that_cannot_be(facts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(sky.UsageError, match=sentence):
        sky.Nodes(**facts)


def test_a_pair_is_a_range() -> None:
    assert sky.ComputePool(nodes=(2, 16)).bounds == (2, 16)
    assert sky.ComputePool(nodes=sky.Nodes(3)).bounds is None
    assert sky.ComputePool(nodes=(3, 3)).bounds is None


@pytest.mark.parametrize("retries", [-1, True, 1.0, "3"])
def test_retries_that_cannot_be(retries: Any) -> None:
    for make in (
        lambda: sky.ComputePool(retries=retries),
        lambda: sky.ComputePool(max_retries=retries),
        lambda: sky.compute(retries=retries),
        lambda: sky.compute(print)().with_retries(retries),
    ):
        with pytest.raises(sky.UsageError, match="say how often a call may be repeated"):
            make()


@pytest.mark.parametrize("name", ["", "1a", "a b", "a/b", "x" * 33, "é", "a\n", "-a"])
def test_names_that_no_pool_has(name: str) -> None:
    with pytest.raises(sky.UsageError, match="is no pool name"):
        sky.ComputePool(name=name)


@pytest.mark.parametrize("env", [{"A": 1}, {1: "a"}, {"A": None}])
def test_an_environment_is_text(env: Any) -> None:
    with pytest.raises(sky.UsageError, match="environment variable"):
        sky.ComputePool(env=env)


def test_a_pool_before_it_starts() -> None:
    pool = sky.ComputePool(nodes=3, name="unborn", worker=sky.Worker(2))
    assert (pool.state, pool.size, pool.nodes, pool._inner.concurrency, pool._inner.bytes_sent) == ("new", 3, (), 2, 0)
    assert repr(pool) == "<ComputePool 'unborn': 3 local nodes, new>"
    assert repr(sky.ComputePool(name="one")) == "<ComputePool 'one': 1 local node, new>"
    assert pool._repr_mimebundle_() == {"text/plain": repr(pool)}
    pool.stop()
    pool.interrupt()
    pool._inner.close_now()
    assert pool.state == "new"


def test_names_are_made_up() -> None:
    first, second = sky.ComputePool(), sky.ComputePool()
    assert first.name != second.name


@sky.compute
def call() -> None: ...


@pytest.mark.parametrize(
    "use",
    [
        lambda pool: call() >> pool,
        lambda pool: call() @ pool,
        lambda pool: sky.gather(call()) >> pool,
        lambda pool: pool._inner.panel,
        lambda pool: pool.map(call, []),
        lambda pool: pool.stream(sky.gather(call())),
        lambda pool: (call() > pool).result(10),
    ],
    ids=["run", "broadcast", "gather", "panel", "map", "stream", "future"],
)
def test_using_it_before_it_starts(use: Any) -> None:
    with pytest.raises(sky.NoPool, match="has not started"):
        use(sky.ComputePool(name="early"))


def test_scaling_it_before_it_starts() -> None:
    with pytest.raises(sky.PoolStopped, match="is new; start it"):
        sky.ComputePool().scale(2)


@pytest.mark.parametrize("nodes", [sky.Nodes(4), sky.Nodes(4, 2, 16, 5.0), sky.Nodes(min=0, max=3)])
def test_nodes_come_back_from_a_record(nodes: sky.Nodes) -> None:
    told = terms_of(nodes, retries=1, max_retries=2, patience=3.0, panel="off")
    assert nodes_again(told, 4) == nodes
    assert (told.retries, told.max_retries, told.patience, told.panel) == (1, 2, 3.0, "off")


def test_a_fixed_pool_comes_back_with_the_size_it_had_last() -> None:
    told = terms_of(sky.Nodes(4), retries=1, max_retries=2, patience=3.0, panel="off")
    assert [nodes_again(told, size) for size in (6, 0)] == [sky.Nodes(6), sky.Nodes(1)]


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[sky.ComputePool]:
    monkeypatch.setattr(registry, "_pools", {})
    monkeypatch.setattr(registry.atexit, "register", lambda _: None)
    made = [sky.ComputePool(name=name) for name in ("small", "big")]
    for pool in made:
        registry.add(pool)
    return made


def test_the_active_pool_is_the_last_one_started(pools: list[sky.ComputePool]) -> None:
    small, big = pools
    assert sky.pool() is big
    assert sky.pool("small") is small
    assert sky.pools() == (small, big)
    registry.remove(big)
    assert sky.pool() is small
    registry.remove(big)
    registry.remove(small)
    with pytest.raises(sky.NoPool):
        sky.pool()


def test_an_unknown_pool_lists_the_others(pools: list[sky.ComputePool]) -> None:
    with pytest.raises(sky.NoPool, match=r"there is no pool 'huge' \(running: small, big\)"):
        sky.pool("huge")


def test_another_pool_of_the_same_name_is_not_removed(pools: list[sky.ComputePool]) -> None:
    registry.remove(sky.ComputePool(name="big"))
    assert sky.pool("big") is pools[1]
