"""A table of a file, and the sentence that refuses what it says: file, line and key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from skyward_jupyter.errors import UsageError


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes
    ----------
    path, text
        The file, and what is in it.
    header
        The table's name there, as in ``profiles.big``; empty for the file itself.
    called
        What it is in a sentence.
    """

    path: Path
    text: str
    header: str = ""
    called: str = ""

    def inner(self, key: str, called: str) -> Table:
        """The table that is under a key of this one."""
        return Table(self.path, self.text, f"{self.header}.{key}" if self.header else key, called)

    def refused(self, key: str, sentence: str) -> UsageError:
        """What is wrong with a key, and where it is written."""
        return UsageError(f"{self.path}{self._line(key)}: {sentence}")

    def _line(self, key: str) -> str:
        """``, line 3``: where `key` is written, or else the table that has it; nothing when it is not found."""
        inner = f"{self.header}.{key}" if self.header else key
        outer, _, own = self.header.rpartition(".")
        number = _found(self.text, self.header, key, inner) or _found(self.text, outer, own, self.header)
        return f", line {number}" if number else ""


def _found(text: str, header: str, key: str, inner: str) -> int:
    at = ""
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.match(r"\s*\[\s*([^\]]+?)\s*\]", line):
            at = re.sub(r"[\s\"']", "", found[1])
            if at == inner:
                return number
        elif at == header and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
            return number
    return 0
