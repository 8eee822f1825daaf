"""What user code writes and displays, on its way out of a slot.

`sys.stdout` and `sys.stderr` are replaced by streams that belong to the task that writes; descriptors 1 and 2 are pipes
that the agent reads, so that what C code and child processes write is not lost either. Text is gathered for a few
hundredths of a second, never longer than the task.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import contextlib
import contextvars
import ctypes
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from skyward_jupyter.agent.frames import COUNT, frame
from skyward_jupyter.agent.helpers import helper
from skyward_jupyter.agent.origins import home, install
from skyward_jupyter.agent.pipes import MARK, Ends, Page, Watch, kept, unread
from skyward_jupyter.agent.streams import TaskStream
from skyward_jupyter.agent.streams import settle as settle_streams
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.feeds import yields
from skyward_jupyter.wire.parts import Put
from skyward_jupyter.wire.said import packed_clear, packed_display, packed_text

_GATHER = 0.03
#: Least seconds between two frames of yields; what is yielded in between leaves together, in bounds.
_APART = 0.002
_MOST_YIELDS, _MOST_BYTES = 4096, 512 * 1024
_PIECE = 64 * 1024
#: How often the slot looks how much went through its pipes while its agent reads: some times at once, then all
#: together for seconds, in which an agent that is alive has its turn.
_SPIN, _TRIES, _LOOK = 20, 20_000, 0.0002
_sleep, _now = time.sleep, time.monotonic
_libc = ctypes.CDLL(None)

type Marks = tuple[int, int]
type _Piece = tuple[str, str, Marks, int]


_SIGINT, _UNBLOCK = int(signal.SIGINT), int(signal.SIG_UNBLOCK)


class Interrupts:
    """Lets SIGINT raise KeyboardInterrupt only where user code runs, and never in the middle of a send."""

    def __init__(self) -> None:
        self.running = False
        self._critical = 0
        self._pending = False
        self._early = 0.0
        self._installed = False

    def install(self) -> None:
        """Be the process's handler of SIGINT, in its main thread, also after a task that set another."""
        self._installed = True
        self._take()

    def _take(self) -> None:
        # As they are in C: what the signal module makes enums of costs a tenth of a call here.
        if _signal.getsignal(_SIGINT) != self.handle:
            signal.signal(_SIGINT, self.handle)
        _signal.pthread_sigmask(_UNBLOCK, (_SIGINT,))

    def begin(self, sent: float) -> None:
        """User code of a task that was sent at `sent` (monotonic seconds) runs from here on.

        An interrupt that came after the task was sent, but before it ran, was meant for it.
        """
        self.running = True
        if self._early > sent:
            raise KeyboardInterrupt

    def handle(self, _signum: int, _frame: object) -> None:
        """The signal handler of a slot."""
        if not self.running:
            self._early = time.monotonic()
            return
        if self._critical:
            self._pending = True
            return
        raise KeyboardInterrupt

    def __enter__(self) -> None:
        """Hold an interrupt of the main thread back until the block is done."""
        if threading.current_thread() is threading.main_thread():
            self._critical += 1

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self._critical -= 1
        if self._pending and not self._critical:
            self._pending = False
            if self.running:
                raise KeyboardInterrupt

    def clear(self) -> None:
        """No task runs any more: forget an interrupt meant for it."""
        self.running = False
        self._pending = False
        if self._installed:
            self._take()


interrupts = Interrupts()


