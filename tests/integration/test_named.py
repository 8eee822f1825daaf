"""What an error of a call says of it: which call it was, where, and what its variables were."""

from __future__ import annotations

import io
import os
import pdb
import threading
import time
from typing import Any

import pytest

import skyward as sky


class Model:
    def __repr__(self) -> str:
        return "Model(depth=3)"


class Raises:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Blocks:
    def __repr__(self) -> str:
        time.sleep(600)
        return ""


@sky.compute
def train(epochs: int, rows: Any = None, api_key: str = "") -> float:
    model, odd, lock = Model(), Raises(), threading.Lock()  # noqa: F841 - seen in a debugger

    def step(loss: float) -> float:
        left = epochs - 3
        return loss / left

    return step(2.5)


@sky.compute
def dies(x: int) -> None:
    os._exit(3)


@sky.compute
def sleeps(x: int) -> None:
    time.sleep(60)


@sky.compute
def returns_a_lock(x: int) -> Any:
    return threading.Lock()


def variables(error: BaseException) -> dict[str, dict[str, Any]]:
    """Those of the frames of an error, by function."""
    found: dict[str, dict[str, Any]] = {}
    tb = error.__traceback__
    while tb is not None:
        found[tb.tb_frame.f_code.co_name] = tb.tb_frame.f_locals
        tb = tb.tb_next
    return found


def test_an_error_names_its_call(pool: sky.ComputePool) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        train(3, rows=list(range(10**5)), api_key="k-123") >> pool
    (note,) = caught.value.__notes__
    assert note.startswith("raised by train(3, rows=[0, 1, 2, ")
    assert note[:-1].endswith("on node ")
    assert len(note) < 120
    assert "k-123" not in note


def test_failures_of_tasks_name_it_too(pool: sky.ComputePool) -> None:
    with pytest.raises(sky.TaskTimeout, match=r"^sleeps\(7\) ran longer than its 0.2 s on node \d"):
        sleeps(7).with_timeout(0.2) >> pool
    with pytest.raises(sky.ResultNotPicklable, match=r"^what returns_a_lock\(7\) on node \d returned cannot be sent"):
        returns_a_lock(7) >> pool
    with pytest.raises(sky.SlotDied, match=r"on node \d ended itself with status 3 .* while it ran dies\b") as caught:
        dies(7) >> pool
    assert caught.value.__notes__ == ["the call was dies(7)"]
    with pytest.raises(sky.SlotDied) as caught:
        sky.gather(sky.compute(abs)(-1), dies(7)) >> pool
    assert caught.value.__notes__[-1] == "the call was dies(7)"


def test_jobs_of_an_executor_are_named_as_their_calls(pool: sky.ComputePool) -> None:
    for more in ({}, {"initializer": os.getpid}):
        with sky.Executor(pool, **more) as executor:  # type: ignore[arg-type]
            alone = executor.submit(train.function, 3).exception(60)
            with pytest.raises(ZeroDivisionError) as caught:
                list(executor.map(train.function, [1, 3, 4], chunksize=3))
            dead = executor.submit(dies.function, 7).exception(60)
        assert isinstance(dead, sky.SlotDied)
        assert dead.__notes__ == ["the call was dies(...)"]
        for error in (alone, caught.value):
            assert error is not None
            assert error.__notes__[0].startswith("raised by train(3) on node ")


def test_a_debugger_sees_the_variables(pool: sky.ComputePool) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        train(3, rows=[1, (2, None)], api_key="k-123") >> pool
    seen = variables(caught.value)
    assert seen["step"] == {"loss": 2.5, "left": 0, "epochs": 3}
    assert {name: repr(value) for name, value in seen["train"].items() if name != "step"} == {
        "epochs": "3",
        "rows": "[1, (2, None)]",
        "api_key": "<hidden>",
        "model": "Model(depth=3)",
        "odd": "<Raises, whose repr raises RuntimeError>",
        "lock": repr(seen["train"]["lock"]),
    }
    assert "lock" in repr(seen["train"]["lock"])
    said = io.StringIO()
    debugger = pdb.Pdb(stdin=io.StringIO("p left, loss\nup\np model, rows\nq\n"), stdout=said, nosigint=True)
    debugger.use_rawinput = False
    debugger.reset()
    debugger.interaction(None, caught.value.__traceback__)  # type: ignore[arg-type]
    assert "(0, 2.5)" in said.getvalue()
    assert "(Model(depth=3), [1, (2, None)])" in said.getvalue()


def test_a_repr_that_blocks_keeps_no_error(pool: sky.ComputePool) -> None:
    @sky.compute
    def fails(thing: Any) -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here") as caught:
        fails(Blocks()) >> pool
    assert caught.value.__notes__[0].startswith("raised by fails(<Blocks>) on node")
    assert sky.compute(abs)(-1) @ pool == [1, 1, 1]


def test_variables_are_left_out_where_they_are_not_wanted() -> None:
    with sky.ComputePool(nodes=1, env={"SKYWARD_LOCALS": "off"}) as pool, pytest.raises(ZeroDivisionError) as caught:
        train(3) >> pool
    assert "left" not in variables(caught.value)["step"]
    assert caught.value.__notes__[0].startswith("raised by train(3) on node 0")
