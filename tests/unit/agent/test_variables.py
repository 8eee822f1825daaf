"""Which variables of a traceback travel, as what, and how many."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import pytest

from skyward_jupyter.agent.variables import ALL, MOST, Text, received, variables_of


def sent(**given: Any) -> dict[str, Any]:
    """The variables of a frame with `given`, as they arrive."""
    names = "".join(f"    {name} = given[{name!r}]\n" for name in given)
    space: dict[str, Any] = {}
    exec(compile(f"def frame(given):\n{names}    raise ValueError\n", "user.py", "exec"), space)
    try:
        space["frame"](given)
    except ValueError as error:
        rows = json.loads(json.dumps(variables_of([error])))
    found = received(rows)[0]
    return next(of for of in found.values() if "given" in of and not of.keys() - given.keys() - {"given"})


def test_plain_values_arrive_as_themselves() -> None:
    given: dict[str, Any] = {
        "a": 1, "b": 2.5, "c": "text", "d": None, "e": True, "f": [1, (2, "x")], "g": {"k": {1, 2}}, "h": b"x", "i": 2j,
        "j": 10**30,
    }  # fmt: skip
    arrived = sent(**given)
    del arrived["given"]
    assert arrived == given
    assert all(type(arrived[name]) is type(value) for name, value in given.items())


def test_others_arrive_as_text() -> None:
    arrived = sent(a=object(), b=math.nan, c="x" * 5000, d=[object()], e=range(3), f=len, password="hunter2")
    del arrived["given"]
    assert {name: type(value) for name, value in arrived.items()} == dict.fromkeys(arrived, Text)
    assert repr(arrived["a"]) == "<object>"
    assert repr(arrived["d"]) == "[<object>]"
    assert len(repr(arrived["c"])) == 1000
    assert repr(arrived["password"]) == "<hidden>"


def test_those_of_a_cell_begin_with_what_it_reads() -> None:
    space: dict[str, Any] = {f"n{place}": place for place in range(200)} | {
        "In": [],
        "_hidden": 1,
        "late": 7,
        "json": json,
    }
    code = compile("mine = late\nraise ValueError", "<ipython-input-3-abc>", "exec")
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        exec(code, space)
    rows = variables_of([caught.value], cells=True)
    names = [row[2] for row in rows if row[1] == 1]
    assert len(names) == MOST
    assert names[:2] == ["late", "mine"]
    assert not {"In", "_hidden", "json", "ValueError"}.intersection(names)
    assert {row[1] for row in variables_of([caught.value])} == {0}


def test_there_is_an_end_to_them() -> None:
    assert len(sent(**{f"n{place}": place for place in range(200)})) == MOST

    def down(depth: int) -> None:
        text = "x" * 900  # noqa: F841
        if depth:
            down(depth - 1)
        raise LookupError

    with pytest.raises(LookupError) as caught:
        down(80)
    rows = variables_of([caught.value])
    assert sum(len(str(row[3])) for row in rows) <= ALL
    assert max(row[1] for row in rows) == 81  # the innermost comes first


def test_those_of_libraries_and_modules_stay() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("{")
    assert {row[1] for row in variables_of([caught.value])} <= {0}
    assert "sys" not in sent(sys=sys)


@pytest.mark.parametrize("rows", [None, 3, [3], [[0, 0, "a"]], [[0, 0, 3, "1", "value"]], [["0", 0, "a", 1, "value"]]])
def test_what_is_no_row_is_left_out(rows: object) -> None:
    assert received(rows) == {}


def test_what_is_no_literal_is_text() -> None:
    found = received([[0, 0, "a", "__import__('os')", "literal"], [0, 0, "b", {"x": 1}, "value"]])[0][0]
    assert {name: type(value) for name, value in found.items()} == {"a": Text, "b": Text}
