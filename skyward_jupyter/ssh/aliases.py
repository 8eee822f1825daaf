"""The names that the user's ssh configuration has machines under: what Tab offers, and nothing that counts.

What a file says in other words than ``Host NAME`` (patterns, ``Match``) names no machine, and what cannot be read has
no names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from skyward_jupyter.ssh.syntax import Line, included, lines

_PATTERN = set("*?!")


def names(config: Path | None = None) -> list[str]:
    """The names in a configuration file, the user's own when not given, and in those that it includes."""
    return list(dict.fromkeys(_names(config or Path.home() / ".ssh" / "config", set())))


def _names(path: Path, read: set[Path]) -> Iterator[str]:
    """Those of a file, unless it was read before: files may include each other."""
    if path in read:
        return
    read.add(path)
    try:
        found = [line for line in lines(path) if line.keyword in ("host", "include")]
    except OSError:
        return
    for line in found:
        if line.keyword == "host":
            yield from (word for word in _words(line) if not _PATTERN & set(word))
        else:
            for file in (file for word in _words(line) for file in included(word)):
                yield from _names(file, read)


def _words(line: Line) -> list[str]:
    try:
        return line.words
    except ValueError:
        return []
