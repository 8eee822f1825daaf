"""Files named by their content."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from skyward_jupyter.errors import NoRoom
from skyward_jupyter.wire.blobs import Blob, BlobMemory, BlobStore, digest


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs", keep=1000)


def names(store: BlobStore) -> set[str]:
    return set(os.listdir(store.directory))


def test_the_directory_is_private(store: BlobStore) -> None:
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700


def test_equal_content_is_kept_once(store: BlobStore) -> None:
    first = store.put(b"a" * 100)
    written = store.path(first.name).stat().st_mtime_ns
    assert store.put(bytearray(b"a" * 100)) == first == Blob(digest(b"a" * 100), 100)
    assert store.path(first.name).stat().st_mtime_ns == written
    assert names(store) == {first.name}


def test_what_a_reader_does_stays_its_own(store: BlobStore) -> None:
    blob = store.put(b"abc" * 10)
    mine, other = store.open(blob), store.open(blob)
    mine[:3] = b"XYZ"
    assert bytes(other[:3]) == b"abc"
    assert store.path(blob.name).read_bytes() == b"abc" * 10
    assert bytes(store.open(blob)) == b"abc" * 10


def test_an_empty_blob(store: BlobStore) -> None:
    assert bytes(store.open(store.put(b""))) == b""


def test_the_oldest_use_goes_first(store: BlobStore) -> None:
    old, used, new = (store.put(bytes([n]) * 400) for n in range(3))
    assert names(store) == {used.name, new.name}
    store.put(b"\1" * 400)
    last = store.put(b"\3" * 400)
    assert not store.has(old.name)
    assert names(store) == {used.name, last.name}


def test_what_is_pinned_stays(store: BlobStore) -> None:
    pinned = store.put(b"p" * 600)
    store.pin(pinned.name)
    store.pin(pinned.name)
    for n in range(5):
        store.put(bytes([n]) * 500)
    assert store.has(pinned.name)
    store.unpin(pinned.name)
    store.put(b"x" * 500)
    assert store.has(pinned.name)
    store.unpin(pinned.name)
    store.put(b"y" * 500)
    assert not store.has(pinned.name)


def test_one_larger_than_everything_kept_is_still_there(store: BlobStore) -> None:
    large = store.put(b"l" * 5000)
    assert store.has(large.name)


def test_an_evicted_blob_stays_readable_where_it_is_mapped(store: BlobStore) -> None:
    blob = store.put(b"m" * 900)
    mapped = store.open(blob)
    store.put(b"n" * 900)
    assert not store.has(blob.name)
    assert bytes(mapped) == b"m" * 900


def test_drop_spares_what_the_store_keeps(store: BlobStore, tmp_path: Path) -> None:
    kept = store.put(b"k" * 10)
    theirs = BlobStore(tmp_path / "blobs").put(b"t" * 10)
    for name in (kept.name, theirs.name, "absent"):
        store.drop(name)
    assert names(store) == {kept.name}


def test_equal_results_have_names_of_their_own(store: BlobStore) -> None:
    first, second = store.hand_over(b"r" * 50), store.hand_over(b"r" * 50)
    assert first.name != second.name
    store.drop(first.name)
    assert bytes(store.open(second)) == b"r" * 50
    store.drop(second.name)
    assert names(store) == set()


def test_two_processes_never_hand_over_under_one_name(tmp_path: Path) -> None:
    made = [BlobStore(tmp_path).hand_over(b"same") for _ in range(20)]
    assert len({blob.name for blob in made}) == 20


def test_an_argument_handed_back_costs_no_copy(store: BlobStore) -> None:
    argument = store.put(b"a" * 200)
    result = store.hand_over(b"a" * 200)
    assert store.path(argument.name).samefile(store.path(result.name))
    store.drop(result.name)
    assert bytes(store.open(argument)) == b"a" * 200


def test_pieces(store: BlobStore) -> None:
    content = bytes(range(250))
    name = digest(content)
    whole = [store.write_piece(name, at, content[at : at + 60], 250) for at in range(0, 250, 60)]
    assert whole == [False, False, False, False, True]
    assert bytes(store.open(Blob(name, 250))) == content
    assert names(store) == {name}
    assert b"".join(store.read(name, at, 60) for at in range(0, 250, 60)) == content
    assert store.read(name, 240, 60) == content[240:]


def test_an_upload_that_broke_off_is_not_there_and_can_be_repeated(store: BlobStore) -> None:
    content = b"0123456789" * 10
    name = digest(content)
    store.write_piece(name, 0, content[:50], 100)
    assert not store.has(name)
    assert not store.write_piece(name, 0, content[:50], 100)
    assert store.write_piece(name, 50, content[50:], 100)
    assert bytes(store.open(Blob(name, 100))) == content


def test_no_room_says_so_and_leaves_nothing(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(NoRoom, match="No space left"):
        store.put(b"x" * 100)
    assert names(store) == set()


def test_in_memory_a_blob_lives_as_long_as_it_is_pinned() -> None:
    memory = BlobMemory()
    source = bytearray(b"abc")
    blob = memory.put(source)
    memory.pin(blob.name)
    memory.pin(blob.name)
    source[:] = b"xyz"
    assert bytes(memory.open(blob)) == b"abc"
    memory.unpin(blob.name)
    assert bytes(memory.open(blob)) == b"abc"
    memory.unpin(blob.name)
    with pytest.raises(KeyError):
        memory.open(blob)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", ".", "a" * 31, "A" * 32, "0" * 32 + "\n", "0" * 32 + "-"])
def test_a_name_that_no_blob_has_is_neither_read_nor_removed(tmp_path: Path, name: str) -> None:
    store = BlobStore(tmp_path / "store")
    (tmp_path / "x").write_bytes(b"mine")
    assert not store.has(name)
    store.drop(name)
    store.give_up(name)
    for use in (
        lambda: store.read(name, 0, 9),
        lambda: store.open(Blob(name, 4)),
        lambda: store.take(Blob(name, 4)),
        lambda: store.write_piece(name, 0, b"piece", 5),
    ):
        with pytest.raises(FileNotFoundError):
            use()
    assert (tmp_path / "x").read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["store", "x"]
