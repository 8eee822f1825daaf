"""Where a pool's private directory is, and its second place."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from skyward_jupyter.fleets import store
from skyward_jupyter.wire.spill import remove_store, spill_of

MB = 2**20


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A directory for shared memory, and one for temporary files."""
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    memory.mkdir()
    disk.mkdir()
    monkeypatch.setattr(store, "_MEMORY", memory)
    monkeypatch.setattr(store, "disk", lambda: disk)
    return memory, disk


@pytest.mark.parametrize(
    ("free", "chosen"),
    [
        ((64, 10_000), "disk"),
        ((511, 10_000), "disk"),
        ((512, 10_000), "memory"),
        ((64, 30), "memory"),
        ((0, 0), "memory"),
    ],
    ids=["a container", "little", "enough", "less on the disk", "none at all"],
)
def test_the_place_is_chosen_by_its_room(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, free: tuple[int, int], chosen: str
) -> None:
    room = dict(zip(places, free, strict=True))
    monkeypatch.setattr(store, "_free", lambda place: room[place] * MB)
    made = Path(store.new_store("unit"))
    assert made.parent.name == chosen
    assert (spill_of(made) is None) == (chosen == "disk")
    remove_store(str(made))


def test_without_shared_memory_the_disk_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MEMORY", tmp_path / "absent")
    monkeypatch.setattr(store, "disk", lambda: tmp_path)
    assert store.shared_memory() == tmp_path


def test_the_second_place_is_private_and_goes_with_the_first(places: tuple[Path, Path]) -> None:
    memory, disk = places
    made = Path(store.new_store("unit"))
    second = spill_of(made)
    assert second == disk / made.name
    assert stat.S_IMODE(second.stat().st_mode) == stat.S_IMODE(made.stat().st_mode) == 0o700
    (second / "blobs").mkdir()
    remove_store(str(made))
    assert not list(memory.iterdir())
    assert not list(disk.iterdir())


def test_nobody_else_makes_the_second_place(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    memory, disk = places
    (disk / "skyward-1-unit-x").mkdir()
    monkeypatch.setattr(store.tempfile, "mkdtemp", lambda **_: _made(memory / "skyward-1-unit-x"))
    assert spill_of(Path(store.new_store("unit"))) is None


def _made(place: Path) -> str:
    place.mkdir()
    return str(place)


def test_what_owners_that_are_gone_left_is_removed_in_both_places(places: tuple[Path, Path]) -> None:
    gone = [place / "skyward-4194999-unswept-x" for place in places]
    for path in gone:
        path.mkdir()
    remove_store(store.new_store("unit"))
    assert not [path for path in gone if path.exists()]
