"""Copies of configuration files, with those they include, that another program reads as OpenSSH reads the originals.

A line keeps its number, so that what is said of a copy can be said of the original.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from skyward_jupyter.errors import UsageError
from skyward_jupyter.ssh.syntax import Line, included, lines, read

#: How deep OpenSSH lets files include each other.
_DEEPEST = 16

type Rewrite = Callable[[Line], str]


class Copies:
    """The copies of one configuration, in a folder.

    Parameters
    ----------
    rewrite
        What stands in a copy for a line; ValueError where it cannot be said there. None keeps lines as they are.
    """

    def __init__(self, folder: Path, rewrite: Rewrite | None = None) -> None:
        self._folder = folder
        self._rewrite = rewrite
        self._originals: dict[str, str] = {}

    def of(self, path: Path, depth: int = 0) -> Path:
        """Copy a file; returns where the copy is.

        Raises
        ------
        UsageError
            A line cannot be read; it is named.
        """
        copied = ["" for _ in range(len(read(path)))] if self._rewrite else read(path)
        for line in lines(path):
            try:
                if line.keyword == "include":
                    copied[line.number - 1] = self._include(line, depth)
                elif self._rewrite is not None:
                    copied[line.number - 1] = self._rewrite(line)
            except ValueError as error:
                if isinstance(error, UsageError):
                    raise
                raise UsageError(f"{path} line {line.number}: {error}") from error
        copy = self._folder / f"{len(self._originals)}"
        self._originals[str(copy)] = str(path)
        copy.write_text("\n".join(copied), errors="replace")
        return copy

    @property
    def originals(self) -> list[str]:
        """The files that there are copies of."""
        return list(self._originals.values())

    def named(self, text: str) -> str:
        """A text with the names of the originals in it."""
        for copy, original in sorted(self._originals.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(copy, original)
        return text

    def _include(self, line: Line, depth: int) -> str:
        if depth >= _DEEPEST:
            raise ValueError("files include each other too deeply")
        files = [self.of(path, depth + 1) for pattern in line.words for path in included(pattern)]
        return f"Include {' '.join(map(str, files))}" if files else ""


def for_asyncssh(line: Line) -> str:
    """A line as asyncssh has to see it to read it as OpenSSH does; ValueError for what it cannot read so."""
    if "\0" in line.rest or not line.keyword.isascii():
        raise ValueError("this is no text: save the file as UTF-8")
    words = line.words
    if line.keyword == "match" and any("=" in word or "%" in word for word in words):
        raise ValueError("Match with = or % in a condition is only understood by ssh: install OpenSSH's client")
    if line.keyword in ("proxycommand", "remotecommand"):
        return f"{line.keyword} {line.rest}"
    return f"{line.keyword} {shlex.join(words)}" if words else line.keyword
