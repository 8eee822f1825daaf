"""The one stream of events of a pool.

Events are made only while somebody listens for their kind. A listener is called on the runtime's loop, in order, after
the step that made the event: never inside an actor. Its errors are logged and harm nobody else.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Concatenate

from skyward_jupyter.events import Event, TaskEvent
from skyward_jupyter.tasks import Tasks

log = logging.getLogger("skyward")

type Callback = Callable[[Any], object]


class Listener:
    """Somebody who wants some kinds of events, until `off`."""

    def __init__(self, kinds: tuple[type[Event], ...], callback: Callback, ended: Callable[[], None] | None) -> None:
        self.kinds = kinds
        self.callback = callback
        self.ended = ended
        self.active = True
        # What a callback prints belongs to where it was registered.
        self.context = contextvars.copy_context()


class Bus:
    """Hands the events of one pool to whoever listens. Touched on the runtime's loop only.

    Attributes
    ----------
    tasks
        Whether anybody wants to hear of tasks: those come by the thousand.
    on_listening
        Called when the listeners have changed.
    """

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self.tasks = False
        self.on_listening: Callable[[], None] = lambda: None
        self._listeners: list[Listener] = []
        self._wanted: dict[object, bool] = {}
        self._waiting: deque[Event] = deque()
        self._running = Tasks("a callback for events")

    def wants(self, kind: object) -> bool:
        """Whether anybody listens for events of this kind."""
        known = self._wanted.get(kind)
        if known is None:
            wanted = (isinstance(kind, type) and issubclass(kind, one.kinds) for one in self._listeners)
            known = self._wanted[kind] = any(wanted)
        return known

    def emit[**P](self, kind: Callable[Concatenate[float, str, P], Event], *facts: P.args, **named: P.kwargs) -> None:
        """An event of `kind` happened now; it is made and handed on if anybody listens."""
        if self.wants(kind):
            if not self._waiting:
                asyncio.get_running_loop().call_soon(self._hand_on, context=contextvars.Context())
            self._waiting.append(kind(time.time(), self.pool, *facts, **named))

    def listen(
        self, kinds: tuple[type[Event], ...], callback: Callback, ended: Callable[[], None] | None = None
    ) -> Listener:
        """Call `callback` with each event of `kinds` from now on, and `ended` when the pool is over."""
        listener = Listener(kinds, callback, ended)
        self._listeners.append(listener)
        self._changed()
        return listener

    def remove(self, listener: Listener) -> None:
        """It listens no more; doing this twice does no harm."""
        listener.active = False
        if listener in self._listeners:
            self._listeners.remove(listener)
            self._changed()

    def close(self) -> None:
        """The pool is over: hand on what there is, and end those who read until then."""
        self._hand_on()
        for listener in list(self._listeners):
            if listener.ended is not None:
                listener.ended()
                self.remove(listener)

    def _changed(self) -> None:
        self._wanted.clear()
        kinds = TaskEvent.__subclasses__()
        self.tasks = any(self.wants(kind) for kind in kinds)
        self.on_listening()

    def _hand_on(self) -> None:
        while self._waiting:
            event = self._waiting.popleft()
            for listener in list(self._listeners):
                if listener.active and isinstance(event, listener.kinds):
                    self._call(listener, event)

    def _call(self, listener: Listener, event: Event) -> None:
        context = listener.context.copy()
        try:
            given = context.run(listener.callback, event)
        except Exception:
            log.exception("a callback for %s failed", type(event).__name__)
            return
        if inspect.isawaitable(given):
            _ = self._running.begin(_finish(given, event), context=context)


async def _finish(given: Any, event: Event) -> None:
    try:
        await given
    except Exception:
        log.exception("a callback for %s failed", type(event).__name__)
