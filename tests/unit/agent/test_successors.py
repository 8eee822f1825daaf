"""Slots that have run nothing and those with more libraries that replace them: whose process ends, and who waits."""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.crew import SESSION, Crew
from skyward_jupyter.agent.pipes import Ends
from skyward_jupyter.agent.slots import Running
from skyward_jupyter.wire.messages import Code, Task
from skyward_jupyter.wire.project import Loaded, Project

NO_PROJECT = Code("", b"")
SUCCESSOR = {"op": "slot", "slot": 0, "sockets": 1}


class Node:
    """A crew, what it asks of its template, and slots that are processes which do nothing."""

    def __init__(self, store: Path) -> None:
        self.asked: list[dict[str, Any]] = []
        self.freed = 0
        config = AgentConfig("unit", 0, "127.0.0.1:25520", (), "unit", str(store))
        ignored: Any = lambda *_: None  # noqa: E731
        self.crew = Crew(config, self.asked.append, ignored, ignored, self._free, ignored, ignored, ignored)
        self.processes: dict[int, asyncio.subprocess.Process] = {}
        self._mine: list[socket.socket] = []

    def _free(self) -> None:
        self.freed += 1

    async def slot(self, stock: int = 0, index: int = 0, sockets: int = 1) -> int:
        """Start a slot's process, born of this preloader; returns its id."""
        process = await asyncio.create_subprocess_exec("sleep", "600")
        self.processes[process.pid] = process
        pairs = [socket.socketpair() for _ in range(sockets)]
        self._mine += [ours for ours, _ in pairs]
        ends = Ends.new()
        theirs = tuple(theirs.detach() for _, theirs in pairs)
        await self.crew.connect(index, process.pid, theirs, ends.for_agent, stock)
        for fd in ends.writes:
            os.close(fd)
        return process.pid

    def stocked(self, stock: int, *libraries: str, awaited: tuple[str, ...] = ()) -> None:
        self.crew.stocked({"stock": stock, "libraries": libraries, "awaited": awaited})

    def run(self, index: int = 0) -> None:
        """A task runs on a slot, and has ended."""
        link = next(it for it in self.crew if it.index == index)
        link.running = Running("kernel", Task(1, "f", b"p"))
        link.ended()

    @property
    def pids(self) -> list[int]:
        return [link.pid for link in self.crew]

    async def ended(self, pid: int) -> None:
        """Wait for the end of a process, which the template tells of."""
        code = await asyncio.wait_for(self.processes[pid].wait(), 10)
        self.crew.ended(0, pid, code)

    def waits(self, body: bytes, args: bytes = b"p", project: Code = NO_PROJECT) -> bool:
        link = next(iter(self.crew))
        return self.crew.waits(link, Task(1, "f", args), body, project)

    async def close(self) -> None:
        for link in self.crew:
            link.close()
        for piped in {link.piped for link in self.crew if link.piped is not None}:
            piped.close()
        for sock in self._mine:
            sock.close()
        for process in self.processes.values():
            if process.returncode is None:
                process.kill()
            await process.wait()
        await asyncio.sleep(0)  # transports close in the next turn of the loop


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(tmp_path)
    yield made
    await made.close()


def code(*names: str) -> bytes:
    return b"p" + pickle.dumps(names, 5)


def project_of(folder: Path, **sources: str) -> Code:
    """A project of these modules, as a kernel that shares its files tells of it."""
    modules = {}
    for name, source in sources.items():
        (file := folder / f"{name}.py").write_text(source)
        modules[name] = Loaded(str(file), name, (0, 0))
    return Code("1", Project(shared=True, modules=modules, loaded=tuple(modules)).to_bytes())


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked there")


async def test_a_slot_that_has_run_nothing_is_replaced_once_and_its_process_ends(node: Node) -> None:
    before = await node.slot()
    node.stocked(7, "numpy")
    node.stocked(7, "numpy")
    assert node.asked == [SUCCESSOR]
    assert node.pids == [before]  # until the other is there
    after = await node.slot(7)
    assert node.pids == [after]
    await node.ended(before)
    assert node.pids == [after]
    assert node.asked == [SUCCESSOR]


