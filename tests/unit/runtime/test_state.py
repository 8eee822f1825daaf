"""Whose the directory of records may be, and who reads it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from skyward_jupyter.errors import UsageError
from skyward_jupyter.runtime.state import directory


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "state"
    monkeypatch.setenv("SKYWARD_STATE_DIR", str(made))
    return made


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_new_one_is_private(place: Path) -> None:
    before = os.umask(0)
    try:
        assert directory() == place
    finally:
        os.umask(before)
    assert mode(place) == 0o700


@pytest.mark.parametrize("before", [0o755, 0o750, 0o705, 0o711])
def test_one_that_others_read_is_taken_from_them(place: Path, before: int) -> None:
    place.mkdir()
    place.chmod(before)
    assert directory() == place
    assert mode(place) == 0o700


@pytest.mark.parametrize("before", [0o777, 0o1777, 0o702])
def test_one_that_others_write_to_is_refused(place: Path, before: int) -> None:
    place.mkdir()
    place.chmod(before)
    with pytest.raises(UsageError, match="others can write to it: look what is in it and run chmod 700"):
        directory()
    assert mode(place) == before
    place.chmod(0o700)
    assert directory() == place


def test_one_of_a_group_of_others_is_refused(place: Path) -> None:
    place.mkdir()
    place.chmod(0o770)
    if os.geteuid() == 0:
        os.chown(place, 0, 65534)
    elif place.stat().st_gid == os.getegid():
        pytest.skip("this user's files are of a group of its own")
    with pytest.raises(UsageError, match="others can write to it"):
        directory()


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_one_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # others reach it, unlike a test's own
        monkeypatch.setenv("SKYWARD_STATE_DIR", folder)
        os.chown(folder, 65533, 65533)
        assert directory() == Path(folder)  # root may work for the user whose machine it is
        os.chmod(folder, 0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(UsageError, match="is another user's: name a directory of your own"):
                directory()
        finally:
            os.seteuid(0)


def test_a_file_in_its_place_is_named(place: Path) -> None:
    place.write_text("")
    with pytest.raises(UsageError, match="cannot be made \\(File exists\\)"):
        directory()
