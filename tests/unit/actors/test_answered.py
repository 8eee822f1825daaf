"""A node that is asked until it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import casty
import pytest

from skyward_jupyter.actors import answered as module
from skyward_jupyter.actors.answered import answered

type Ask = Callable[[], Awaitable[str]]


def asked(*answers: BaseException | str | None) -> Ask:
    """Asks that fail, are answered, or never are."""
    left = list(answers)

    async def ask() -> str:
        match left.pop(0):
            case None:
                await asyncio.Event().wait()
                raise AssertionError
            case str(text):
                return text
            case error:
                raise error

    return ask


async def test_a_node_that_is_not_there_yet_is_asked_again() -> None:
    again: list[None] = []
    away = casty.Unavailable("not there")
    assert await answered(asked(away, away, "here"), lambda: again.append(None)) == "here"
    assert not again


async def test_an_answer_that_was_lost_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WITHIN", 0.01)
    again: list[None] = []
    assert await answered(asked(None, casty.Unavailable("away"), None, "here"), lambda: again.append(None)) == "here"
    assert len(again) == 2


async def test_one_that_never_answers_is_asked_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WITHIN", 0.01)
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    away = casty.Unavailable("away")
    with pytest.raises(TimeoutError, match=r"did not answer for 0\.05 seconds"):
        await answered(asked(*[None, away] * 20), lambda: None)


async def test_what_it_is_not_to_blame_for_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.02)
    away = casty.Unavailable("away")
    assert await answered(asked(*[away] * 5, "here"), lambda: None, lambda: False) == "here"


async def test_what_else_fails_is_not_asked_again() -> None:
    with pytest.raises(ValueError, match="wrong"):
        await answered(asked(ValueError("wrong"), "here"), lambda: None)


async def test_it_ends_when_it_is_cancelled() -> None:
    task = asyncio.create_task(answered(asked(None), lambda: None))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
