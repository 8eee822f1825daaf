"""Shared memory that is small, full, or removed by somebody."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import skyward as sky
from skyward_jupyter.fleets import store


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """Makes file systems of a size."""
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    made: list[Path] = []

    def mount(name: str, size: str) -> Path:
        place = tmp_path / name
        place.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=False)
        if mounted.returncode != 0:
            pytest.skip("cannot mount here")
        made.append(place)
        return place

    yield mount
    for place in made:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def small(mount: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file system of 4 MB where pools keep their blobs."""
    place = mount("memory", "4m")
    monkeypatch.setattr(store, "shared_memory", lambda: place)
    return place


@pytest.fixture
def disk(mount: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file system of 40 MB beside it."""
    place = mount("disk", "40m")
    monkeypatch.setattr(store, "disk", lambda: place)
    return place


@sky.compute
def size(data: bytearray) -> int:
    return len(data)


@sky.compute
def make(count: int) -> bytearray:
    return bytearray(os.urandom(count))


@sky.compute
def same(data: bytearray) -> bytearray:
    return data


def test_a_full_store_is_a_sentence_and_the_pool_goes_on(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "disk", lambda: small)  # no second place
    with sky.ComputePool(nodes=2) as pool:
        with pytest.raises(sky.SkywardError, match="no room"):
            size(bytearray(os.urandom(8_000_000))) >> pool
        assert size(bytearray(1_000_000)) >> pool == 1_000_000
        with pytest.raises(sky.SkywardError, match="no room"):
            make(8_000_000) >> pool
        assert len(make(1_000_000) >> pool) == 1_000_000
    assert not list(small.iterdir())


@pytest.mark.parametrize("share", [True, False], ids=["shared", "through the cluster"])
def test_what_is_kept_goes_before_anything_is_refused(
    small: Path, monkeypatch: pytest.MonkeyPatch, share: bool
) -> None:
    monkeypatch.setattr(store, "disk", lambda: small)
    with sky.ComputePool(nodes=1, _share=share) as pool:
        for count in range(2_000_000, 3_000_000, 100_000):
            assert size(bytearray(os.urandom(count))) >> pool == count
    assert not list(small.iterdir())


@pytest.mark.parametrize("share", [True, False], ids=["shared", "through the cluster"])
def test_what_has_no_room_in_memory_goes_to_the_disk(small: Path, disk: Path, share: bool) -> None:
    with sky.ComputePool(nodes=2, _share=share) as pool:
        large = bytearray(os.urandom(12_000_000))
        assert size(large) @ pool == [12_000_000] * 2
        assert same(large) >> pool == large
        assert len(make(12_000_000) >> pool) == 12_000_000
        assert sum(map(size.local, make(3_000_000) @ pool)) == 6_000_000
        with pytest.raises(sky.SkywardError, match="no room"):
            make(50_000_000) >> pool
        assert size(bytearray(10)) >> pool == 10
    assert not list(small.iterdir())
    assert not list(disk.iterdir())


def test_many_calls_that_wait_keep_what_they_need(small: Path, disk: Path) -> None:
    with sky.ComputePool(nodes=1, _share=False) as pool:
        calls = [same(bytearray(os.urandom(1_000_000))) for _ in range(12)]
        given = [call._args[0] for call in calls]
        assert list(sky.gather(*calls) >> pool) == given


@pytest.mark.parametrize("share", [True, False], ids=["shared", "through the cluster"])
@pytest.mark.parametrize("depth", [0, 1], ids=["the pool's", "the files'"])
def test_a_directory_that_vanished_is_made_again(share: bool, depth: int) -> None:
    with sky.ComputePool(nodes=2, _share=share) as pool:
        data = bytearray(os.urandom(1_000_000))
        assert size(data) @ pool == [1_000_000] * 2
        kept = Path(pool._inner.hub.fleet.store)
        for place in [kept] if depth == 0 else [it for it in kept.iterdir() if it.name in ("blobs", "0", "1")]:
            shutil.rmtree(place)
        assert size(data) @ pool == [1_000_000] * 2
        assert len(make(2_000_000) >> pool) == 2_000_000
        assert same(data) >> pool == data
        assert oct(kept.stat().st_mode & 0o777) == "0o700"
    assert not kept.exists()


CONTAINER = """
import os, sys
import skyward as sky

@sky.compute
def back(data):
    return data

@sky.compute
def named(count):
    from multiprocessing import shared_memory
    memory = shared_memory.SharedMemory(create=True, size=count)
    memory.buf[:] = bytes(count)
    memory.close(); memory.unlink()
    return count

with sky.ComputePool(nodes=2) as pool:
    for _ in range(4):
        data = bytearray(os.urandom(50_000_000))
        assert back(data) >> pool == data
    assert [len(it) for it in back(data) @ pool] == [50_000_000] * 2
    assert named(40_000_000) >> pool == 40_000_000  # memory is the user's
print("done", os.listdir("/dev/shm"))
"""


def test_a_container_with_64_mb_of_shared_memory(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root, for a mount namespace")
    mounting = 'mount --make-rprivate / && mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"'
    inside = ["unshare", "--mount", "sh", "-c", mounting, "sh"]
    if subprocess.run([*inside, "true"], check=False).returncode != 0:
        pytest.skip("no mount namespaces here")
    (tmp_path / "script.py").write_text(CONTAINER)
    done = subprocess.run(
        [*inside, sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "done []"
