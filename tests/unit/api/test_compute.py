"""Calls as values."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

import cloudpickle
import pytest

import skyward as sky
from skyward_jupyter.api import registry
from skyward_jupyter.api.compute import ComputeFunction, PendingCompute


@sky.compute
def add(a: int, b: int = 2, *, c: int = 0) -> int:
    """Adds."""
    return a + b + c


@sky.compute(timeout=2.5)
def quick() -> str:
    return "quick"


@sky.compute
def count(n: int) -> Iterator[int]:
    yield from range(n)


class Model:
    def __init__(self, weight: int) -> None:
        self.weight = weight

    @sky.compute
    def scaled(self, x: int) -> int:
        return self.weight * x


def test_calling_runs_nothing() -> None:
    ran = []
    pending = sky.compute(ran.append)(1)
    assert ran == []
    assert isinstance(pending, PendingCompute)


def test_a_call_keeps_what_it_was_given() -> None:
    pending = add(1, c=5)
    assert pending._function is add.function
    assert (pending._args, pending._kwargs, pending._timeout) == ((1,), {"c": 5}, 0.0)


def test_types_are_kept_for_the_checker() -> None:
    assert_type(add(1), PendingCompute[int])
    assert_type(add.local(1), int)
    assert_type(quick(), PendingCompute[str])


def test_local_runs_here() -> None:
    assert add.local(1, c=4) == 7
    assert list(count.local(3)) == [0, 1, 2]
    assert quick.local() == "quick"


def test_the_function_looks_like_itself() -> None:
    assert (add.__name__, add.__doc__, add.__wrapped__) == ("add", "Adds.", add.function)  # type: ignore[attr-defined]
    assert repr(add) == "<compute function add>"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: add(), "missing a required argument: 'a'"),
        (lambda: add(1, 2, 3), "too many positional arguments"),
        (lambda: add(1, d=3), "got an unexpected keyword argument 'd'"),
        (lambda: add(1, a=3), "multiple values for argument 'a'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_here(call: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words) as caught:
        call()
    assert str(caught.value).startswith("add(): ")


def test_builtins_without_a_signature_can_be_called() -> None:
    pending = sky.compute(dict)(a=1)
    assert pending._kwargs == {"a": 1}


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), True, False, "5", None, [1]])
def test_timeouts_that_cannot_be_kept(seconds: Any) -> None:
    with pytest.raises(sky.UsageError, match="timeout"):
        add(1).with_timeout(seconds)
    if seconds != 0:
        with pytest.raises(sky.UsageError, match="timeout"):
            sky.compute(timeout=seconds)


def test_a_timeout_makes_another_call() -> None:
    first = add(1)
    second = first.with_timeout(3)
    assert (first._timeout, second._timeout, second._args) == (0.0, 3.0, (1,))
    assert quick()._timeout == 2.5
    assert quick().with_timeout(0.5)._timeout == 0.5
    assert [call._timeout for call in sky.gather(first, quick()).with_timeout(4)] == [4.0, 4.0]


def test_a_call_has_no_truth_value() -> None:
    with pytest.raises(sky.UsageError, match="no truth value"):
        bool(add(1))
    with pytest.raises(sky.UsageError, match="no truth value"):
        add(1) and add(2)


@pytest.mark.parametrize(
    ("pending", "text"),
    [
        (add(1, b=3), "<add(1, b=3), not run yet; send it with `>> pool`>"),
        (quick(), "<quick(), not run yet; send it with `>> pool`>"),
        (sky.compute(lambda x: x)("a"), "<<lambda>('a'), not run yet; send it with `>> pool`>"),
    ],
)
def test_how_a_call_shows(pending: PendingCompute[Any], text: str) -> None:
    assert repr(pending) == text


def test_how_a_long_call_shows() -> None:
    shown = repr(add("x" * 1000))  # type: ignore[arg-type]
    assert len(shown) < 130
    assert "..." in shown


def test_methods() -> None:
    model = Model(3)
    assert model.scaled.local(4) == 12
    pending = model.scaled(5)
    assert pending._function(*pending._args) == 15
    assert isinstance(Model.scaled, ComputeFunction)
    assert Model.scaled.local(model, 2) == 6
    with pytest.raises(TypeError, match="too many"):
        model.scaled(1, 2)


def test_a_decorator_within() -> None:
    class Other:
        @staticmethod
        @sky.compute
        def static(x: int) -> int:
            return x

    assert Other.static.local(2) == 2
    assert Other().static(3)._args == (3,)


def test_generators_are_recognised() -> None:
    assert count(3)._streams
    assert not add(1)._streams
    assert sky.compute(count.function)(1)._streams


@pytest.mark.parametrize("thing", [3, "f", None, [len]])
def test_only_functions(thing: Any) -> None:
    for decorate in (sky.compute, sky.compute(timeout=1)):
        if thing is not None or decorate is not sky.compute:
            with pytest.raises(sky.UsageError, match="goes on a function"):
                decorate(thing)


def test_compute_functions_travel() -> None:
    back = pickle.loads(cloudpickle.dumps(quick))
    assert back.local() == "quick"
    assert back._timeout == 2.5


def test_joining_calls() -> None:
    group = add(1) & add(2) & quick()
    assert [call._args for call in group] == [(1,), (2,), ()]
    assert len(group) == 3
    assert group._form is tuple
    assert len(add(1) & (add(2) & add(3))) == 3
    assert len((add(1) & add(2)) & (add(3) & add(4))) == 4
    assert repr(group) == "<3 calls, not run yet; send them with `>> pool`>"


@pytest.mark.parametrize("other", [3, None, add, [add]])
def test_joining_something_else_hints_at_the_precedence(other: Any) -> None:
    for left in (add(1), add(1) & add(2)):
        with pytest.raises(sky.UsageError, match=r"\(a\(\) & b\(\)\) >> pool"):
            left & other


def test_gather() -> None:
    group = sky.gather(*map(add, range(4)), stream=True, ordered=False)
    assert ([call._args for call in group], group._form, group._stream, group._ordered) == (
        [(n,) for n in range(4)],
        list,
        True,
        False,
    )
    assert len(sky.gather()) == 0


@pytest.mark.parametrize("wrong", [add, 3, [add(1)], add(1) & add(2)])
def test_gather_takes_calls(wrong: Any) -> None:
    with pytest.raises(sky.UsageError, match="gather takes calls"):
        sky.gather(add(1), wrong)


def test_generators_are_not_sent_side_by_side() -> None:
    @sky.compute
    def count(n: int) -> Iterator[int]:
        yield from range(n)

    @sky.compute
    async def later(n: int) -> AsyncIterator[int]:
        yield n

    for joined in (
        lambda: sky.gather(count(2)),
        lambda: sky.gather(add(1), later(2), stream=True),
        lambda: count(1) & add(2),
        lambda: add(1) & (add(2) & later(3)),
    ):
        with pytest.raises(sky.UsageError, match=r"yields its results one by one.*for x in"):
            joined()


@pytest.mark.parametrize("target", [3, None, "pool", pickle])
def test_what_is_no_pool(target: Any) -> None:
    for send in (
        lambda: add(1) >> target,
        lambda: add(1) @ target,
        lambda: add(1) > target,
        lambda: (add(1) & add(2)) >> target,
        lambda: sky.gather(add(1)) > target,
    ):
        with pytest.raises(sky.UsageError, match="is no pool"):
            send()


def test_no_pool_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_pools", {})
    with pytest.raises(sky.NoPool, match="no pool is running"):
        add(1) >> sky
    with pytest.raises(sky.NoPool, match="no pool is running"):
        sky.pool()
    with pytest.raises(sky.NoPool, match="there is no pool 'big'"):
        sky.pool("big")
    assert sky.pools() == ()


def test_failing_fast_is_said_of_calls_and_groups() -> None:
    call = add(1)
    assert (call._fail_fast, call.with_fail_fast()._fail_fast) == (False, True)
    assert call.with_fail_fast().with_timeout(3).with_retries(1)._fail_fast
    assert sky.gather(call, call, stream=True, fail_fast=True)._fail_fast
    assert (call & call).with_fail_fast()._fail_fast
