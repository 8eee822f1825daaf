"""Reading a session's orders in a thread, so that its questions are answered while it runs a cell.

Questions are answered in another thread, one at a time. Code of the user's that takes longer than `WITHIN` to say what
it has is given up, where it runs Python, by an exception; what it writes meanwhile goes nowhere. All other orders wait,
in the order in which they came, for the session's main thread.
"""

from __future__ import annotations

import ctypes
import select
import socket
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from skyward_jupyter.agent import outlet
from skyward_jupyter.agent.frames import Frame, Order, Reader
from skyward_jupyter.agent.helpers import helper

#: How long an answer may take (seconds); its agent waits as long.
WITHIN = 1.0

_raise = ctypes.pythonapi.PyThreadState_SetAsyncExc


class Attended(Reader):
    """The orders of a session, without the questions.

    Parameters
    ----------
    answer
        Gives the answer to a question; called in another thread than all else.
    send
        Sends an answer, with the question's number.
    """

    def __init__(
        self, sock: socket.socket, answer: Callable[[bytes], bytes], send: Callable[[int, bytes], None]
    ) -> None:
        super().__init__(sock)
        self._answering = Answering(answer, send)
        self._orders: SimpleQueue[Frame | None] = SimpleQueue()
        self._over = False
        helper("skyward-orders", self._read)

    def next(self) -> Frame | None:
        """The next order, waiting for it; None once the other end is gone."""
        return self._taken(None if self._over else self._orders.get())

    def poll(self) -> Frame | None:
        """The next order if it is already there."""
        try:
            return self._taken(self._orders.get_nowait())
        except Empty:
            return None

    def _taken(self, order: Frame | None) -> Frame | None:
        self._over = order is None
        return order

    def _read(self) -> None:
        while True:
            if not self._ready and not select.select([self], [], [], self._answering.left())[0]:
                self._answering.give_up()
                continue
            order = super().next()
            if order is None or order[0] != Order.ASK:
                self._orders.put(order)
                if order is None:
                    return
                continue
            self._answering.ask(order[1], order[2])


class Answering:
    """The thread that answers, which is started by the first question."""

    def __init__(self, answer: Callable[[bytes], bytes], send: Callable[[int, bytes], None]) -> None:
        self._answer = answer
        self._send = send
        self._questions: SimpleQueue[tuple[int, bytes]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._until = 0.0
        self._asked = self._said = 0

    def ask(self, number: int, question: bytes) -> None:
        """Have a question answered."""
        if self._thread is None:
            self._thread = helper("skyward-answers", self._serve)
        self._asked += 1
        self._questions.put((number, question))

    def left(self) -> float | None:
        """When to look at the answer that is being found, in seconds; None where none is."""
        until = self._until
        return None if self._asked == self._said else max(0.0, until - time.monotonic()) if until else WITHIN

    def give_up(self) -> None:
        """Have no more of an answer that takes too long."""
        with self._lock:
            if self._until and time.monotonic() >= self._until:
                self._until = 0.0
                self._aim(_TooLong)

    def _serve(self) -> None:
        outlet.hush()
        while True:
            self._one(*self._questions.get())

    def _one(self, number: int, question: bytes) -> None:
        try:
            with self._lock:
                self._until = time.monotonic() + WITHIN
            body = self._answer(question)
            self._settle()
        except _TooLong:  # it comes once at most, and not after `_settle`
            body = b""
            self._settle()
        self._said += 1
        self._send(number, body)

    def _settle(self) -> None:
        with self._lock:
            self._until = 0.0
            self._aim(None)

    def _aim(self, kind: type[BaseException] | None) -> None:
        ident = ctypes.c_ulong((self._thread.ident if self._thread is not None else None) or 0)
        _raise(ident, ctypes.py_object(kind) if kind is not None else None)


class _TooLong(BaseException):
    """An answer takes too long."""
