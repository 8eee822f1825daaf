"""Who runs the runtime's loop outside a kernel: a daemon thread, or the main thread while it waits.

A call that blocks costs two switches between threads when the loop runs in another one; that is a third of a trivial
call. So the main thread runs the loop itself for as long as it waits, and the daemon thread takes over again a moment
later. Signals are handled between two turns of the loop, in the frame that waits: whatever a handler raises ends the
wait, and never some task that happened to run.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import asyncio
import contextlib
import math
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType, TracebackType
from typing import Any

from skyward_jupyter.runtime import waiting
from skyward_jupyter.runtime.awake import stay_awake
from skyward_jupyter.runtime.crossing import Work, begun
from skyward_jupyter.tasks import take_error

#: How long a fork waits for the loop to stand still (seconds); then it takes place all the same.
STILL_WITHIN = 1.0
#: How long the loop may stand still after the main thread has left it (seconds).
LINGER = 0.005
#: Signals whose handlers, if they are Python's, tend to raise: they do so in the waiting frame. SIGINT goes back last.
_SIGNALS = [int(getattr(signal, name)) for name in ("SIGALRM", "SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)]

type _Handlers = dict[int, Callable[[int, FrameType | None], Any]]

#: The handlers whose places are taken while the main thread waits.
_noting: _Handlers = {}


class Turns:
    """Passes a loop between a daemon thread and the main thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._change = threading.Condition()
        self._driver = ""
        self._wanted = False
        self._taken = 0
        self._parked = False
        self._others = 0
        self._forks = 0
        self._turning = 0
        self._left = 0.0
        self._closed = False
        self._need = _Need(self._enter, self._exit)
        self._heard, self._bell = socket.socketpair()
        for end in (self._heard, self._bell):
            end.setblocking(False)
        loop.add_reader(self._heard, self._hear)
        threading.Thread(target=self._serve, name="skyward", daemon=True).start()

    def may_drive(self) -> bool:
        """Whether the caller can run the loop itself: in the main thread, outside any loop."""
        return threading.current_thread() is threading.main_thread() and asyncio._get_running_loop() is None

    def wait[T](self, work: Work[T], *, calls: int = 1) -> T:
        """Run the loop until `work` is done; see `may_drive`.

        Raises
        ------
        BaseException
            What a signal's handler raised meanwhile; `work` was cancelled and has ended then.
        """
        return self.run(lambda: begun(work, self._loop), calls=calls).result()

    def run[T](
        self, begin: Callable[[], asyncio.Future[T]], within: float | None = None, *, calls: int = 1
    ) -> asyncio.Future[T]:
        """Run the loop until what `begin` starts is done, for `within` seconds at most; see `wait`.

        With such a limit another loop may own the wake-up descriptor: a signal is then handled when the time is over.
        If `calls` leave a core free, the loop does not sleep for a moment.
        """
        signals: deque[int] = deque()

        def note(number: int, _: FrameType | None) -> None:
            signals.append(number)
            self._loop.call_soon_threadsafe(self._loop.stop)

        with _noted(note, self._bell.fileno() if within is None else None) as handlers:
            self._take()
            waiting.enter()
            try:
                task = begin()
                stay_awake(self._loop, task, calls)
                error = self._drive(task, signals, handlers, within)
            finally:
                waiting.leave()
                self._leave()
        for number in signals:  # came after the last turn
            handlers[number](number, sys._getframe())
        if error is not None:
            take_error(task)  # it ended for nobody
            raise error
        return task

    def attend(self) -> None:
        """Have the daemon thread take the loop now, unless it is run: something came that nobody waits for."""
        if not self._driver:
            with self._change:
                self._left = 0.0
                self._change.notify_all()

    def needed(self) -> AbstractContextManager[None]:
        """While inside, another thread waits for the loop: it stands still no longer than it must."""
        return self._need

    def _enter(self) -> None:
        with self._change:
            self._others += 1
            if not self._driver:
                self._change.notify_all()

    def _exit(self) -> None:
        with self._change:
            self._others -= 1

    def pause(self) -> None:
        """Have the loop stand still between two of its turns until `go_on`, unless it is this thread that runs it."""
        with self._change:
            self._forks += 1
            if self._turning not in (0, threading.get_ident()):
                self._loop.call_soon_threadsafe(self._loop.stop)
                try:
                    self._change.wait_for(lambda: not self._turning, STILL_WITHIN)
                except KeyboardInterrupt:  # what is raised before a fork is lost: raise it once more after it
                    self._loop.call_soon_threadsafe(signal.pthread_kill, threading.get_ident(), signal.SIGINT)

    def go_on(self) -> None:
        """Let the loop go on."""
        with self._change:
            self._forks -= 1
            self._change.notify_all()

    def close(self) -> None:
        """Let the daemon thread end."""
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)

    def leave_to_parent(self) -> None:
        """In a forked child: whatever it does with the loop's files, its parent's stay as they are.

        The two share what the system knows of each file: which are waited for, and what was sent. Here their numbers
        stand for nothing from now on.
        """
        self._closed = True
        self._others = 0
        fds = [key.fd for key in list(self._loop._selector.get_map().values())]  # type: ignore[attr-defined]
        fds += [self._bell.fileno(), self._loop._selector.fileno(), self._loop._csock.fileno()]  # type: ignore[attr-defined]
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in fds:
            os.dup2(nothing, fd, inheritable=False)
        os.close(nothing)
        _restore()

    def _drive(
        self, task: asyncio.Future[Any], signals: deque[int], handlers: _Handlers, within: float | None
    ) -> BaseException | None:
        """Run the loop until `task` is done, or its time is over; returns what a signal's handler raised first."""
        raised: BaseException | None = None
        task.add_done_callback(self._stop)
        over = self._loop.call_later(within, self._loop.stop) if within is not None else None
        until = self._loop.time() + within if within is not None else math.inf
        while not task.done() and (raised or self._loop.time() < until):
            if not signals:  # one may have come while the daemon still ran the loop
                self._turn()
            while signals:
                number = signals.popleft()
                try:
                    handlers[number](number, sys._getframe())
                except BaseException as error:
                    raised = raised or error
                    task.cancel()
        if over is not None:
            over.cancel()
        task.remove_done_callback(self._stop)
        return raised

    def _turn(self) -> None:
        """Run the loop until it is stopped, which it is for every fork of another thread."""
        with self._change:
            self._change.wait_for(lambda: not self._forks)
            self._turning = threading.get_ident()
        try:
            self._loop.run_forever()
        finally:
            with self._change:
                self._turning = 0
                if self._forks:
                    self._change.notify_all()

    def _stop(self, _: object) -> None:
        self._loop.stop()

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._heard.recv(4096)

    def _take(self) -> None:
        with self._change:
            self._wanted = True
            if self._driver:
                self._loop.call_soon_threadsafe(self._loop.stop)
            while self._driver:
                self._change.wait()
            self._driver, self._wanted = "main", False
            self._taken += 1

    def _leave(self) -> None:
        with self._change:
            self._driver, self._left = "", time.monotonic()
            if self._parked or self._others:
                self._change.notify_all()

    def _serve(self) -> None:
        while not self._closed:
            with self._change:
                self._stand_by()
                self._driver = "daemon"
            self._turn()
            with self._change:
                self._driver = ""
                self._change.notify_all()

    def _stand_by(self) -> None:
        """Wait until the loop is left alone. While calls follow each other, waking for each would slow them down."""
        seen = -1
        while not self._vacant():
            self._parked = bool(self._driver) and self._taken == seen
            seen = self._taken
            self._change.wait(None if self._parked else LINGER)
            self._parked = False

    def _vacant(self) -> bool:
        """Whether nobody runs the loop, and the main thread is not about to."""
        if self._driver or self._wanted:
            return False
        return bool(self._others) or time.monotonic() - self._left >= LINGER


