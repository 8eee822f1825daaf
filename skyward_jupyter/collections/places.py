"""Who waits at an actor: when each came and was last heard of, by the clock of the actor's own machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from skyward_jupyter.collections.departed import departed

#: Seconds for which those who left are known, should an earlier word of theirs come late.
_REMEMBERED = 60.0


@dataclass(frozen=True, slots=True)
class Waiting[A]:
    """One who waits, on which member of the cluster, and where the answer goes."""

    name: str
    life: str
    came: float
    heard: float
    answer: A


class Places[A]:
    """The places of those who wait. Whoever is silent for `silent` seconds, or gone with its node, has lost its own."""

    def __init__(self, silent: float) -> None:
        self._silent = silent
        self._waiting: dict[str, Waiting[A]] = {}
        self._left: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def come(self, name: str, life: str, came: float, now: float, answer: A) -> A | None:
        """Somebody waits, since `came`; returns where the answer would have gone until now, if there was a place."""
        before = self._waiting.get(name)
        self._waiting[name] = Waiting(name, life, came if before is None else before.came, now, answer)
        return None if before is None else before.answer

    def leave(self, name: str, now: float) -> bool:
        """Somebody waits no more, whatever else is heard of them; whether there was a place."""
        for old in [old for old, at in self._left.items() if now - at > _REMEMBERED]:
            del self._left[old]
        self._left[name] = now
        return self.take(name)

    def take(self, name: str) -> bool:
        """Somebody has what they waited for; whether there was a place."""
        return self._waiting.pop(name, None) is not None

    def left(self, name: str) -> bool:
        """Whether somebody left."""
        return name in self._left

    def there(self, now: float) -> list[Waiting[A]]:
        """Who waits and is there, in the order in which they came."""
        for one in list(self._waiting.values()):
            if now - one.heard > self._silent or departed(one.life):
                del self._waiting[one.name]
        return sorted(self._waiting.values(), key=lambda one: one.came)

    def excuse(self, seconds: float) -> None:
        """Nobody could be heard for so long."""
        self._waiting = {name: replace(one, heard=one.heard + seconds) for name, one in self._waiting.items()}
