"""Frames as data: the traceback that is made of them shows what the first one showed."""

from __future__ import annotations

import ast
import pickle
import traceback
from typing import Any

import pytest

from skyward_jupyter.agent.stack import StackFrame, frames_of, traceback_of


def _fails(depth: int) -> int:
    if depth:
        return _fails(depth - 1) + 1
    return depth / 0  # type: ignore[return-value]


def _raised(depth: int) -> BaseException:
    with pytest.raises(ZeroDivisionError) as caught:
        _fails(depth)
    return caught.value


def shown(tb: Any) -> str:
    return "".join(traceback.format_list(traceback.extract_tb(tb)))


def test_lines_columns_and_names_are_the_same() -> None:
    error = _raised(2)
    made = traceback_of(pickle.loads(pickle.dumps(frames_of(error.__traceback__))))
    assert shown(made) == shown(error.__traceback__)
    assert "~~~~~~^~~" in shown(made)


def test_the_first_line_of_the_function_is_known() -> None:
    made = traceback_of(frames_of(_raised(0).__traceback__))
    assert made is not None
    assert made.tb_next is not None
    code = made.tb_next.tb_frame.f_code
    assert (code.co_firstlineno, code.co_qualname) == (_fails.__code__.co_firstlineno, "_fails")


def test_code_that_has_no_columns() -> None:
    tree = ast.fix_missing_locations(ast.parse("x = 1\n1 / 0"))
    for node in ast.walk(tree):
        if hasattr(node, "end_col_offset"):
            node.end_col_offset = node.col_offset
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile(tree, "<made>", "exec"), {})
    frames = traceback.extract_tb(traceback_of(frames_of(caught.value.__traceback__)))
    assert (frames[-1].filename, frames[-1].lineno) == ("<made>", 2)


def test_functions_see_the_variables_of_their_module() -> None:
    frames = (
        StackFrame("cell", "<module>", "<module>", "__main__", 1, 2, 2, None, None),
        StackFrame("cell", "inner", "inner", "__main__", 1, 1, 1, None, None),
        StackFrame("other.py", "apart", "apart", "other", 1, 1, 1, None, None),
    )
    links = traceback_of(frames, {0: {"n": 5, "x": 1}, 1: {"x": 2}})
    found = [frame for frame, _ in traceback.walk_tb(links)]
    assert [eval("x", frame.f_globals, frame.f_locals) for frame in found[:2]] == [1, 2]
    assert [frame.f_globals.get("n") for frame in found] == [5, 5, None]


def test_of_many_frames_alike_the_first_and_the_last_are_made() -> None:
    def down(n: int) -> int:
        return down(n + 1) if n < 60 else 1 // 0

    with pytest.raises(ZeroDivisionError) as caught:
        down(0)
    frames = frames_of(caught.value.__traceback__)
    places = {place: {"n": place} for place in range(len(frames))}
    made = list(traceback.walk_tb(traceback_of(frames, places)))
    assert len(frames) > 60
    assert len(made) == 6
    assert made[-1][0].f_locals["n"] == len(frames) - 1


def test_nothing_gives_nothing() -> None:
    assert frames_of(None) == ()
    assert traceback_of(()) is None
