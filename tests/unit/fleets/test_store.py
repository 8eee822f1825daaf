"""Where a pool's private directory is, and its second place."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from skyward_jupyter.fleets import store
from skyward_jupyter.wire import holds
from skyward_jupyter.wire.spill import hold_store, let_store_go, remove_store, spill_of

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
        os.utime(path, (0, 0))
    remove_store(store.new_store("unit"))
    assert not [path for path in gone if path.exists()]


def test_what_is_just_being_made_stays(places: tuple[Path, Path]) -> None:
    for place in places:
        (place / "skyward-4194999-new-x").mkdir()
    remove_store(store.new_store("unit"))
    assert all((place / "skyward-4194999-new-x").exists() for place in places)


def test_what_is_held_stays_and_goes_once_it_is_not(places: tuple[Path, Path]) -> None:
    made = Path(store.new_store("unit"))
    second = spill_of(made)
    assert second is not None
    renamed = [path.rename(path.with_name("skyward-4194999-unit-x")) for path in (made, second)]
    assert holds.is_held(renamed[0])
    remove_store(store.new_store("unit"))
    assert all(path.exists() for path in renamed)
    for path in (made, second):
        holds.let_go(path.name)
    remove_store(store.new_store("unit"))
    assert not any(path.exists() for path in renamed)


def test_both_places_are_let_go_also_when_another_process_removed_them(places: tuple[Path, Path]) -> None:
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    for let_go in (let_store_go, remove_store):
        made = store.new_store("unit")
        shutil.rmtree(made)
        let_go(made)
    assert not [place for place in holds._held if Path(place).parent in places]
    assert len(before) == (len(os.listdir("/proc/self/fd")) if before else 0)


def test_what_another_kernel_may_want_stays_for_its_time(places: tuple[Path, Path]) -> None:
    made = Path(store.new_store("unit", after=600))
    let_store_go(str(made))
    remove_store(store.new_store("unit"))
    assert made.exists()
    for place in places:
        os.utime(place / made.name / "free", (0, 0))
    remove_store(store.new_store("unit"))
    assert not made.exists()


def test_the_time_begins_again_when_it_was_held_meanwhile(places: tuple[Path, Path]) -> None:
    made = Path(store.new_store("unit", after=600))
    for _ in range(2):
        let_store_go(str(made))
        remove_store(store.new_store("unit"))
        assert (made / "free").exists()
        hold_store(str(made))
        assert not (made / "free").exists()
    remove_store(str(made))


def test_bait_of_another_user_is_not_taken(places: tuple[Path, Path], tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root, to be another user")
    precious = tmp_path / "precious"
    precious.mkdir()
    bait = places[0] / "skyward-4194999-bait-x"
    bait.mkdir()
    (bait / "spill").symlink_to(precious)
    os.chown(bait, 12345, 12345)
    os.utime(bait, (0, 0))
    remove_store(store.new_store("unit"))
    assert precious.exists()
    assert bait.exists()


def test_only_a_second_place_of_its_name_is_one(places: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    made = places[0] / "skyward-4194999-odd-x"
    made.mkdir()
    (made / "spill").symlink_to(tmp_path / "precious")
    remove_store(str(made))
    assert (tmp_path / "precious").exists()
    assert not made.exists()
