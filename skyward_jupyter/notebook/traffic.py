"""What a cell sent, and what its nodes had already: one line, and only where it is worth one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from skyward_jupyter.notebook.weighing import spelled

#: Bytes from which what went, or did not have to, is worth a line.
LARGE = 1_000_000


@dataclass(frozen=True, slots=True)
class Traffic:
    """Names and bytes; one value counts once, whichever number of nodes it goes to."""

    sent: int = 0
    sent_size: int = 0
    reused: int = 0
    reused_size: int = 0
    large: bool = False

    @classmethod
    def of(cls, sent: Mapping[str, int], reused: Mapping[str, int], told: Collection[str]) -> Traffic:
        """What the sizes by name, and by content hash for what is reused, come to.

        That something large is reused is news only the first time: `told` are the contents that were reused before.
        """
        size, kept = sum(sent.values()), sum(reused.values())
        news = sum(size for digest, size in reused.items() if digest not in told)
        return cls(len(sent), size, len(reused), kept, size >= LARGE or news >= LARGE)

    def line(self) -> str:
        """``sent 3 names (12 MB), reused 5 (1.2 GB)``; nothing for a small, everyday cell."""
        if not self.large:
            return ""
        parts = [f"sent {_names(self.sent)} ({spelled(self.sent_size)})"] if self.sent else []
        if self.reused:
            reused = str(self.reused) if parts else _names(self.reused)
            parts.append(f"reused {reused} ({spelled(self.reused_size)})")
        return ", ".join(parts)


def _names(count: int) -> str:
    return f"{count} name{'s' if count != 1 else ''}"
