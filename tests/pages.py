"""Code blocks of pages in Markdown, in their order, each with what a test is to do with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(
    r"(?:<!-- not run: (?P<why>[^\n]+) -->\n\n?)?^```(?P<kind>\w*)\n(?P<code>.*?)^```$"
    r"|^<!-- given:\n(?P<given>.*?)^-->$",
    re.MULTILINE | re.DOTALL,
)
#: What Sphinx reads, none of which is code of a reader.
DIRECTIVE = re.compile(r"^```\{.*?^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page, or a comment with what its reader has: ``<!-- given:`` and code, such as functions.

    Attributes
    ----------
    kind
        What stands behind its fence: ``python``, ``sh``, ``toml`` or ``text``; ``given`` for such a comment.
    code
        Its lines.
    why
        Why no test runs it, as the comment above it says; empty where one does.
    """

    kind: str
    code: str
    why: str = ""

    @property
    def file(self) -> str:
        """The file that a block is, when its first line names one: ``# test_x.py``."""
        found = re.match(r"# (\w+\.(?:py|toml))\n", self.code)
        return found[1] if found else ""


def blocks(page: str, section: str = "") -> list[Block]:
    """Return the fenced blocks of a page, or of one of its sections."""
    text = DIRECTIVE.sub("", (ROOT / page).read_text())
    if section:
        text = re.split(r"^## ", text.split(f"\n## {section}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return [
        Block("given", found["given"]) if found["given"] else Block(found["kind"], found["code"], found["why"] or "")
        for found in _BLOCK.finditer(text)
    ]
