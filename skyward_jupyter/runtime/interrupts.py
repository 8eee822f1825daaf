"""SIGINT while the main thread waits for the runtime.

The default handler raises KeyboardInterrupt at whatever bytecode happens to run, which inside an event loop is some
unrelated task. Here a signal only calls back; the waiting frame raises.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def on_sigint(callback: Callable[[], None]) -> Iterator[None]:
    """Call `callback` for each SIGINT inside the block, instead of raising.

    Only the main thread receives signals, and a process may ignore them; there the block runs as it is.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    previous = signal.signal(signal.SIGINT, lambda *_: callback())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous if previous is not None else signal.default_int_handler)


@contextmanager
def raising_sigint() -> Iterator[None]:
    """Raise KeyboardInterrupt for SIGINT inside the block, whatever handles it around that."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous if previous is not None else signal.default_int_handler)


def note_sigint(callback: Callable[[], None]) -> None:
    """Call `callback` before whatever handles SIGINT now; ipykernel sets its own handler again for the next cell."""
    previous = signal.getsignal(signal.SIGINT)
    if not callable(previous):
        return

    def handle(signum: int, frame: FrameType | None) -> None:
        callback()
        previous(signum, frame)

    signal.signal(signal.SIGINT, handle)
