"""What a failed cell looks like."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from skyward_jupyter.agent.cells import CellError
from skyward_jupyter.agent.stack import StackFrame
from skyward_jupyter.errors import CellFailed, NotPicklable, SlotDied, TaskFailed, UsageError
from skyward_jupyter.notebook.tracebacks import (
    CAUSES,
    causes_of,
    cell_failed,
    in_a_sentence,
    interrupted,
    plain,
)


def error(text: str = "division by zero", line: int = 2, **more: Any) -> CellError:
    frame = StackFrame("<ipython-input-1>", "<module>", "<module>", "__main__", 1, line, line, None, None)
    name = more.pop("name", "ZeroDivisionError")
    traceback = f"\x1b[31m----> {line}\x1b[39m 1/0\n{name}: {text}"
    return CellError(name, text, traceback, **{"stacks": ((frame,),), **more})


def shown(raised: BaseException) -> str:
    return "\n".join(raised._render_traceback_())  # type: ignore[attr-defined]


def test_the_same_failure_is_shown_once_with_its_nodes() -> None:
    failed = cell_failed({0: error(), 2: error(), 3: error()}, 4)
    text = plain(shown(failed))
    assert text.startswith("[0,2-3] ZeroDivisionError: division by zero\n")
    assert text.count("---->") == 1
    assert str(failed) == "ZeroDivisionError: division by zero (on nodes 0,2-3 of 4)"


def test_failures_at_different_lines_are_different_causes() -> None:
    text = plain(shown(cell_failed({0: error(), 1: error(line=5)}, 2)))
    assert text.count("---->") == 2
    assert "[0] Zero" in text
    assert "[1] Zero" in text


def test_one_cause_with_a_message_for_each_node() -> None:
    text = plain(shown(cell_failed({rank: error(f"bad {rank}") for rank in range(12)}, 12)))
    assert text.count("---->") == 1
    assert text.startswith("[0-11] ZeroDivisionError: bad 0")
    assert "[8] ZeroDivisionError: bad 8" in text
    assert "… and on 3 other nodes" in text


def test_lost_processes_are_one_cause_whatever_their_number() -> None:
    died = {rank: SlotDied(f"the slot on node {rank} ended", rank) for rank in (1, 2)}
    (cause,) = causes_of(died)
    assert cause.headline() == "[1-2] SlotDied: the slot on the node ended"
    assert cell_failed({1: died[1]}, 4).args[0].startswith("SlotDied: the slot on node 1 ended")


def test_many_causes_are_shown_short() -> None:
    text = plain(shown(cell_failed({rank: error(line=rank) for rank in range(2, 12)}, 12)))
    assert text.count("---->") == CAUSES
    assert "[11] ZeroDivisionError" in text


def test_the_errors_are_the_users_own_with_their_frames() -> None:
    rows = [[0, 0, "x", 3, "value"]]
    failed = cell_failed({1: error(pickled=pickle.dumps(KeyError("k")), variables=rows), 2: error()}, 3)
    assert isinstance(failed, CellFailed)
    assert failed.nodes == (1, 2)
    assert isinstance(failed.errors[1], KeyError)
    assert failed.errors[1].__notes__ == ["raised on node 1"]
    assert isinstance(failed.errors[2], TaskFailed)
    tb = failed.errors[1].__traceback__
    assert tb is not None
    assert (tb.tb_lineno, tb.tb_frame.f_locals["x"]) == (2, 3)


@pytest.mark.parametrize("rows", [None, [1], [[0, 0, "x"]], [["a", 0, "x", 3, "value"]], [[0, 9, "x", 3, "value"]]])
def test_variables_that_are_none_do_no_harm(rows: Any) -> None:
    failed = cell_failed({0: error(variables=rows)}, 1)
    assert "x" not in failed.errors[0].__traceback__.tb_frame.f_locals  # type: ignore[union-attr]


def test_an_exception_that_cannot_be_loaded_arrives_by_name() -> None:
    failed = cell_failed({0: error(pickled=b"broken")}, 1)
    assert str(failed.errors[0]) == "ZeroDivisionError: division by zero"


def test_an_interrupted_cell_says_where_its_nodes_were() -> None:
    raised = interrupted({0: error(name="KeyboardInterrupt", text="", interrupted=True)}, [0, 1])
    assert isinstance(raised, KeyboardInterrupt)
    assert plain(shown(raised)).startswith("KeyboardInterrupt: the cell was interrupted on nodes 0-1\n\n[0] Keyb")


@pytest.mark.parametrize("raised", [UsageError("no option --x"), NotPicklable("a.b", "lock", "no")])
def test_our_own_errors_are_one_line(raised: Any) -> None:
    assert shown(in_a_sentence(raised)) == f"{type(raised).__name__}: {raised}"
