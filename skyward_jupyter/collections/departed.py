"""Which members of the cluster will not come back, as this process has heard: another took their address, or they left.

Only word of a departure counts. One that is merely not heard from may be there.
"""

from __future__ import annotations

_REMEMBERED = 1000
_departed: dict[str, None] = {}


def note(life: str) -> None:
    """The member of this incarnation is gone for good."""
    _departed[life] = None
    if len(_departed) > _REMEMBERED:
        del _departed[next(iter(_departed))]


def departed(life: str) -> bool:
    """Whether the member of this incarnation is known to be gone for good."""
    return life in _departed
