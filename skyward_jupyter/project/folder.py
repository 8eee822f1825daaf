"""The files of a folder of the user's that may travel: without what git ignores, hidden files, and what tools leave."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

#: Names of directories and files that nobody means.
NEVER = (
    ".git",
    ".hg",
    ".svn",
    "__pycache__",
    "*.pyc",
    ".venv",
    "venv",
    "node_modules",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".DS_Store",
)
#: The most entries of a folder and those below it that are looked at.
MOST_ENTRIES = 20_000


def is_environment(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder is a virtual environment, whatever its name."""
    return os.path.exists(os.path.join(folder, "pyvenv.cfg"))


class Ignored:
    """What the ``.gitignore`` files of a folder, of those above it up to the repository's, and of those below say."""

    def __init__(self, folder: str) -> None:
        self._specs: dict[str, GitIgnoreSpec | None] = {}
        self._top = _repository(folder)

    def __call__(self, path: str, *, folder: bool) -> bool:
        """Return whether git ignores a path, given that it does not ignore what that is in."""
        parent = os.path.dirname(path)
        while True:
            spec = self._spec(parent)
            if spec is not None:
                inner = os.path.relpath(path, parent) + ("/" if folder else "")
                matched = spec.check_file(inner).include
                if matched is not None:
                    return matched
            if parent == self._top or parent == os.path.dirname(parent):
                return False
            parent = os.path.dirname(parent)

    def _spec(self, folder: str) -> GitIgnoreSpec | None:
        if folder not in self._specs:
            try:
                lines = Path(folder, ".gitignore").read_text("utf-8", "replace").splitlines()
            except OSError:
                self._specs[folder] = None
            else:
                from pathspec import GitIgnoreSpec  # of the kernel's side alone

                self._specs[folder] = GitIgnoreSpec.from_lines(lines)
        return self._specs[folder]


def files_of(start: str, *, enter: Callable[[str], bool] = lambda folder: True) -> Iterator[tuple[str, bool]]:
    """Yield the files of a folder and of those below it, each with whether git ignores it; `MOST_ENTRIES` at most.

    Links to files count as files, and links to folders as folders, each folder once.

    Parameters
    ----------
    enter
        Says whether a folder below is looked into.
    """
    ignored = Ignored(start)
    without: set[str] = set()
    been = {os.path.realpath(start)}
    looked = 0
    for folder, folders, names in os.walk(start, followlinks=True):
        looked += len(folders) + len(names)
        folders[:] = [name for name in sorted(folders) if not is_never(name) and enter(os.path.join(folder, name))]
        folders[:] = [name for name in folders if not is_environment(os.path.join(folder, name))]
        real = {name: os.path.realpath(os.path.join(folder, name)) for name in folders}
        folders[:] = [name for name in folders if real[name] not in been]
        been.update(real[name] for name in folders)
        for path in (os.path.join(folder, name) for name in folders):
            if folder in without or ignored(path, folder=True):
                without.add(path)
        for name in sorted(names):
            path = os.path.join(folder, name)
            if not is_never(name) and os.path.isfile(path):
                yield path, folder in without or ignored(path, folder=False)
        if looked > MOST_ENTRIES:
            return


def is_never(name: str) -> bool:
    """Return whether a file or folder of this name does not travel, wherever it is."""
    return name.startswith(".") or any(fnmatch.fnmatchcase(name, pattern) for pattern in NEVER)


def _repository(folder: str) -> str:
    """Return the top of the git repository that a folder is in; what the folder is in where there is none."""
    for above in (folder, *map(str, Path(folder).parents)):
        if os.path.exists(os.path.join(above, ".git")):
            return above
    return os.path.dirname(folder)
