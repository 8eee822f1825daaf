"""Calls of collections and their outcomes as bytes: read without running code that they name."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from skyward_jupyter import errors
from skyward_jupyter.collections.address import Address, Who
from skyward_jupyter.collections.caller import Call, Outcome, read_call, read_outcome

CALL = Call(Address("dict", "d"), "put", (b"key", b"value", None, 1.5, Who(2, 3, "f")), 4)


class Runs:
    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._mark}",)


def test_calls_come_back() -> None:
    assert read_call(pickle.dumps(CALL, 5)) == CALL


@pytest.mark.parametrize("value", [None, 5, b"x", (1, 2), [(b"a", b"b")], {b"a"}])
def test_outcomes_come_back(value: object) -> None:
    assert read_outcome(pickle.dumps(Outcome(value), 5)) == Outcome(value)


@pytest.mark.parametrize(
    "error",
    [errors.CollectionUnavailable("no"), errors.LockLost("l", 3), TimeoutError("late"), errors.CollectionMismatch("m")],
    ids=lambda error: type(error).__name__,
)
def test_errors_come_back(error: Exception) -> None:
    back = read_outcome(pickle.dumps(Outcome(error=error), 5)).error
    assert (type(back), str(back)) == (type(error), str(error))


def test_nothing_else_is_read_and_no_code_runs(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    made = [Runs(mark), Outcome(Runs(mark)), Call(CALL.address, "put", (Runs(mark),)), "text", None, os.system, Path()]
    for one in made:
        data = pickle.dumps(one, 5)
        assert "cannot be read" in str(read_outcome(data).error)
        with pytest.raises(pickle.UnpicklingError):
            read_call(data)
    for data in (b"", b"no pickle", pickle.dumps(Outcome(error="text"), 5)):  # type: ignore[arg-type]
        assert "cannot be read" in str(read_outcome(data).error)
    assert not mark.exists()


def test_an_error_is_not_what_its_module_imports() -> None:
    for name in ("pickle", "concurrent", "Any", "__import__", "eval", "BaseException"):
        for module in ("skyward_jupyter.errors", "builtins"):
            outcome = read_outcome(b"c" + f"{module}\n{name}\n)R.".encode())
            assert "cannot be read" in str(outcome.error)
