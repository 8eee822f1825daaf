"""Synchronous code that waits for something without stopping the event loop it runs on.

`suspendable` runs a coroutine so that any code it calls, however deep and without an `await` of its own, may call
`suspended`: the whole stack is set aside, the task around awaits in its stead, and the loop goes on. It is the same
task, with the same context, on the same thread throughout. Each such stack is a greenlet.

Where `suspends` says no, because nothing below runs suspendably, the caller has to wait in another way.
"""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from typing import Any, cast

from greenlet import getcurrent, greenlet

type _Steps[T] = Coroutine[Any, Any, T] | Generator[Any, Any, T]


class _Stack(greenlet):
    """The stack of one coroutine, and whether its task is there to await something for it."""

    driven = False

    def into(self, *given: object) -> Any:
        """Let it go on to where it awaits something, and return that."""
        self.parent = getcurrent()
        self.driven = True
        try:
            return self.switch(*given)
        finally:
            self.driven = False
            del given

    def out(self, awaited: object) -> tuple[object, BaseException | None]:
        """Have the task await what a step of a coroutine has given; returns what it was sent, or what was raised."""
        answer: tuple[object, BaseException | None] = self.parent.switch(awaited)
        return answer


async def suspendable[T](work: Coroutine[Any, Any, T]) -> T:
    """Await `work` on a stack of its own."""
    return await _on_own_stack(work)


def suspends() -> bool:
    """Whether the caller runs on a stack that can be set aside."""
    stack = getcurrent()
    return isinstance(stack, _Stack) and stack.driven


def suspended[T](work: _Steps[T]) -> T:
    """Await `work` from synchronous code: what awaiting it would give or raise."""
    stack: _Stack = getcurrent()
    sent: object = None
    error: BaseException | None = None
    while True:
        try:
            awaited = work.send(sent) if error is None else work.throw(error)
        except StopIteration as stop:
            return cast(T, stop.value)
        finally:
            sent = error = None  # an error that is kept would keep this frame, and with it itself
        sent, error = stack.out(awaited)


@types.coroutine
def _on_own_stack[T](work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    stack = _Stack(suspended)
    stack.gr_context = getcurrent().gr_context
    awaited = stack.into(work)
    while not stack.dead:
        try:
            sent = yield awaited
        except BaseException as error:
            awaited = stack.into(None, _raised_below(error))
        else:
            awaited = stack.into(sent, None)
    return cast(T, awaited)


def _raised_below(error: BaseException) -> BaseException:
    """`error` without the frame that hands it on."""
    tb = error.__traceback__
    return error.with_traceback(tb.tb_next if tb is not None else None)
