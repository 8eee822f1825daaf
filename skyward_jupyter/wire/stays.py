"""What pickling raises for an object that belongs where it is."""

from __future__ import annotations

import pickle
from typing import Any


class Stays(pickle.PicklingError):
    """An object that stays in its process was about to be pickled.

    Attributes
    ----------
    value, advice
        The object, and what to do instead.
    """

    def __init__(self, value: object, reason: str, advice: str) -> None:
        self.value = value
        self.advice = advice
        super().__init__(reason)

    def __reduce__(self) -> tuple[Any, ...]:
        return Stays, (None, str(self), self.advice)
