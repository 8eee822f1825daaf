"""A node's part in bringing modules to its machine."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lz4.frame
import pytest

from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.modules import Answer, Modules, ask, serve_modules
from skyward_jupyter.wire.blobs import BlobStore, digest
from skyward_jupyter.wire.messages import AwaitNeeds, Code, GiveUnit
from skyward_jupyter.wire.project import Project, Provided, Unit, UnitFile


class Reply:
    """Where an answer goes."""

    def __init__(self) -> None:
        self.answers: list[Any] = []

    def tell(self, answer: Any) -> None:
        self.answers.append(answer)


class Node:
    """The modules of a node, and what a kernel would say to it."""

    def __init__(self, folder: Path) -> None:
        self.store = BlobStore(folder / "blobs")
        self.modules = Modules(folder / "project", self.store)
        self.folder = folder

    def question(self) -> Reply:
        """Ask what it needs."""
        asked, reply = AwaitNeeds(), Reply()
        object.__setattr__(asked, "reply_to", reply)
        self.modules.hold(asked)
        return reply

    def unit(self, name: str, **files: str) -> Unit:
        """A unit of files, ``__`` for a slash and ``_`` for the dot."""
        found = []
        for path, text in files.items():
            stem, _, end = path.replace("__", "/").rpartition("_")
            found.append(UnitFile(f"root-1/{stem}.{end}", digest(text.encode()), len(text)))
        key = digest(repr(found).encode())
        return Unit(name, key, (("root-1", "/home/me/project"),), tuple(found))

    async def give(self, unit: Unit, *texts: str) -> str:
        """Send a unit, with these contents."""
        contents = {digest(text.encode()): text.encode() for text in texts}
        blob = self.store.put(lz4.frame.compress(pickle.dumps(contents)))
        return await self.modules.give(GiveUnit(unit.name, unit, blob))

    def text(self, path: str) -> str:
        return (self.folder / "project" / "root-1" / path).read_text()


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_a_module_is_asked_for_once_and_brought(node: Node) -> None:
    reply = node.question()
    waiting = [asyncio.create_task(node.modules.find("app")) for _ in range(3)]
    await asyncio.sleep(0)
    assert reply.answers == [("app",)]
    unit = node.unit("app", app_py="V = 1")
    assert node.modules.lacking([file.digest for file in unit.files]) == (unit.files[0].digest,)
    assert await node.give(unit, "V = 1") == ""
    folder = str(node.folder / "project" / "root-1")
    assert await asyncio.gather(*waiting) == [Answer(((folder, "/home/me/project"),), unit.digest)] * 3
    assert node.text("app.py") == "V = 1"
    assert node.modules.lacking([unit.files[0].digest]) == ()
    assert (await node.modules.find("app")).digest == unit.digest, "what is here is not asked for again"


async def test_a_question_that_comes_later_hears_of_what_waits(node: Node) -> None:
    waiting = asyncio.create_task(node.modules.find("app"))
    await asyncio.sleep(0)
    first = node.question()
    assert first.answers == [("app",)]
    second = node.question()
    assert second.answers == [("app",)], "the answer to the first may have been lost"
    waiting.cancel()


async def test_another_version_replaces_the_files(node: Node) -> None:
    first, second = node.unit("app", app_py="V = 1", gone_py="G = 1"), node.unit("app", app_py="V = 2")
    await node.give(first, "V = 1", "G = 1")
    before = (node.folder / "project/root-1/app.py").stat().st_mtime
    project = Project(shared=False, names={"app": Provided(digest=second.digest)})
    node.modules.take(Code("1", project.to_bytes()))
    reply = node.question()
    finding = asyncio.create_task(node.modules.find("app"))
    await asyncio.sleep(0)
    assert reply.answers == [("app",)]
    await node.give(second, "V = 2")
    assert (await finding).digest == second.digest
    assert node.text("app.py") == "V = 2"
    assert (node.folder / "project/root-1/app.py").stat().st_mtime != before, "Python would take the compiled form"
    assert not (node.folder / "project/root-1/gone.py").exists()


async def test_what_does_not_travel_is_said(node: Node) -> None:
    finding = asyncio.create_task(node.modules.find("app"))
    await asyncio.sleep(0)
    await node.modules.give(GiveUnit("app", why="it is too large"))
    assert await finding == Answer(why="it is too large")


async def test_files_that_cannot_be_written_are_said(node: Node) -> None:
    (node.folder / "project").write_text("in the way")
    finding = asyncio.create_task(node.modules.find("app"))
    await asyncio.sleep(0)
    assert (await node.give(node.unit("app", app_py=""), "")).startswith("its files could not be written (")
    assert (await finding).why.startswith("its files could not be written (")


async def test_a_process_of_the_node_asks_at_the_door(node: Node) -> None:
    config = AgentConfig("p", 3, "", (), "c", str(node.folder / "blobs"))
    async with serve_modules(node.modules, config):
        asking = asyncio.create_task(asyncio.to_thread(ask, config, "app"))
        given = asyncio.create_task(asyncio.to_thread(ask, config, "app"))
        await until(lambda: len(node.modules._waiting.get("app", ())) == 2)
        unit = node.unit("app", app_py="V = 1")
        await node.give(unit, "V = 1")
        assert {(await asking).digest, (await given).digest} == {unit.digest}


async def test_the_end_of_the_node_ends_the_wait(node: Node) -> None:
    config = AgentConfig("p", 3, "", (), "c", str(node.folder / "blobs"))
    async with serve_modules(node.modules, config):
        asking = asyncio.create_task(asyncio.to_thread(ask, config, "app"))
        await until(lambda: "app" in node.modules._waiting)
    with pytest.raises(ConnectionError, match="the node's agent is gone"):
        await asking


@pytest.mark.parametrize("path", ["../out.py", "/tmp/out.py", "root-1/../../../out.py", "..", ""])
async def test_a_file_goes_nowhere_else(node: Node, path: str) -> None:
    text = "x = 1"
    unit = Unit("app", "1", (("root-1", "/home/me/project"),), (UnitFile(path, digest(text.encode()), len(text)),))
    assert "is not a file of a module" in await node.give(unit, text)
    assert not list(node.folder.rglob("out.py"))
    assert not list(node.folder.parent.glob("out.py"))
