"""What a process that was killed leaves is told from all else by its name."""

from __future__ import annotations

import os
from pathlib import Path

from skyward_jupyter.wire.blobs import BlobStore, is_name
from skyward_jupyter.wire.remnants import new_token, remove_partial, remove_results
from skyward_jupyter.wire.spill import add_spill


def test_results_of_a_process_go_but_those_that_were_told(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "pool" / "blobs")
    kept = store.put(b"argument" * 100)
    first, second, third = (store.hand_over(b"result") for _ in range(3))
    assert is_name(first.name)
    token, _, number = second.name.partition("-")
    remove_results(store.directory, os.getpid() + 1)
    remove_results(store.directory, os.getpid(), {token: int(number)})
    assert [store.has(blob.name) for blob in (kept, first, second, third)] == [True, True, True, False]
    remove_results(store.directory, os.getpid())
    assert [store.has(blob.name) for blob in (kept, first, second)] == [True, False, False]


def test_both_places_are_looked_through(tmp_path: Path) -> None:
    pool, disk = tmp_path / "pool", tmp_path / "disk"
    pool.mkdir()
    disk.mkdir()
    add_spill(pool, disk)
    for place in (pool, disk / "pool"):
        (place / "blobs").mkdir()
        for name in ("a" * 32 + ".17", "a" * 32 + ".117", f"{17:08x}01234567-1", "b" * 32):
            (place / "blobs" / name).touch()
    remove_partial(pool / "blobs", 17)
    remove_results(pool / "blobs", 17)
    for place in (pool, disk / "pool"):
        assert sorted(os.listdir(place / "blobs")) == ["a" * 32 + ".117", "b" * 32]


def test_a_directory_that_is_gone_has_nothing(tmp_path: Path) -> None:
    remove_partial(tmp_path / "gone" / "blobs", 17)
    remove_results(tmp_path / "gone" / "blobs", 17)


def test_tokens_tell_processes_and_stores_apart() -> None:
    first, second = new_token(), new_token()
    assert first != second
    assert first[:8] == second[:8] == f"{os.getpid():08x}"
