"""What is said of slips: each names what to write instead."""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
from collections.abc import Callable
from typing import Any

import pytest

import skyward
import skyward_jupyter
from skyward_jupyter.errors import NotPicklable, UsageError
from skyward_jupyter.wire.blame import explain

sky: Any = skyward


@skyward.compute
def score(x: Any, path: str = "") -> Any:
    return x


def plain(x: int) -> int:
    return x


f: Any = score
pool: Any = skyward.ComputePool(nodes=2)


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (lambda: f >> pool, "score is a function, not a call: write score(...) >> pool"),
        (lambda: f >> sky, "write score(...) >> pool"),
        (lambda: f @ pool, "write score(...) @ pool"),
        (lambda: f > pool, "write score(...) > pool"),
        (lambda: f & f(1), "score is a function, not a call"),
        (lambda: f(1) & f, "write score(...) & pool"),
        (lambda: pool >> f(1), "the call comes first: write score(1) >> pool"),
        (lambda: sky >> f(1), "the call comes first: write score(1) >> pool"),
        (lambda: pool @ f(1), "write score(1) @ pool"),
        (lambda: pool >> f, "write score(...) >> pool"),
        (lambda: pool >> (f(1) & f(2)), "write (a() & b()) >> pool"),
        (lambda: f(1) < pool, "write score(1) > pool"),
        (lambda: f(1) | pool, "write score(1) >> pool"),
        (lambda: f(1) << pool, "write score(1) >> pool"),
        (lambda: plain >> pool, "put @sky.compute on it, then write plain(...) >> pool"),
        (lambda: plain @ pool, "write plain(...) @ pool"),
        (lambda: plain(1) >> pool, "a value (int) is no call, it has been computed here"),
        (lambda: [f(1), f(2)] >> pool, "a list is no call: write sky.gather(*calls) >> pool"),
        (lambda: (f(x) for x in range(2)) >> pool, "a generator is no call: write sky.gather(*calls)"),
        (lambda: sky.gather([f(1)]), "write sky.gather(*calls)"),
        (lambda: sky.gather(f), "score is a function, not a call"),
        (lambda: pool(f), "write score(...) >> pool"),
        (lambda: pool.submit(f, 1), "write pool.submit(score(...)); an executor takes functions: sky.Executor(pool)"),
        (lambda: pool.submit(plain, 1), "with @sky.compute on the function"),
        (lambda: pool.submit(f(1), 2), "one call is taken, with its arguments inside"),
        (lambda: pool.stream(f), "write pool.stream(score(...))"),
        (lambda: asyncio.run(pool.run(f, 1)), "write await pool.run(score(...))"),
        (lambda: asyncio.run(pool.broadcast(f)), "write await pool.broadcast(score(...))"),
        (lambda: pool.map(f(1), [1]), "map takes the function itself"),
        (lambda: pool.map(f), "map needs items"),
        (lambda: pool.map(f, 3), "map goes over items, and int has none: write pool.map(score, items)"),
    ],
)  # fmt: skip
def test_what_is_sent_the_wrong_way(slip: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        slip()
    assert said in str(caught.value)


def test_a_call_alone_is_not_awaited() -> None:
    async def run() -> None:
        await f(1)

    with pytest.raises(UsageError, match=r"write await pool.run\(score\(1\)\), or score\(1\) >> pool"):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (lambda: sky.ComputePool(concurrency=2), "'concurrency'; write worker=sky.Worker(concurrency=2)"),
        (lambda: sky.ComputePool(workers=8), "'workers'; write nodes=8"),
        (lambda: sky.ComputePool(node=8), "'node'; did you mean nodes?"),
        (lambda: sky.ComputePool(hosts=["a"]), "'hosts'; write provider=sky.SSH(hosts=['a'])"),
        (lambda: sky.ComputePool(pip=["a"]), "write image=sky.Image(pip=['a'])"),
        (lambda: sky.ComputePool(zzz=1), "'zzz'; it takes env, image, max_retries, name, nodes"),
        (lambda: sky.Worker(concurency=2), "Worker() got an unexpected keyword argument 'concurency'; did you mean"),
        (lambda: sky.Nodes(minimum=2), "did you mean min?"),
        (lambda: sky.Image(pips=[]), "did you mean pip?"),
        (lambda: sky.SSH(host="a"), "did you mean hosts?"),
        (lambda: sky.gather(f(1), return_exception=True), "did you mean return_exceptions?"),
        (lambda: f(1, paht="a"), "did you mean path?"),
    ],
)
def test_keywords_that_are_near(slip: Callable[[], object], said: str) -> None:
    with pytest.raises(TypeError) as caught:
        slip()
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (lambda: sky.Pool, "write sky.ComputePool"),
        (lambda: sky.computepool, "did you mean ComputePool"),
        (lambda: sky.gater, "did you mean gather?"),
        (lambda: sky.remote, "write @sky.compute"),
        (lambda: pool.brodcast, "did you mean broadcast"),
        (lambda: pool.shutdown, "it has stop()"),
        (lambda: f.map, "write pool.map(score, items)"),
        (lambda: f.remote, "write score(...) >> pool"),
        (lambda: f(1).mean, "score(1) has not run, so there is no 'mean' of its result"),
    ],
)
def test_names_that_are_near(slip: Callable[[], object], said: str) -> None:
    with pytest.raises(AttributeError) as caught:
        slip()
    assert said in str(caught.value)


def test_names_that_python_looks_for_get_no_advice() -> None:
    for thing in (sky, pool, f, f(1)):
        assert not hasattr(thing, "_repr_markdown_")
        with pytest.raises(AttributeError) as caught:
            thing._ipython_canary_method_should_not_exist_
        assert ";" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "path", "said"),
    [
        (f(1), "x", "it is a call that has not run; run it first: result = score(1) >> pool"),
        ([0, {"a": f(1)}], "x[1]['a']", "it is a call that has not run"),
        (sky.gather(f(1), f(2)), "x", "these are calls that have not run"),
        (concurrent.futures.Future(), "x", "wait for it and send what it gives: future.result()"),
        ((1, concurrent.futures.Future()), "x[1]", "future.result()"),
    ],
)
def test_arguments_that_are_no_values_yet(value: object, path: str, said: str) -> None:
    found = explain("x", value)
    assert isinstance(found, NotPicklable)
    assert found.path == path
    assert said in str(found)


def test_a_coroutine_is_awaited_first() -> None:
    coroutine = pool.run(f(1))
    assert "await it first" in str(explain("x", [coroutine]))
    coroutine.close()


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert sky.__version__ == version("skyward-jupyter")
    assert math.prod(int(part) >= 0 for part in sky.__version__.split(".")[:2])
    assert skyward_jupyter.__doc__
