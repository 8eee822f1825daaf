"""Code of a user that sends its agent and the kernel what no node sends: no code of it runs there, and no file goes.

What a task reports beside its result is plain data. A task that makes it up loses that, or itself; nothing else does.
"""

from __future__ import annotations

import logging
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

import skyward as sky
from skyward_jupyter.agent import outlet
from skyward_jupyter.agent.frames import COUNT
from skyward_jupyter.wire.events import Kind
from tests.faults.conftest import World

pytestmark = pytest.mark.fault


class Runs:
    """Has a file made where it is unpickled."""

    def __init__(self, mark: str) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._mark}-$PPID",)


def frames(mark: str) -> list[tuple[Kind, bytes]]:
    """Frames of each kind that a slot sends while its task runs, with a pickle where their content is."""
    made = pickle.dumps(Runs(mark))
    several = b"x" + (2).to_bytes(1) + len(made).to_bytes(8, "little") + made
    kinds = (Kind.OUTPUT, Kind.DISPLAY, Kind.CLEAR, Kind.WANT)
    found = [(kind, tag + made) for kind in kinds for tag in (b"p", b"x", b"b", b"")]
    found += [(Kind.DISPLAY, several), (Kind.OUTPUT, b"o\xff\xfe"), (Kind.DISPLAY, b""), (Kind.CLEAR, b"")]
    return found


@sky.compute(retries=0)
def sends(mark: str, which: int) -> str:
    """Send one such frame, and print."""
    kind, body = frames(mark)[which]
    here = outlet.current()
    here.send(kind, body)
    print("still here")
    return "done"


@sky.compute(retries=0)
def yields_what_is_not(mark: str) -> None:
    here = outlet.current()
    here.send(Kind.YIELDS, COUNT.pack(1) + b"p" + pickle.dumps(Runs(mark)))


@sky.compute(retries=0)
def frames_of_no_kind() -> None:
    outlet.current().send(99, b"")


def marks(mark: Path) -> list[str]:
    return [path.name for path in mark.parent.glob(f"{mark.name}-*")]


def test_what_is_malformed_is_said_and_runs_no_code(
    pool: sky.ComputePool, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "ran"
    count = len(frames(""))
    with caplog.at_level(logging.ERROR, "skyward"):
        for number in range(count):
            assert sends(str(mark), number) >> pool == "done"
    assert marks(mark) == []
    said = [record.message for record in caplog.records if "malformed" in record.message]
    assert len(said) == count
    assert all("node " in text and "sends" in text for text in said)
    assert capsys.readouterr().out.count("still here") == count


def test_yields_that_are_malformed_end_their_task_alone(pool: sky.ComputePool, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    with pytest.raises(sky.NotLoaded):
        yields_what_is_not(str(mark)) >> pool
    assert marks(mark) == []
    assert sends(str(mark), 0) >> pool == "done"


def test_a_slot_that_sends_no_frame_is_ended(pool: sky.ComputePool, world: World) -> None:
    with pytest.raises(sky.SlotDied):
        frames_of_no_kind() >> pool
    assert sends("", 0) >> pool == "done"


@sky.compute(retries=0)
def names_a_file(path: str) -> None:
    """Show a display that is in a blob of this name."""
    size = 4
    named = size.to_bytes(8, "little") + path.encode()
    for body in (b"b" + named, b"x" + (2).to_bytes(1) + len(named).to_bytes(8, "little") + named):
        outlet.current().send(Kind.DISPLAY, body)
        outlet.current().send(Kind.YIELD, body)


@sky.compute(retries=0)
def names_a_file_in_a_pickle(path: str) -> None:
    """The same as an older node would have said it."""
    from skyward_jupyter.wire.blobs import Blob

    outlet.current().send(Kind.DISPLAY, b"b" + pickle.dumps(Blob(path, 4), 5))


def test_a_file_that_is_no_blob_is_neither_read_nor_removed(pool: sky.ComputePool, tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("mine")
    for path in (str(file), f"../../../../../../../../..{file}"):
        names_a_file_in_a_pickle(path) >> pool
        with pytest.raises(sky.NotLoaded):
            names_a_file(path) >> pool
        assert file.read_text() == "mine"


def test_looking_at_a_collection_runs_no_code_of_its_values(pool: sky.ComputePool, tmp_path: Path) -> None:
    @sky.compute
    def put(mark: str) -> None:
        sky.dict("shown")["evil"] = Runs(mark)
        sky.queue("next").put(Runs(mark))

    mark = tmp_path / "ran"
    put(str(mark)) >> pool
    for collection in (sky.dict("shown", pool=pool), sky.queue("next", pool=pool)):
        text = collection._repr_mimebundle_()["text/plain"]
        assert "touch" in text
    assert marks(mark) == []
