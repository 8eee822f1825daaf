"""Which files of a folder may travel."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyward_jupyter.project import folder
from skyward_jupyter.project.folder import Ignored, files_of


def tree(root: Path, *paths: str, **texts: str) -> Path:
    """Make files below a folder; `texts` are ``.gitignore`` files, by the folder they are in (``_`` for the root)."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    for where, text in texts.items():
        (root / where.removeprefix("_") / ".gitignore").write_text(text)
    return root


def found(root: Path, start: str = "") -> dict[str, bool]:
    """The files, and whether git ignores each."""
    return {str(Path(path).relative_to(root)): ignored for path, ignored in files_of(str(root / start))}


def test_files_of_tools_and_hidden_ones_stay(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", ".env", ".git/config", "venv/b.py", "node_modules/c.py", "__pycache__/a.pyc", "d/e.txt")
    tree(tmp_path, "own/pyvenv.cfg", "own/lib/f.py")
    assert found(tmp_path) == {"a.py": False, "d/e.txt": False}


def test_what_git_ignores_is_said(tmp_path: Path) -> None:
    tree(tmp_path, ".git/config", "src/a.csv", "src/keep.csv", "src/b.py", "src/out/c.txt", "big/d.txt")
    tree(tmp_path, _="*.csv\nbig/\n", src="!keep.csv\nout\n")
    assert found(tmp_path) == {
        "big/d.txt": True,
        "src/a.csv": True,
        "src/b.py": False,
        "src/keep.csv": False,
        "src/out/c.txt": True,
    }


def test_the_file_of_a_repository_counts_below_it(tmp_path: Path) -> None:
    tree(tmp_path, ".git/config", "src/deep/a.csv", "src/deep/b.txt", _="src/**/*.csv\n")
    assert found(tmp_path, "src/deep") == {"src/deep/a.csv": True, "src/deep/b.txt": False}
    assert Ignored(str(tmp_path / "src"))(str(tmp_path / "src/deep/a.csv"), folder=False)


def test_a_file_above_the_repository_does_not_count(tmp_path: Path) -> None:
    tree(tmp_path, "repo/.git/config", "repo/a.txt", _="*.txt\n")
    assert found(tmp_path, "repo") == {"repo/a.txt": False}


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    tree(tmp_path, "outside/shelf/a.py", "inside/b.py")
    (tmp_path / "inside" / "shelf").symlink_to(tmp_path / "outside" / "shelf")
    (tmp_path / "inside" / "again").symlink_to(tmp_path / "inside")
    assert found(tmp_path, "inside") == {"inside/b.py": False, "inside/shelf/a.py": False}


def test_a_huge_folder_is_not_walked_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MOST_ENTRIES", 20)
    tree(tmp_path, *(f"{number}/{number}.py" for number in range(100)))
    assert len(found(tmp_path)) <= 40
