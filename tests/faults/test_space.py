"""Shared memory that is full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import skyward as sky
from skyward_jupyter.fleets import store


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 4 MB where pools keep their blobs."""
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode != 0:
        pytest.skip("cannot mount here")
    monkeypatch.setattr(store, "shared_memory", lambda: tmp_path)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


@sky.compute
def size(data: bytearray) -> int:
    return len(data)


@sky.compute
def make(count: int) -> bytearray:
    return bytearray(os.urandom(count))


def test_a_full_store_is_a_sentence_and_the_pool_goes_on(small: Path) -> None:
    with sky.ComputePool(nodes=2) as pool:
        with pytest.raises(sky.SkywardError, match="no room"):
            size(bytearray(os.urandom(8_000_000))) >> pool
        assert size(bytearray(1_000_000)) >> pool == 1_000_000
        with pytest.raises(sky.SkywardError, match="no room"):
            make(8_000_000) >> pool
        assert len(make(1_000_000) >> pool) == 1_000_000
    assert not list(small.iterdir())
