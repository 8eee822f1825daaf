"""Synchronous code that waits for something without stopping the event loop it runs on.

`suspendable` runs a coroutine so that any code it calls, however deep and without an `await` of its own, may call
`suspended`: the whole stack is set aside, the task around awaits in its stead, and the loop goes on. It is the same
task, with the same context, on the same thread throughout. Each such stack is a greenlet.

Where `suspends` says no, because nothing below runs suspendably, the caller has to wait in another way.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, cast

from greenlet import getcurrent, greenlet


class _Stack(greenlet):
    """The stack of one coroutine, and whether its task is there to await something for it."""

    driven = False

    def into(self, step: Callable[..., Any], value: object) -> Any:
        """Let it go on to where it awaits something, and return that."""
        self.parent = getcurrent()
        self.driven = True
        try:
            return step(value)
        finally:
            self.driven = False
            value = None

    def out(self, awaited: object) -> Any:
        """Have the task await what a step of a coroutine has given."""
        return self.parent.switch(awaited)


@types.coroutine
def suspendable[T](work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await `work` on a stack of its own."""
    stack = _Stack(_carry)
    stack.gr_context = getcurrent().gr_context
    step, value = stack.switch, cast(object, work)
    while True:
        awaited = stack.into(step, value)
        if stack.dead:
            return cast(T, awaited)
        try:
            step, value = stack.switch, (yield awaited)
        except BaseException as error:
            step, value = stack.throw, _raised_below(error)


def suspends() -> bool:
    """Whether the caller runs on a stack that can be set aside."""
    stack = getcurrent()
    return isinstance(stack, _Stack) and stack.driven


def suspended[T](work: Coroutine[Any, Any, T] | Generator[Any, Any, T]) -> T:
    """Await `work` from synchronous code."""
    return _carry(work)


def _carry[T](work: Coroutine[Any, Any, T] | Generator[Any, Any, T]) -> T:
    stack: _Stack = getcurrent()
    step: Callable[[Any], Any] = work.send
    value: Any = None
    while True:
        try:
            awaited = step(value)
        except StopIteration as stop:
            return cast(T, stop.value)
        finally:
            value = None  # an error there would keep this frame, and with it itself
        try:
            step, value = work.send, stack.out(awaited)
        except BaseException as error:
            step, value = work.throw, _raised_below(error)


def _raised_below(error: BaseException) -> BaseException:
    """`error` without the frame that hands it on."""
    tb = error.__traceback__
    return error.with_traceback(tb.tb_next if tb is not None else None)
