"""A colour for each function's name, the same wherever and whenever it is drawn, on light and on dark.

Every colour stands out from what is behind it, and from every other one also for eyes that do not tell red from green
or blue from yellow. With more names than colours, names share one: what is drawn says its name wherever it is asked.
"""

from __future__ import annotations

from collections.abc import Iterable

LIGHT = ("#3030e8", "#b88f14", "#12a1a1", "#631d51", "#758547", "#eb47eb", "#113b11", "#4c0f8a")
DARK = ("#e6b319", "#8c30e8", "#75d775", "#c9acd2", "#b86614", "#856647", "#d7f4d7", "#3473b2")


def colours(names: Iterable[str]) -> dict[str, int]:
    """The place of each name's colour: the one that it always has, unless a name before it has that."""
    found: dict[str, int] = {}
    taken: set[int] = set()
    for name in dict.fromkeys(names):
        own = _hash(name) % len(LIGHT)
        turns = ((own + step) % len(LIGHT) for step in range(len(LIGHT)))
        found[name] = next((place for place in turns if place not in taken), own)
        taken.add(found[name])
    return found


def _hash(name: str) -> int:
    """FNV-1a of the name in UTF-8, as in js/src/colours.ts."""
    found = 0x811C9DC5
    for byte in name.encode():
        found = (found ^ byte) * 0x01000193 & 0xFFFFFFFF
    return found