class Outlet:
    """The way out of one slot: its socket, and the text of its current task that was not sent yet."""

    def __init__(self, sock: socket.socket, put: Put, pipes: Pipes, number: int) -> None:
        self._sock = sock
        self.put = put
        self._pipes = pipes
        self._number = number
        self._marked = (0, 0)
        self._send_lock = threading.Lock()
        self._text_lock = threading.RLock()
        self._flush_lock = threading.RLock()
        self._pending: list[_Piece] = []
        self._size = 0
        self._yields: list[bytes] = []
        self._yields_size = 0
        self._yields_at = (0, 0)
        self._yielded = 0.0
        self.task = 0
        self.active = False
        self.kept = kept("")

    def begin(self, task: int, flags: str) -> None:
        """From here on, output belongs to `task`; `flags` says which streams it keeps."""
        self.task = task
        self.active = True
        self._yielded = 0.0
        self.kept = kept(flags)

    def end(self, kind: int, body: bytes) -> None:
        """Send the last frame of the current task."""
        self.active = False
        self.flush_yields()
        self._send(kind, body, self._marked, self.task)

    def answer(self, number: int, body: bytes) -> None:
        """Send the answer to a question, between two tasks."""
        self._send(Kind.ANSWER, body, self._marked, number)

    @property
    def owner(self) -> int:
        """The task of the code that asks: the current one, unless an earlier one started its thread."""
        found = home()
        return int(found[1]) if found is not None and found[0] is self else self.task

    def send(self, kind: int, body: bytes) -> None:
        """Send one frame of the current task."""
        self._send(kind, body, self._pipes.at(), self.task)

    def _send(self, kind: int, body: bytes, at: Marks, task: int) -> None:
        """Send one frame; what went through the pipes up to `at` comes before it."""
        with interrupts, self._send_lock:
            self._put_yields()
            self._put(kind, body, at, task)

    def _put(self, kind: int, body: bytes, at: Marks, task: int) -> None:
        data = frame(kind, task, body)
        if at != self._marked:
            self._marked = at
            data = frame(Kind.MARK, self.task, MARK.pack(*at)) + data
        self._sock.sendall(data)

    def give(self, body: bytes) -> None:
        """Send a yield: at once when none left a moment before, else with those that follow, and not much later."""
        if self._pending:
            self.flush()
        if body[:1] != b"p":  # it may name blobs, which an event of several does not
            self.send(Kind.YIELD, body)
            return
        at, now = self._pipes.at(), _now()
        with interrupts, self._send_lock:
            if at != self._yields_at:
                self._put_yields()
            self._yields.append(body)
            self._yields_size += len(body)
            self._yields_at = at
            full = len(self._yields) >= _MOST_YIELDS or self._yields_size >= _MOST_BYTES
            if full or now - self._yielded >= _APART:
                self._put_yields()
            elif len(self._yields) == 1:
                _giver.wake()

    def flush_yields(self) -> None:
        """Send what was yielded so far."""
        if self._yields:
            with interrupts, self._send_lock:
                self._put_yields()

    def _put_yields(self) -> None:
        if not self._yields:
            return
        items, self._yields, self._yields_size, self._yielded = self._yields, [], 0, _now()
        if len(items) == 1:
            self._put(Kind.YIELD, items[0], self._yields_at, self.task)
        else:
            self._put(Kind.YIELDS, COUNT.pack(len(items)) + yields(items), self._yields_at, self.task)

    def write(self, stream: str, text: str) -> None:
        """Take text of a stream."""
        if stream not in self.kept or not text:
            return
        with interrupts:
            with self._text_lock:
                if not self._pending:
                    self._pipes.page.hold(self._number, True)
                self._pending.append((stream, text, self._pipes.at(), self.owner))
                self._size += len(text)
                full = self._size >= _PIECE
            if full:
                self.flush()
            else:
                _flusher.wake()

    def flush(self) -> None:
        """Send the text taken so far."""
        with interrupts, self._flush_lock:
            with self._text_lock:
                pending, self._pending, self._size = self._pending, [], 0
            for stream, text, at, task in _joined(pending):
                for start in range(0, len(text), _PIECE):
                    self._send(Kind.OUTPUT, packed_text(stream, text[start : start + _PIECE]), at, task)
            with self._text_lock:
                if pending and not self._pending:
                    self._pipes.page.hold(self._number, False)


def _joined(pending: list[_Piece]) -> Iterator[_Piece]:
    index = 0
    while index < len(pending):
        stream, _, at, task = pending[index]
        end = index
        while end < len(pending) and (pending[end][0], *pending[end][2:]) == (stream, at, task):
            end += 1
        yield stream, "".join(text for _, text, _, _ in pending[index:end]), at, task
        index = end


class _Flusher:
    """A thread that sends what every outlet has gathered, shortly after the first of it came."""

    def __init__(self, name: str, after: float, flush: Callable[[Outlet], None]) -> None:
        self._name = name
        self._after = after
        self._flush = flush
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._started = False

    def wake(self) -> None:
        if not self._started:
            self._started = True
            helper(self._name, self._run)
        if self._wakes.empty():
            self._wakes.put(None)  # an interrupt in here leaves nothing locked, as it would in an Event

    def _run(self) -> None:
        while True:
            self._wakes.get()
            _sleep(self._after)
            for outlet in _outlets:
                with contextlib.suppress(OSError):
                    self._flush(outlet)


_outlets: list[Outlet] = []
_flusher = _Flusher("skyward-flush", _GATHER, Outlet.flush)
_giver = _Flusher("skyward-yields", _APART, Outlet.flush_yields)
_current: contextvars.ContextVar[Outlet] = contextvars.ContextVar("outlet")
_fallback: list[Outlet] = []
_streams: list[TaskStream] = []


