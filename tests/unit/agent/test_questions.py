"""What a session answers to Tab and Shift+Tab, on its way to the notebook."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from skyward_jupyter.agent.questions import (
    Answer,
    Completing,
    Inspecting,
    Offered,
    Question,
    answer_in,
    answered,
    packed,
    question_in,
)


@pytest.mark.parametrize("question", [Completing("pd.", 3), Inspecting("pd", 1)])
def test_a_question_arrives_as_it_was(question: Question) -> None:
    assert question_in(packed(question)) == question


@pytest.mark.parametrize(
    "answer",
    [
        Offered(3, (("pd.DataFrame", "class"), ("pd.é\ud800", ""))),
        Offered(0, ()),
        {"text/plain": "Docstring"},
        {},
        None,
    ],
)
def test_an_answer_arrives_as_it_was(answer: Answer) -> None:
    assert answer_in(answered(answer)) == answer


@pytest.mark.parametrize("data", [b"", b"\xff", b"{", b"3", b"[3]", b"[3, [4]]", b'[3, ["abc"]]', b'["a", []]'])
def test_what_is_malformed_is_no_answer(data: bytes) -> None:
    assert answer_in(data) is None


def test_an_answer_runs_no_code(tmp_path: Path) -> None:
    made = tmp_path / "made"

    class Harmful:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(made),)

    assert answer_in(pickle.dumps(Harmful())) is None
    assert not made.exists()
