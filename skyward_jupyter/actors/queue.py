"""Numbers in order, any of which may be taken out at once, however many there are."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator


class Queue:
    """The tasks that wait for a node, each once."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __contains__(self, number: int) -> bool:
        return number in self._numbers

    @property
    def head(self) -> int:
        """The next one; 0 when there is none."""
        return next(iter(self._numbers), 0)

    def append(self, number: int) -> None:
        """Put one at the end."""
        self._numbers[number] = None

    def extend(self, numbers: Iterable[int]) -> None:
        """Put some at the end, in their order."""
        for number in numbers:
            self._numbers[number] = None

    def prepend(self, numbers: Iterable[int]) -> None:
        """Put some before all others, in their order."""
        for number in reversed(list(numbers)):
            self._numbers[number] = None
            self._numbers.move_to_end(number, last=False)

    def take(self) -> int:
        """Take the next one out."""
        number, _ = self._numbers.popitem(last=False)
        return number

    def remove(self, number: int) -> None:
        """Take one out, wherever it is."""
        del self._numbers[number]

    def clear(self) -> None:
        """Take all out."""
        self._numbers.clear()
