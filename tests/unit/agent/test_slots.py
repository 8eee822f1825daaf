"""The agent's side of a slot, with a real slot process at the other end."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
from pathlib import Path

import pytest

from skyward_jupyter.agent.frames import SECONDS
from skyward_jupyter.agent.slots import Running, SlotLink
from skyward_jupyter.wire.blobs import BlobStore
from skyward_jupyter.wire.codec import pack
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.messages import Code, Task
from tests.said import content
from tests.unit.agent.test_slot import Slot


class Driver:
    """Runs tasks on one slot as an agent does, and keeps how each ended."""

    def __init__(self, slot: Slot, store: Path) -> None:
        self.slot = slot
        self.store = BlobStore(store)
        self.link = SlotLink(0, slot.process.pid, None, self._heard)
        self.ends: dict[int, tuple[Kind, object]] = {}
        self._changed = asyncio.Event()

    async def connect(self) -> None:
        self.slot.sock.setblocking(False)
        await asyncio.get_running_loop().create_unix_connection(lambda: self.link, sock=self.slot.sock)

    def run(self, number: int, function: object, *args: object) -> None:
        code = pack(function, self.store.put)
        task = Task(number, str(number), pack((args, {}), self.store.put))
        self.link.run(Running("client", task), code, Code("", b""))

    async def until(self, condition: str) -> None:
        async with asyncio.timeout(20):
            while not eval(condition, {"ends": self.ends, "link": self.link}):
                await self._changed.wait()
                self._changed.clear()

    def _heard(self, link: SlotLink, task: int, kind: Kind, body: bytes) -> None:
        if kind.final:
            self.ends[task] = kind, content(kind, body[SECONDS.size :], self.store.open)
        self._changed.set()


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    return Slot(tmp_path)


async def test_a_signal_still_on_its_way_hits_no_other_task(slot: Slot, tmp_path: Path) -> None:
    driver = Driver(slot, tmp_path)
    await driver.connect()
    driver.run(1, pickle.dumps, 1)
    await driver.until("1 in ends")
    # The agent has not taken in the end of the task when it is to stop it, and the slot gets no turn meanwhile.
    os.kill(slot.process.pid, signal.SIGSTOP)
    driver.link.interrupt("interrupted")
    driver.link.ended()
    assert not driver.link.free
    os.kill(slot.process.pid, signal.SIGCONT)
    await driver.until("link.free")
    driver.run(2, pickle.loads, pickle.dumps("fine"))
    await driver.until("2 in ends")
    assert driver.ends[2] == (Kind.VALUE, "fine")
    driver.link.close()
    driver.link.kill()
    slot.process.wait(10)


async def test_a_task_that_was_not_stopped_leaves_a_free_slot_at_once(slot: Slot, tmp_path: Path) -> None:
    driver = Driver(slot, tmp_path)
    await driver.connect()
    driver.run(1, pickle.dumps, 1)
    assert not driver.link.free
    await driver.until("1 in ends")
    driver.link.ended()
    assert driver.link.free
    driver.link.close()
    driver.link.kill()
    slot.process.wait(10)
