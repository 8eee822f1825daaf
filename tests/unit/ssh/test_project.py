"""Which files of a project an image includes, and the archive of those that are missing."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

import skyward as sky
from skyward_jupyter.ssh.project import included, manifest, pack


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path in (
        *("data/a.csv", "data/raw/b.csv", "data/raw/deep/c.csv", "train.py", "config/x.yaml", "config/x.tmp"),
        *(".git/config", "src/__pycache__/m.pyc", "src/m.py", ".venv/lib/x.py", "odd/env/pyvenv.cfg", "odd/env/y.py"),
        *("node_modules/z.js", ".gitignore"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    (tmp_path / ".gitignore").write_text("data\n")
    return tmp_path


def paths(project: Path, includes: Sequence[str], excludes: Sequence[str] = ()) -> list[str]:
    return [file.path for file in included(sky.Image(includes=includes, excludes=excludes, root=str(project)))]


@pytest.mark.parametrize(
    ("includes", "excludes", "found"),
    [
        ((), (), []),
        (["train.py"], (), ["train.py"]),
        (["data"], (), ["data/a.csv", "data/raw/b.csv", "data/raw/deep/c.csv"]),
        (["data/"], (), ["data/a.csv", "data/raw/b.csv", "data/raw/deep/c.csv"]),
        (["data/*.csv"], (), ["data/a.csv"]),
        (["**/*.yaml"], (), ["config/x.yaml"]),
        (["data", "data/a.csv"], (), ["data/a.csv", "data/raw/b.csv", "data/raw/deep/c.csv"]),
        (["data"], ["raw"], ["data/a.csv"]),
        (["data"], ["data/raw/deep"], ["data/a.csv", "data/raw/b.csv"]),
        (["config", "data/raw"], ["*.tmp", "deep/"], ["config/x.yaml", "data/raw/b.csv"]),
        (["data/raw/deep/c.csv"], ["raw"], []),
        (["."], ["data", "config"], [".gitignore", "src/m.py", "train.py"]),
        (["src"], (), ["src/m.py"]),
    ],
)
def test_paths_and_patterns(project: Path, includes: list[str], excludes: list[str], found: list[str]) -> None:
    assert paths(project, includes, excludes) == found


@pytest.mark.parametrize("nothing", ["absent", "absent/*.csv"])
def test_what_leads_to_nothing_is_said(project: Path, nothing: str) -> None:
    with pytest.raises(sky.UsageError, match="and there is nothing of that name in"):
        paths(project, [nothing])


def test_links_to_files_are_files_and_links_to_directories_are_not_followed(project: Path) -> None:
    (project / "data" / "link.csv").symlink_to(project / "train.py")
    (project / "data" / "loop").symlink_to(project)
    (project / "data" / "broken").symlink_to(project / "nowhere")
    assert [path for path in paths(project, ["data"]) if "raw" not in path] == ["data/a.csv", "data/link.csv"]


def test_the_manifest_has_hash_and_mode(project: Path) -> None:
    (project / "train.py").chmod(0o755)
    image = sky.Image(includes=["train.py"], root=str(project))
    assert json.loads(manifest(included(image))) == {"train.py": [hashlib.sha256(b"train.py").hexdigest(), 0o755]}


def test_a_file_that_changed_is_read_again(project: Path) -> None:
    image = sky.Image(includes=["train.py"], root=str(project))
    [first] = included(image)
    (project / "train.py").write_text("else")
    os.utime(project / "train.py", ns=(1, 1))
    [second] = included(image)
    assert first.digest != second.digest


def test_the_archive_has_what_is_missing_once(project: Path) -> None:
    (project / "data" / "same.csv").write_text("data/a.csv")
    files = included(sky.Image(includes=["data", "train.py"], root=str(project)))
    missing = {file.digest for file in files if file.path in ("data/a.csv", "data/same.csv")}
    archive = project / "archive"
    pack(archive, files, missing)
    with tarfile.open(archive) as unpacked:
        assert unpacked.getnames() == list(missing)
        content = unpacked.extractfile(unpacked.getnames()[0])
        assert content is not None
        assert content.read() == b"data/a.csv"


@pytest.mark.parametrize("change", ["written", "shorter", "longer", "gone"])
def test_a_file_that_changes_meanwhile_is_no_part_of_an_archive(project: Path, change: str) -> None:
    files = included(sky.Image(includes=["train.py"], root=str(project)))
    path = project / "train.py"
    match change:
        case "written":
            path.write_text("niart.py")
        case "shorter":
            path.write_text("t")
        case "longer":
            path.write_text("train.py and more")
        case "gone":
            path.unlink()
    with pytest.raises(OSError, match=r"train\.py"):
        pack(project / "archive", files, {files[0].digest})
