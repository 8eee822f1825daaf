"""A thread that runs user code and can be interrupted at any moment without harm to the slot it belongs to.

Python raises an exception in another thread at whatever bytecode that thread is about to run. So the thread that is
interrupted here does nothing but call user code; whoever reads orders and sends results waits for it in another.
An interrupt is meant for one task: one that comes before the task has begun is raised as it begins, one that comes
too late is forgotten.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

type _Answer = SimpleQueue[tuple[Any, BaseException | None]]

#: How many tasks an interrupt may be early or late by.
_REMEMBERED = 16

_raise = ctypes.pythonapi.PyThreadState_SetAsyncExc


class Runner:
    """Runs calls, one at a time, in a thread of its own.

    Parameters
    ----------
    prepare
        Called once in that thread, before anything else.
    """

    def __init__(self, name: str, prepare: Callable[[], None]) -> None:
        self._prepare = prepare
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[tuple[Callable[[], Any], _Answer] | None] = SimpleQueue()
        self._task = 0
        self._calling = False
        self._early: deque[int] = deque(maxlen=_REMEMBERED)
        self._ended: deque[int] = deque(maxlen=_REMEMBERED)
        # Not a daemon: the threads that user code starts are not either then, as in a program's main thread.
        self._thread = threading.Thread(target=self._run, name=name, daemon=False)
        self._thread.start()

    def begin(self, task: int) -> None:
        """The calls from here on belong to `task`."""
        with self._lock:
            self._task = task

    def call[T](self, work: Callable[[], T]) -> T:
        """What `work` returns or raises there; KeyboardInterrupt when it was interrupted."""
        answer: _Answer = SimpleQueue()
        self._jobs.put((work, answer))
        value, error = answer.get()
        with self._lock:
            self._calling = False
            self._aim(None)
        if error is not None:
            try:
                raise error
            finally:
                del error
        result: T = value
        return result

    def end(self) -> None:
        """The task has ended; an interrupt that still comes for it is too late."""
        with self._lock:
            self._ended.append(self._task)
            self._task = 0

    def interrupt(self, task: int) -> None:
        """Raise KeyboardInterrupt in the code of `task`; called from any other thread."""
        with self._lock:
            if task == self._task and self._calling:
                self._aim(KeyboardInterrupt)
            elif task not in self._ended:
                self._early.append(task)

    def stop(self) -> None:
        """Interrupt whatever runs, and end the thread."""
        self.interrupt(self._task)
        self._jobs.put(None)

    def _aim(self, kind: type[BaseException] | None) -> None:
        ident = ctypes.c_ulong(self._thread.ident or 0)
        _raise(ident, ctypes.py_object(kind) if kind is not None else None)

    def _run(self) -> None:
        self._prepare()
        while True:
            # An interrupt that arrives between two calls was meant for the first, which has been answered.
            with contextlib.suppress(KeyboardInterrupt):
                self._serve()
                return

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._answer(*job)

    def _answer(self, work: Callable[[], Any], answer: _Answer) -> None:
        try:
            try:
                outcome: tuple[Any, BaseException | None] = self._called(work), None
            except BaseException as error:
                outcome = None, error
            answer.put(outcome)
        except KeyboardInterrupt as error:
            answer.put((None, error))

    def _called(self, work: Callable[[], Any]) -> Any:
        with self._lock:
            early = self._task in self._early
            self._calling = not early
        if early:
            self._early.remove(self._task)
            raise KeyboardInterrupt
        return work()
