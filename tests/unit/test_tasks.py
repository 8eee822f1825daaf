"""Tasks that fail are heard: by the log, and by whoever waits."""

from __future__ import annotations

import ast
import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import skyward_jupyter
from skyward_jupyter.agent import crew, lease
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.crew import Crew
from skyward_jupyter.collections import server
from skyward_jupyter.tasks import Tasks, begin, promise

ROOT = Path(skyward_jupyter.__file__).parent
#: Where a task is awaited by the very code that starts it, or belongs to a group that takes its exception.
AWAITED = {"agent/awaited.py", "runtime/crossing.py"}
WITHIN = 20.0


class Lost(Exception):
    pass


async def fails(*_: object, **__: object) -> None:
    raise Lost("on the way")


def started_raw() -> set[str]:
    """The files that start tasks past `skyward_jupyter.tasks`."""
    found = set()
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name("group"), attr="create_task")):
                    continue
                case ast.Call(func=ast.Attribute(attr="create_task" | "ensure_future")):
                    found.add(str(file.relative_to(ROOT)))
    return found - {"tasks.py"}


def test_every_task_has_an_owner_that_hears_of_its_end() -> None:
    assert started_raw() == AWAITED


def test_a_failure_is_logged_and_told(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> list[BaseException]:
        told: list[BaseException] = []
        await asyncio.wait([begin(fails(), "carrying a stone", told.append)])
        await asyncio.sleep(0)
        return told

    assert [str(error) for error in asyncio.run(main())] == ["on the way"]
    assert "carrying a stone failed: Lost: on the way" in caplog.text


def test_what_is_cancelled_or_awaited_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        told: list[BaseException] = []
        task = begin(asyncio.sleep(60), "sleeping", told.append)
        await asyncio.sleep(0)
        task.cancel()
        promised = promise(fails())
        with pytest.raises(Lost):
            await promised
        await asyncio.wait([task, promise(fails())])
        assert told == []

    asyncio.run(main())
    assert caplog.text == ""


def test_an_owner_keeps_its_tasks_and_ends_them() -> None:
    async def main() -> None:
        told: list[BaseException] = []
        others: list[BaseException] = []
        tasks = Tasks("working", told.append)
        tasks.start(fails())
        tasks.start(fails(), others.append)
        sleeping = tasks.begin(asyncio.sleep(60))
        assert len(tasks) == 3
        await asyncio.wait([task for task in tasks if task is not sleeping])
        await asyncio.sleep(0)
        assert list(tasks) == [sleeping]
        assert (len(told), len(others)) == (1, 1)
        await tasks.close()
        assert sleeping.cancelled()
        assert list(tasks) == []

    asyncio.run(main())


# -- what becomes of those who wait, on a node -----------------------------------------------------------------------


async def a_slot_that_cannot_be_connected_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "connect", fails)
    process = await asyncio.create_subprocess_exec("sleep", "600")
    config = AgentConfig.from_json(AgentConfig("p", 0, "127.0.0.1:1", (), "c", "s", "certs", 1, "process", 0).to_json())
    made = Crew(config, lambda _: None, *[lambda *_: None] * 6)  # type: ignore[arg-type]
    made.began({"slot": 0, "pid": process.pid, "stock": 0, "awaited": []}, (0, 1, 2, 3))
    assert await process.wait() == -signal.SIGKILL


async def a_lease_that_is_not_watched_has_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "owner_gone", fails)
    over = asyncio.Event()
    made = lease.Lease(lease.Owner(os.getpid()), 0, 60.0, lambda: None, over.set)
    made.start()
    await over.wait()


async def a_process_whose_call_fails_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server._Connection, "_answer", fails)
    ours, theirs = socket.socketpair()
    made = server._Connection(None, lambda _: None)  # type: ignore[arg-type, return-value]
    await asyncio.get_running_loop().create_unix_connection(lambda: made, sock=theirs)
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    writer.write(server.piece(b"a call"))
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    "case",
    [
        a_slot_that_cannot_be_connected_is_ended,
        a_lease_that_is_not_watched_has_run_out,
        a_process_whose_call_fails_is_let_go,
    ],
)
def test_whoever_waits_on_a_node_is_told(
    case: Callable[[pytest.MonkeyPatch], Coroutine[Any, Any, None]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)

    async def main() -> None:
        async with asyncio.timeout(WITHIN):
            await case(monkeypatch)

    asyncio.run(main())
    assert "Lost: on the way" in caplog.text