def use(outlet: Outlet) -> None:
    """Make `outlet` the one of this thread, and of threads that have none."""
    _current.set(outlet)
    _fallback[:] = [outlet]
    if outlet not in _outlets:
        _outlets.append(outlet)


class _Nowhere(Outlet):
    """The outlet of a thread whose words are for nobody."""

    def __init__(self) -> None:
        self.task, self.active = -1, False

    owner = -1

    def send(self, kind: int, body: bytes) -> None:
        """Send nothing."""

    def write(self, stream: str, text: str) -> None:
        """Take nothing."""

    def flush(self) -> None:
        """Do nothing."""


def hush() -> None:
    """Have what this thread writes and displays go nowhere."""
    _current.set(_Nowhere())


def current() -> Outlet:
    """The outlet of the code that asks."""
    found = _current.get(None)
    if found is None:
        started = home()
        found = started[0] if started is not None else _fallback[0]
    return found


def _here() -> tuple[Outlet, int] | None:
    """The outlet and the task of the code that asks."""
    if not _fallback:
        return None
    outlet = current()
    return outlet, outlet.owner


class Pipes:
    """Descriptors 1 and 2 of the process, which its agent reads."""

    def __init__(self, ends: Ends) -> None:
        self.page = Page(ends.page)
        for fd, write in zip((1, 2), ends.writes, strict=True):
            os.dup2(write, fd)
            os.close(write)
        for read in ends.reads:  # to see how much waits there
            os.set_inheritable(read, False)
        self._reads = ends.reads
        self._watch = Watch(ends.reads)
        self._known: tuple[int, Marks] = (0, (0, 0))

    def at(self) -> Marks:
        """How much has gone through each so far."""
        turn, marks = self._known
        if not self._watch.ready() and self.page.turn == turn:
            return marks
        for tried in range(_TRIES):
            turn = self.page.turn
            marks = self._count()
            if turn % 2 == 0 and self.page.turn == turn:
                self._known = turn, marks
                break
            if tried > _SPIN:  # the agent was about to read, and has to wait for a processor
                _sleep(_LOOK)
        return marks

    def _count(self) -> Marks:
        out, err = (self.page.taken(stream) + unread(read) for stream, read in enumerate(self._reads))
        return out, err

    @staticmethod
    def flush() -> None:
        """Have C's own buffers written."""
        _libc.fflush(None)


_OWN = (("stdin", "__stdin__"), ("displayhook", "__displayhook__"), ("excepthook", "__excepthook__"))


def settle(restore: bool) -> None:
    """Have all that the ending task wrote to `sys.stdout` and `sys.stderr`, whatever it made of them.

    With `restore`, they are as before for the next one; what a task took away altogether of what Python needs to read,
    to write and to tell of errors is there again in any case.
    """
    if not _streams:
        return
    settle_streams(*_streams)
    if restore or getattr(sys, "stdout", None) is None or getattr(sys, "stderr", None) is None:
        sys.stdout, sys.stderr = _streams
    for name, own in _OWN:
        if getattr(sys, name, None) is None:
            setattr(sys, name, getattr(sys, own))


def capture(ends: Ends) -> Pipes:
    """Replace the process's output by what goes to its agent."""
    pipes = Pipes(ends)
    _streams[:] = [TaskStream("stdout", 1, current), TaskStream("stderr", 2, current)]
    os.register_at_fork(after_in_child=_leave)
    install(_here)
    sys.stdout, sys.stderr = _streams
    sys.__stdout__, sys.__stderr__ = _streams  # type: ignore[misc]
    return pipes


def _leave() -> None:
    """Have a forked child write past the connection, which is its parent's, and display nothing."""
    for stream in _streams:
        stream.leave()


def _forked() -> bool:
    return bool(_streams) and _streams[0].left


def display(
    data: Mapping[str, object],
    metadata: Mapping[str, object] | None = None,
    transient: Mapping[str, object] | None = None,
    update: bool = False,
) -> None:
    """Send a MIME bundle to the cell that waits for this task; a forked child has no way to."""
    if _forked():
        return
    outlet = current()
    if outlet.owner != outlet.task or not outlet.active:
        outlet.write("stdout", f"{data.get('text/plain', '')}\n")  # its cell has ended: there is only a log
        return
    outlet.flush()
    with interrupts:  # so that none comes between a large part's file and its sending
        body = packed_display(dict(data), dict(metadata or {}), dict(transient or {}), update, outlet.put)
        outlet.send(Kind.DISPLAY, body)


def clear(wait: bool = False) -> None:
    """Clear what this task has shown; with `wait`, once something new is shown."""
    if _forked():
        return
    outlet = current()
    outlet.flush()
    outlet.send(Kind.CLEAR, packed_clear(wait))
