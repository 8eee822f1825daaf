"""What a session is asked, by Tab and Shift+Tab in a ``%%sky`` cell, and what it answers.

Both sides import this module; it imports nothing of either.
"""

from __future__ import annotations

import json
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


def packed(question: Question) -> bytes:
    """A question as bytes."""
    return pickle.dumps(question, 5)


def question_in(data: bytes) -> Question:
    """What `packed` was given."""
    question: Question = pickle.loads(data)
    return question


def answered(answer: Answer) -> bytes:
    """An answer as bytes, as plain data: to read it runs no code of the node that gave it."""
    plain = [answer.start, answer.texts] if isinstance(answer, Offered) else answer
    return json.dumps(plain).encode()


def answer_in(data: bytes) -> Answer:
    """What `answered` was given; None where there is no answer, or none that can be read."""
    try:
        match json.loads(data or b"null"):
            case [int(start), list(texts)]:
                return Offered(start, tuple((str(text), str(kind)) for text, kind in texts))
            case dict(found):
                return {str(mime): str(text) for mime, text in found.items()}
    except (TypeError, ValueError):
        pass
    return None
