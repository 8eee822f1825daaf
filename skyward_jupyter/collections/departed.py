"""Which members of the cluster will not come back, as this process has heard: another took their address, or they left.

Only word of a departure counts. One that is merely not heard from may be there.
"""

from __future__ import annotations

from casty import Event, LoggingObserver, MemberChanged

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


class Departures:
    """Notes who is gone; given to the cluster of all nodes as its observer."""

    def __init__(self) -> None:
        self._log = LoggingObserver()

    def wants(self, kind: type[Event]) -> bool:
        """Whether it takes events of a kind."""
        return kind is MemberChanged or self._log.wants(kind)

    def __call__(self, event: Event) -> None:
        """Take an event of the system."""
        if self._log.wants(type(event)):
            self._log(event)
        if isinstance(event, MemberChanged) and event.status == "left":
            note(event.node.incarnation.hex)
