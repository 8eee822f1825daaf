"""Lines about what the program waits for, for whoever draws them while it does.

They are added and taken away on the runtime's loop, and read from any thread: what makes a line returns at once.
"""

from __future__ import annotations

from collections.abc import Callable

type Line = Callable[[], str]

_lines: tuple[Line, ...] = ()


def tell(line: Line) -> None:
    """Have this line drawn from now on."""
    global _lines
    _lines = (*_lines, line)


def tell_no_more(line: Line) -> None:
    """It is over."""
    global _lines
    _lines = tuple(known for known in _lines if known is not line)


def told() -> list[str]:
    """The lines as they are now, oldest first; without those that have nothing to say."""
    return [text for line in _lines if (text := line())]
