"""Which tasks of a lost node run again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.retrying import may_run_again
from skyward_jupyter.wire.messages import Code


def entry(**facts: Any) -> TaskEntry:
    made = TaskEntry(1, Code("d", b""), b"", asyncio.get_running_loop().create_future())
    for name, value in {"pooled": True, "sent": 5.0, "retries": 3, "rank": 0, **facts}.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("tries", [1, 2, 3, 4, 5])
async def test_as_often_as_its_retries_say(tries: int) -> None:
    assert may_run_again(entry(tries=tries)) is (tries <= 3)


async def test_never_with_no_retries() -> None:
    assert not may_run_again(entry(retries=0))


async def test_always_when_it_has_not_left() -> None:
    assert may_run_again(entry(retries=0, sent=0.0))


@pytest.mark.parametrize("facts", [{"pooled": False}, {"stopping": "interrupt"}, {"yielded": True}])
@pytest.mark.parametrize("sent", [0.0, 5.0])
async def test_not_what_is_for_one_node_or_stopping_or_has_yielded(facts: dict[str, object], sent: float) -> None:
    assert not may_run_again(entry(sent=sent, **facts))
