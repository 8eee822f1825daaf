"""The names in an ssh configuration, for Tab."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyward_jupyter.ssh.aliases import names


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's ``.ssh``."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh" / "more").mkdir(parents=True)
    return tmp_path / ".ssh"


def test_names_of_machines_and_no_patterns(folder: Path) -> None:
    (folder / "config").write_text(
        "Host gpu1 gpu2 # mine\n  HostName 10.0.0.1\nhost=gate\nHost * !gpu3 g?\n  HostKeyAlias x\n"
        'Match host other\nHost "gpu1" gpu4\nHost "open\n'
    )
    assert names() == ["gpu1", "gpu2", "gate", "gpu4"]


def test_files_that_are_included(folder: Path) -> None:
    (folder / "config").write_text(f"Include more/*.conf none\nInclude {folder}/other ~/.ssh/config\nHost last\n")
    (folder / "more" / "b.conf").write_text("Host b\n")
    (folder / "more" / "a.conf").write_text("Host a\nInclude config\n")
    (folder / "other").write_text("Host other\n")
    assert sorted(names()) == ["a", "b", "last", "other"]


def test_no_configuration_has_no_names() -> None:
    assert names() == []


@pytest.mark.parametrize("word", ["~nobody-of-this-name/x", "more/**x", "/", '""', "no\0thing"])
def test_what_cannot_be_included_has_no_names(folder: Path, word: str) -> None:
    (folder / "config").write_text(f"Include {word}\nHost gpu1\n")
    assert names() == ["gpu1"]


def test_a_file_that_includes_itself_twice(folder: Path) -> None:
    (folder / "config").write_text("Include config\nInclude config\nHost gpu1\n")
    assert names() == ["gpu1"]
