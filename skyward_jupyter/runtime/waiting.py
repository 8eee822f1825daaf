"""Whether the program's main thread waits for the runtime, outside kernels, and who is told of it.

`enter` and `leave` are called around every wait, so they cost next to nothing. Only the main thread counts: while
another thread waits, the main one may show a prompt.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

from skyward_jupyter.runtime.forks import forget_in_child

_main = threading.main_thread()
_since = 0.0
_observers: tuple[Observer, ...] = ()


class Observer(Protocol):
    """Somebody who shows what goes on while the program waits. Both are called on the main thread and return soon."""

    def entered(self) -> None:
        """A wait begins."""
        ...

    def left(self) -> None:
        """It is over: when this returns, the terminal is the program's own again."""
        ...


def since() -> float:
    """When the wait of the main thread began (monotonic seconds); 0 while it does not wait."""
    return _since


def observe(observer: Observer) -> None:
    """Tell `observer` from now on."""
    global _observers
    _observers = (*_observers, observer)


def forget(observer: Observer) -> None:
    """Tell it no more."""
    global _observers
    _observers = tuple(known for known in _observers if known is not observer)


def _forget() -> object:
    """A forked child shows nothing of its parent's pools."""
    global _main, _since, _observers
    left, _observers, _since, _main = _observers, (), 0.0, threading.main_thread()
    return left


forget_in_child(_forget)


def enter() -> None:
    """A wait begins on this thread."""
    global _since
    if threading.current_thread() is not _main:
        return
    _since = time.monotonic()
    for observer in _observers:
        observer.entered()


def leave() -> None:
    """It is over, whatever it gave."""
    global _since
    if threading.current_thread() is not _main:
        return
    _since = 0.0
    for observer in _observers:
        observer.left()
