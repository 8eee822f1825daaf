"""How far a generator may be ahead of whoever reads what it yields, in items and in bytes."""

from __future__ import annotations

from collections import deque

from skyward_jupyter.wire.feeds import BYTES_WINDOW, FIRST_WINDOW


class Ahead:
    """What was sent of one generator, what was read of that, and what may be sent.

    So many items as are wanted may be unread, but no more bytes than `BYTES_WINDOW`; a few items always may.

    Attributes
    ----------
    closed
        Whether nobody reads it any more.
    """

    def __init__(self, allowed: int) -> None:
        self.closed = False
        self._allowed = allowed
        self._sent = self._read = 0
        self._sizes: deque[int] = deque()
        self._unread = 0

    def may_send(self) -> bool:
        """Whether one more may be sent now."""
        few = self._sent - self._read < FIRST_WINDOW
        return self._sent < self._allowed and (few or self._unread < BYTES_WINDOW)

    def sent(self, size: int) -> None:
        """One of so many bytes was sent."""
        self._sent += 1
        self._sizes.append(size)
        self._unread += size

    def grant(self, more: int, read: int) -> None:
        """So many more may be sent, and so many in all were read."""
        self._allowed += more
        while self._read < min(read, self._sent):
            self._read += 1
            self._unread -= self._sizes.popleft()