async def test_one_that_has_run_a_task_stays(node: Node) -> None:
    before = await node.slot()
    node.run()
    node.stocked(7, "numpy")
    assert node.asked == []
    assert node.pids == [before]


async def test_one_that_gets_a_task_meanwhile_stays_and_its_successor_ends(node: Node) -> None:
    before = await node.slot()
    node.stocked(7, "numpy")
    node.run()
    late = await node.slot(7)
    await node.ended(late)
    assert node.pids == [before]
    assert node.asked == [SUCCESSOR]


async def test_one_that_started_before_and_is_connected_later_is_replaced_too(node: Node) -> None:
    node.stocked(7, "numpy")
    await node.slot()
    assert node.asked == [SUCCESSOR]


async def test_all_slots_of_a_process_with_threads_are_replaced_together(node: Node) -> None:
    await node.slot(sockets=4)
    node.stocked(7, "numpy")
    assert node.asked == [{**SUCCESSOR, "sockets": 4}]
    after = await node.slot(7, sockets=4)
    assert node.pids == [after] * 3
    node.run(index=1)
    node.stocked(8, "numpy", "pandas")
    assert len(node.asked) == 1


async def test_the_session_has_no_successor(node: Node) -> None:
    await node.slot(index=SESSION)
    node.stocked(7, "numpy")
    assert node.asked == []


async def test_a_successor_that_ends_at_once_is_not_asked_for_again(node: Node) -> None:
    before = await node.slot()
    node.stocked(7, "numpy")
    node.crew.ended(0, 999_999, -9)  # it never got as far as to be connected
    assert node.asked == [SUCCESSOR]
    assert node.pids == [before]
    assert not node.waits(code("numpy"))


async def test_a_slot_whose_preloader_could_not_fork_is_not_taken(node: Node) -> None:
    before = await node.slot(7)
    node.stocked(8, "numpy", "pandas")
    bare = await node.slot()
    await node.ended(bare)
    assert node.pids == [before]


async def test_a_successor_that_the_system_has_no_room_for_holds_up_no_task(node: Node) -> None:
    await node.slot()
    node.stocked(7, "numpy")
    assert node.waits(code("numpy"))
    node.freed = 0
    node.crew.failed(0, "no memory is left for another process")
    assert not node.waits(code("numpy"))
    assert node.freed


@pytest.mark.parametrize(
    ("body", "args", "waits"),
    [
        (code("numpy"), b"p", True),
        (code("sum"), code("numpy._core.multiarray"), True),
        (code("sum"), code("os"), False),
        (code("sum"), b"xcompressed", True),
        (code("my_part"), b"p", True),
        (code("my_other"), b"p", True),
    ],
)
async def test_a_task_waits_for_what_it_names_while_that_is_imported_and_until_the_successor_is_there(
    body: bytes, args: bytes, waits: bool, node: Node, tmp_path: Path
) -> None:
    project = project_of(tmp_path, my_part="import numpy", my_other="import my_part")
    await node.slot()
    assert not node.waits(body, args, project)
    node.stocked(0, awaited=("numpy",))
    assert node.waits(body, args, project) is waits
    node.stocked(7, "numpy")
    assert node.waits(body, args, project) is waits
    await node.slot(7)
    assert not node.waits(body, args, project)


async def test_a_task_waits_no_longer_once_the_import_has_taken_too_long(node: Node) -> None:
    await node.slot()
    node.stocked(0, awaited=("numpy",))
    assert node.waits(code("numpy"))
    node.freed = 0
    node.stocked(0)
    assert not node.waits(code("numpy"))
    assert node.freed


async def test_a_task_waits_for_no_successor_of_a_slot_that_stays(node: Node) -> None:
    await node.slot()
    node.run()
    node.stocked(0, awaited=("numpy",))
    assert not node.waits(code("numpy"))


async def test_a_task_of_an_own_module_waits_only_where_own_modules_name_what_is_imported(
    node: Node, tmp_path: Path
) -> None:
    await node.slot()
    node.stocked(0, awaited=("numpy",))
    assert not node.waits(code("my_part"), project=project_of(tmp_path, my_part="import os"))
