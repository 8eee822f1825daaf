"""Large arguments and results, through shared memory and through the cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import skyward as sky
from tests.integration.conftest import Until

MIB = 2**20


@pytest.fixture(params=["pool", "far"])
def target(request: pytest.FixtureRequest) -> sky.ComputePool:
    """A pool of each kind."""
    made: sky.ComputePool = request.getfixturevalue(request.param)
    return made


@pytest.fixture(scope="module")
def large() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, 64 * MIB, dtype=np.uint8)


@sky.compute
def total(array: np.ndarray) -> int:
    return int(array.sum())


@sky.compute
def change(array: np.ndarray) -> np.ndarray:
    array[:3] = [7, 8, 9]
    return array


@sky.compute
def zeros(size: int) -> np.ndarray:
    return np.zeros(size, dtype=np.uint8)


def test_64_mb_there_and_back(target: sky.ComputePool, large: np.ndarray) -> None:
    before = large[:3].copy()
    back = change(large) >> target
    assert list(back[:3]) == [7, 8, 9]
    assert np.array_equal(back[3:], large[3:])
    assert np.array_equal(large[:3], before)
    back[:] = 0


def test_64_mb_to_every_node(target: sky.ComputePool, large: np.ndarray) -> None:
    assert set(total(large) @ target) == {int(large.sum())}


def test_a_change_is_seen_by_the_next_call(target: sky.ComputePool) -> None:
    array = np.zeros(MIB, dtype=np.uint8)
    for n in range(1, 5):
        array[0] = n
        assert set(total(array) @ target) == {n}


def test_many_parts(target: sky.ComputePool) -> None:
    rng = np.random.default_rng(1)
    frames = {f"c{n}": rng.random(1000 * n + 1) for n in range(60)}
    back = sky.compute(lambda frames: {name: array * 2 for name, array in frames.items()})(frames) >> target
    assert list(back) == list(frames)
    assert all(np.array_equal(back[name], frames[name] * 2) for name in frames)


def test_one_array_many_times(target: sky.ComputePool) -> None:
    array = np.ones(2 * MIB, dtype=np.uint8)
    found = sky.gather(*[total(array)] * 8, total(array + 1)) >> target
    assert found == [2 * MIB] * 8 + [4 * MIB]


def test_equal_results_of_many_tasks(target: sky.ComputePool) -> None:
    for _ in range(5):
        assert {array.sum() for array in zeros(MIB) @ target} == {0}
        assert [len(array) for array in sky.gather(*[zeros(MIB)] * 6) >> target] == [MIB] * 6


def test_equal_arrays_in_one_result(target: sky.ComputePool) -> None:
    first, second = sky.compute(lambda n: (np.ones(n), np.ones(n)))(MIB // 8) >> target
    first[0] = 5
    assert second[0] == 1


def test_an_argument_comes_back_as_it_was(target: sky.ComputePool) -> None:
    array = np.arange(MIB, dtype=np.uint8)
    for _ in range(3):
        assert all(np.array_equal(back, array) for back in sky.compute(lambda a: a)(array) @ target)


def test_a_closure_with_a_large_array(target: sky.ComputePool, large: np.ndarray) -> None:
    expected = int(large.sum())
    assert set(sky.compute(lambda: int(large.sum()))() @ target) == {expected}
    assert sky.compute(lambda x: int(large.sum()) + x)(1) >> target == expected + 1


def test_other_large_things(target: sky.ComputePool) -> None:
    for value in ("ü" * 3 * MIB, os.urandom(3 * MIB), list(range(500_000)), {n: str(n) for n in range(100_000)}):
        assert sky.compute(lambda value: value)(value) >> target == value


def test_a_large_error(target: sky.ComputePool) -> None:
    def fail() -> None:
        raise ValueError("x" * 3 * MIB)

    with pytest.raises(ValueError, match="xxx") as caught:
        sky.compute(fail)() >> target
    assert len(str(caught.value)) == 3 * MIB


def test_large_yields(target: sky.ComputePool) -> None:
    def arrays(n: int) -> Any:
        for k in range(n):
            yield np.full(MIB, k, dtype=np.uint8)

    assert [int(array[-1]) for array in sky.compute(arrays)(25) >> target] == list(range(25))


def test_nothing_stays_behind_of_results(pool: sky.ComputePool, until: Until) -> None:
    assert pool._inner.hub is not None
    shared = Path(pool._inner.hub.fleet.shared or "")
    before = set(os.listdir(shared))
    for _ in range(3):
        zeros(MIB) @ pool
        list(sky.gather(*[zeros(2 * MIB)] * 4, stream=True) >> pool)
    assert set(os.listdir(shared)) == before


def test_an_array_is_sent_once(far: sky.ComputePool) -> None:
    array = np.random.default_rng(2).integers(0, 255, 16 * MIB, dtype=np.uint8)
    before = far._inner.bytes_sent
    assert len(set(sky.gather(*[total(array)] * 6) >> far)) == 1
    once_each = far._inner.bytes_sent - before
    assert array.nbytes <= once_each < 2.2 * array.nbytes
    before = far._inner.bytes_sent
    total(array) @ far
    assert far._inner.bytes_sent - before < 0.1 * array.nbytes


def test_the_head_hands_a_broadcast_on(far: sky.ComputePool) -> None:
    array = np.random.default_rng(3).integers(0, 255, 16 * MIB, dtype=np.uint8)
    before = far._inner.bytes_sent
    assert len(set(total(array) @ far)) == 1
    assert array.nbytes <= far._inner.bytes_sent - before < 1.1 * array.nbytes


def test_the_head_hands_on_the_very_first_call_of_a_pool(large: np.ndarray) -> None:
    array = large[: 16 * MIB]
    with sky.ComputePool(nodes=3, name="fresh", _share=False) as fresh:
        before = fresh._inner.bytes_sent
        assert len(set(total(array) @ fresh)) == 1
        assert array.nbytes <= fresh._inner.bytes_sent - before < 1.1 * array.nbytes


def test_through_shared_memory_nothing_crosses_the_cluster(pool: sky.ComputePool, large: np.ndarray) -> None:
    before = pool._inner.bytes_sent
    total(large) @ pool
    assert pool._inner.bytes_sent - before < 0.01 * large.nbytes


def test_nodes_apart_share_no_files(far: sky.ComputePool) -> None:
    assert far._inner.hub is not None
    assert far._inner.hub.fleet.shared is None
    array = np.ones(MIB, dtype=np.uint8)
    assert total(array) @ far == [MIB, MIB]
