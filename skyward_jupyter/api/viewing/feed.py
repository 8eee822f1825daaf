"""What feeds the views of one collection: reads it while somebody looks, and tells them ten times a second at most.

Everything here is called on the runtime's loop. While no view is on a screen nothing is followed, read or told. What
is known stays when the nodes do not answer and when the pool is over; a sentence says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.actors.source import OVER, Snapshot
from skyward_jupyter.api.collections import find
from skyward_jupyter.api.viewing.gauges import BarrierGauge, CounterGauge, LockGauge, QueueGauge
from skyward_jupyter.api.viewing.keylist import MOST, Window
from skyward_jupyter.api.viewing.sight import Sights
from skyward_jupyter.api.viewing.table import Body, Table, Windows
from skyward_jupyter.collections.address import Address
from skyward_jupyter.collections.engine import Engine
from skyward_jupyter.collections.watch import Changes, Watch
from skyward_jupyter.errors import SkywardError
from skyward_jupyter.runtime.bridge import runtime
from skyward_jupyter.tasks import begin

#: Seconds between two messages.
EVERY = 0.1
#: Seconds that reading may take before what is known is told without it, and before it is given up.
_QUICK, _WITHIN = 0.05, 6.0
#: Seconds after which something that failed is tried again, and silent views are looked for.
_RETRY, _LOOK = 1.0, 5.0
#: Seconds that the nodes may take to listen before they are read all the same.
_LISTEN = 0.5
#: The most keys that are listed, and the most seconds taken, to show a collection once.
_GLANCED, _GLANCE = 2000, 2.0


class Subject(Protocol):
    """What is known of one collection."""

    def missed(self) -> None:
        """Nobody looked for a while."""
        ...

    def heard(self, changes: Changes) -> None:
        """Something has changed."""
        ...

    def pause(self, windows: Windows) -> float:
        """Seconds until there is something to read."""
        ...

    async def read(self, watch: Watch, windows: Windows) -> None:
        """Bring it up to date, or some of it: `pause` says whether there is more."""
        ...

    def body(self, windows: Windows) -> Body:
        """What is shown, for a page."""
        ...


class Screen(Protocol):
    """What shows a collection."""

    def show(self, content: Body) -> None:
        """Take what is known now."""
        ...

    def close(self, content: Body) -> None:
        """Take what was known last: the pool is over."""
        ...


def subject(address: Address, ranks: Callable[[], Sequence[int]], most: int = MOST) -> Subject:
    """What is known of a collection; of a table, at most so many keys."""
    match address.kind:
        case "dict" | "set":
            return Table(valued=address.kind == "dict", most=most)
        case "counter":
            return CounterGauge(ranks)
        case "queue":
            return QueueGauge(ranks)
        case "barrier":
            return BarrierGauge(ranks, address.parties)
        case "lock":
            return LockGauge(ranks)


class Feed:
    """The feed of one collection.

    Attributes
    ----------
    address
        What it reads.
    over
        Whether its pool is.
    """

    def __init__(self, pool: str, hub: Hub, address: Address, screen: Screen) -> None:
        self.over = False
        self._pool = pool
        self._hub = hub
        self.address = address
        self._screen = screen
        self._subject = subject(address, lambda: sorted(hub.members))
        self._seen = Sights()
        self._windows: dict[str, Window] = {}
        self._note = ""
        self._read_at = 0.0
        self._told: Body = {}
        self._woken = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None

    def see(self, view: str, visible: bool) -> None:
        """A view is on a screen, or not any more."""
        if not visible:
            self._seen.leave(view)
            self._windows.pop(view, None)
            self._woken.set()
            return
        if view not in self._seen:
            self._told = {}  # it knows nothing yet
            self._woken.set()
        self._seen.see(view)
        if not self.over and (self._running is None or self._running.done()):
            self._running = runtime().spawn(self._run())

    def look(self, view: str, window: Window) -> None:
        """A view shows this part of a table."""
        self._windows[view] = window
        self._woken.set()
        if self.over and self._read_at:
            self._tell()

    def known(self) -> Body:
        """What is known, for a form that is not live."""
        return self._content({"": Window()})

    @property
    def fresh(self) -> bool:
        """Whether it is followed, so that nothing needs to be read to know it."""
        return self._running is not None and not self._running.done() and self._read_at > 0 and not self._note

    def leave(self) -> None:
        """Nobody will look again."""
        self.over = True
        self._seen.clear()
        if self._running is not None:
            self._running.cancel()

    # -- the pool, as a view of it hears ---------------------------------------------------------------------------

    def show(self, snapshot: Snapshot) -> None:
        """The pool has changed."""
        if snapshot["state"] in OVER:
            self.close(snapshot)
        self._woken.set()

    def delta(self, delta: Any) -> None:
        """Its numbers do not matter here."""

    def refuse(self, sentence: str) -> None:
        """It is asked for nothing."""

    def close(self, snapshot: Snapshot) -> None:
        """The pool is over."""
        if self.over:
            return
        self.over = True
        if self._running is not None:
            self._running.cancel()
        self._note = ""
        self._screen.close(self._content(self._wanted))

    # -- following -------------------------------------------------------------------------------------------------

    @property
    def _wanted(self) -> Windows:
        """What is read: what the views show, and what stays of it in the end."""
        return {**self._windows, "": Window()}

    def _is_seen(self) -> bool:
        for view in self._seen.silent():
            self.see(view, False)
        return bool(self._seen)

    async def _run(self) -> None:
        """Follow the collection for as long as somebody looks and the connection to the nodes is the same."""
        while self._is_seen():
            try:
                hub, engine = find(self._pool).reach()
                if hub is not self._hub:
                    return  # the pool of this name is another one now
            except SkywardError as error:
                self._note = str(error)
                self._tell()
                await asyncio.sleep(_RETRY)
                continue
            await self._follow(engine, Watch(engine, self.address.kind, self.address.name, lambda: self._hub.turned))

    async def _follow(self, engine: Engine, watch: Watch) -> None:
        first = asyncio.Event()

        def heard(changes: Changes) -> None:
            first.set()
            self._subject.heard(changes)
            self._woken.set()

        stop = watch.start(heard)
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(first.wait(), _LISTEN)
            self._subject.missed()
            self._woken.set()
            while self._is_seen() and self._same(engine):
                await self._step(watch)
        finally:
            stop()
            if self._reading is not None:
                self._reading.cancel()
                self._reading = None

    def _same(self, engine: Engine) -> bool:
        try:
            return find(self._pool).reach()[1] is engine
        except SkywardError:
            return False

    async def _step(self, watch: Watch) -> None:
        """Wait for something to do; do some of it, and tell."""
        await self._rest()
        began = time.monotonic()
        if self._reading is None and self._subject.pause(self._wanted) <= 0:
            self._reading = begin(self._read(watch), f"reading {self.address}")
            self._reading.add_done_callback(lambda _: self._woken.set())
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=_QUICK)
            if self._reading.done():
                self._reading = None
        if self._seen:
            self._tell()
        await asyncio.sleep(max(0.0, EVERY - (time.monotonic() - began)))

    async def _rest(self) -> None:
        pause = _LOOK if self._reading is not None else min(_LOOK, self._subject.pause(self._wanted))
        if pause > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), pause)
        self._woken.clear()

    async def _read(self, watch: Watch) -> None:
        try:
            async with asyncio.timeout(_WITHIN):
                await self._subject.read(watch, self._wanted)
        except TimeoutError:
            await self._say(f"The nodes of pool {self._pool} do not answer; this is what was known last.")
        except SkywardError as error:
            await self._say(str(error))
        except Exception as error:
            await self._say(f"It cannot be shown: {type(error).__name__}: {error}")
        else:
            self._note = ""
            self._read_at = time.time()

    async def _say(self, sentence: str) -> None:
        """Have it told that something failed, and leave some time before the next try."""
        self._note = sentence
        self._woken.set()
        await asyncio.sleep(_RETRY)

    def _content(self, windows: Windows) -> Body:
        return {"read": self._read_at, "note": self._note, "body": self._subject.body(windows)}

    def _tell(self) -> None:
        content = self._content(self._windows)
        told = {**content, "read": content["read"] > 0}
        if told != self._told:
            self._told = told
            self._screen.show({**content, "at": time.time()})


async def glance(pool: str, address: Address) -> Body:
    """What can be shown of a collection at once, read for this; SkywardError when that is nothing."""
    hub, engine = find(pool).reach()
    watch = Watch(engine, address.kind, address.name, lambda: hub.turned)
    known, windows = subject(address, lambda: sorted(hub.members), _GLANCED), {"": Window()}
    known.missed()
    note = ""
    try:
        async with asyncio.timeout(_GLANCE):
            while known.pause(windows) <= 0:
                await known.read(watch, windows)
    except TimeoutError:
        note = f"The nodes of pool {pool} did not answer in time."
    body, now = known.body(windows), time.time()
    return {"read": now if body and not note else 0.0, "note": note, "body": {} if note else body, "at": now}
