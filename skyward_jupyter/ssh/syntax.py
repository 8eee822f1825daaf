"""How OpenSSH reads the lines of its configuration: keywords, quotes, comments, and files that are included.

Files may be in any encoding: what is no UTF-8 is read as Latin-1, in which every byte means something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r'"?(?P<keyword>[^\s"=#]+)"?(?:[ \t]*=[ \t]*|[ \t]+|$)(?P<rest>.*)', re.DOTALL)
#: What takes the rest of its line as it is, comments and quotes included.
_COMMANDS = ("knownhostscommand", "localcommand", "proxycommand", "remotecommand")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that says something.

    Attributes
    ----------
    number
        Its place in the file, from 1.
    keyword
        What it is about, in lower case.
    rest
        What it says.
    """

    number: int
    keyword: str
    rest: str

    @property
    def words(self) -> list[str]:
        """What it says, word by word; ValueError where a quote is not closed."""
        return [self.rest] if self.keyword in _COMMANDS else words(self.rest)


def read(path: Path) -> list[str]:
    """The lines of a file, whatever its encoding."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.split("\n")


def lines(path: Path) -> Iterator[Line]:
    """The lines of a file that say something."""
    for number, text in enumerate(read(path), 1):
        found = _LINE.match(text.strip())
        if found is not None:
            yield Line(number, found["keyword"].lower(), found["rest"])


def words(text: str) -> list[str]:
    """Split what follows a keyword as OpenSSH does.

    Raises
    ------
    ValueError
        A quote is not closed.
    """
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in " \t":
            at += 1
        elif text[at] == "#":
            break
        else:
            word, at = _word(text, at)
            found.append(word)
    return found


def _word(text: str, at: int) -> tuple[str, int]:
    """The word that begins at a place, and where it ends."""
    word, quote = "", ""
    while at < len(text):
        one, after = text[at], text[at + 1 : at + 2]
        if one == "\\" and after and (after in "'\"\\" or (not quote and after == " ")):
            word += after
            at += 1
        elif not quote and one in " \t":
            break
        elif one == quote or (not quote and one in "'\""):
            quote = "" if quote else one
        else:
            word += one
        at += 1
    if quote:
        raise ValueError("a quote is not closed")
    return word, at


def included(pattern: str) -> list[Path]:
    """The files that a pattern means, in order; relative ones are below ``~/.ssh``, as they are for ssh."""
    try:
        whole = Path.home() / ".ssh" / Path(pattern).expanduser()
        return sorted(path for path in Path(whole.anchor).glob(str(whole.relative_to(whole.anchor))) if path.is_file())
    except (RuntimeError, ValueError, IndexError, OSError):  # a user that is not there, or what is no pattern
        return []
