"""Who may tell a template what about a pool."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skyward_jupyter.agent.channel import Channel, Message, short
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.controls import DOOR, Control, Pool, opened


class Kernel:
    """A kernel's end of a control."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self._channel = Channel(self.ours)
        self.ours.setblocking(False)
        self.control = Control(Channel(self.theirs))

    def heard(self) -> list[Message]:
        self.control.flush()
        return [message for message, _ in self._channel.receive() or []]


type Another = Callable[[], Kernel]


@pytest.fixture
def another() -> Iterator[Another]:
    made: list[Kernel] = []

    def make() -> Kernel:
        made.append(Kernel())
        return made[-1]

    yield make
    for kernel in made:
        kernel.ours.close()
        kernel.theirs.close()


@pytest.fixture
def kernel(another: Another) -> Kernel:
    return another()


@pytest.fixture
def pool(tmp_path: Path, kernel: Kernel) -> Iterator[Pool]:
    record = tmp_path / "record"
    record.touch()
    os.utime(record, (1, 1))
    store = tmp_path / "store"
    store.mkdir()
    config = AgentConfig("p", 0, "", (), "c", f"{store}/blobs", key="p~1", record=str(record))
    made = opened(config, kernel.control)
    yield made
    made.door.close()


def test_a_later_epoch_takes_the_pool_and_the_former_kernel_is_told(
    pool: Pool, kernel: Kernel, another: Another
) -> None:
    other = another()
    assert pool.take(other.control, 1, "kernel 2")
    assert pool.control is other.control
    assert kernel.heard() == [{"op": "taken", "pool": "p~1", "by": "kernel 2"}]


@pytest.mark.parametrize("epoch", [0, 1])
def test_the_same_or_an_earlier_epoch_is_refused(pool: Pool, epoch: int, another: Another) -> None:
    winner, late = another(), another()
    assert pool.take(winner.control, 1, "kernel 2")
    assert not pool.take(late.control, epoch, "kernel 3")
    assert pool.control is winner.control
    assert winner.heard() == []


def test_the_kernel_that_has_it_may_knock_again(pool: Pool, another: Another) -> None:
    """As after its link was broken; nobody else may in its name."""
    first, again, other = another(), another(), another()
    assert pool.take(first.control, 1, "kernel 2", "token")
    assert pool.take(again.control, 1, "kernel 2", "token")
    assert pool.control is again.control
    assert first.heard() == []
    assert not pool.take(other.control, 1, "kernel 2", "another")
    assert not pool.take(other.control, 1, "kernel 2")


def test_a_pool_that_is_let_go_is_not_given_to_anybody(pool: Pool, another: Another) -> None:
    pool.ending = True
    assert not pool.take(another().control, 1, "kernel 2")


def test_the_door_is_in_the_pools_directory_and_goes_with_it(pool: Pool) -> None:
    with socket.socket(socket.AF_UNIX) as knocking:
        knocking.connect(f"{pool.store}/{DOOR}")
        pool.door.accept()[0].close()
    pool.remove()
    assert not Path(pool.store).exists()


def test_the_end_of_a_kernel_stamps_the_record(pool: Pool) -> None:
    pool.stamp()
    assert pool.config is not None
    assert Path(pool.config.record).stat().st_mtime > 1
    Path(pool.config.record).unlink()
    pool.stamp()


def test_a_kernel_that_does_not_read_holds_up_nobody(kernel: Kernel) -> None:
    for _ in range(100):
        kernel.control.tell({"op": "report", "pool": "p~1", "text": "x" * 10_000})
        kernel.control.flush()
    assert kernel.control.flush()
    found = 0
    while found < 100:
        found += len(kernel.heard())
    assert not kernel.control.flush()


def test_long_paths_have_a_short_way(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_UNIX) as knocking:
        with short(f"{folder}/door") as path:
            assert len(path) < 100
            door.bind(path)
        door.listen()
        assert (folder / "door").is_socket()
        with short(f"{folder}/door") as path:
            knocking.connect(path)
    with short("/short") as path:
        assert path == "/short"
