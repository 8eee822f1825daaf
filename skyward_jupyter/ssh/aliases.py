"""The names that the user's ssh configuration has machines under: what Tab offers, and nothing that counts.

What a file says in other words than ``Host NAME`` (patterns, ``Match``) names no machine, and what cannot be read has
no names.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

_LINE = re.compile(r"\s*(host|include)(?:\s*=\s*|\s+)(.+)", re.IGNORECASE)
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
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return
    for found in filter(None, map(_LINE.match, lines)):
        words = _words(found[2])
        if found[1].lower() == "host":
            yield from (word for word in words if not _PATTERN & set(word))
        else:
            for file in (file for word in words for file in _included(word)):
                yield from _names(file, read)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return []


def _included(pattern: str) -> list[Path]:
    """Relative paths are below ``~/.ssh``, as they are for ssh."""
    try:
        whole = Path.home() / ".ssh" / Path(pattern).expanduser()
        return sorted(Path(whole.anchor).glob(str(whole.relative_to(whole.anchor))))
    except (RuntimeError, ValueError, IndexError, OSError):  # a user that is not there, or what is no pattern
        return []