class _Need:
    """Counts those inside: one for all of them, as a crowd may wait."""

    def __init__(self, enter: Callable[[], None], leave: Callable[[], None]) -> None:
        self._enter = enter
        self._leave = leave

    def __enter__(self) -> None:
        self._enter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._leave()


@contextmanager
def _noted(note: Callable[[int, FrameType | None], None], bell: int | None) -> Iterator[_Handlers]:
    """Have `note` called for signals inside the block, instead of the handlers it gives.

    Each also rings `bell`: one that arrives just before the thread goes to sleep would be noted only after that.
    """
    global _noting
    # As they are in C: what the signal module makes enums of costs some 30 us a call here.
    found = {number: _signal.getsignal(number) for number in _SIGNALS}
    handlers: _Handlers = {number: handler for number, handler in found.items() if callable(handler)}
    before = signal.set_wakeup_fd(bell, warn_on_full_buffer=False) if bell is not None else None
    try:
        _noting = handlers
        for number in handlers:
            _signal.signal(number, note)
        yield handlers
    finally:
        _noting = {}
        if before is not None:
            signal.set_wakeup_fd(before)
        for number, handler in handlers.items():
            _signal.signal(number, handler)


def _restore() -> None:
    """In a child that was forked while the main thread waited: no wait goes on there."""
    if _noting:
        signal.set_wakeup_fd(-1)
        for number, handler in _noting.items():
            signal.signal(number, handler)
