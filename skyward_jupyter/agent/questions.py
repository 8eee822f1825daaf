"""What a session is asked between two cells, by Tab and Shift+Tab in a ``%%sky`` cell, and what it answers.

Both sides import this module; it imports nothing of either.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Completing:
    """What may stand where the cursor is, in characters from the start of the code."""

    code: str
    cursor: int


@dataclass(frozen=True, slots=True)
class Offered:
    """What may: from `start` on, up to the cursor, one of these texts, each with what it is."""

    start: int
    texts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Inspecting:
    """What is known of a name, as of `InteractiveShell.object_inspect_mime`."""

    name: str
    detail: int


type Question = Completing | Inspecting
#: Nothing is known where it is None.
type Answer = Offered | Mapping[str, str] | None


def packed(what: Question | Answer) -> bytes:
    """A question or an answer as bytes."""
    return pickle.dumps(what, 5)


def question_in(data: bytes) -> Question:
    """What `packed` was given."""
    question: Question = pickle.loads(data)
    return question


def answer_in(data: bytes) -> Answer:
    """What `packed` was given; None where there is no answer."""
    answer: Answer = pickle.loads(data) if data else None
    return answer
