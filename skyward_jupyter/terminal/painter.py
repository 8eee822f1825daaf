"""Draws the pools of this process below what the program writes, while the program waits for them.

Drawing is a thread's work, because a terminal may hold it up (Ctrl-S) and the runtime's loop must not stand still. The
thread sleeps while the main thread does not wait; to begin a wait costs setting an event at most. When a wait is
over, the region is gone before the wait returns, so nothing is ever drawn over a prompt.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TextIO

from skyward_jupyter.actors.source import Delta, PanelSource, Snapshot
from skyward_jupyter.runtime import telling, waiting
from skyward_jupyter.terminal.mode import interactive
from skyward_jupyter.terminal.region import Region
from skyward_jupyter.terminal.teller import Teller, to_stderr

#: Seconds a wait lasts before anything is drawn; right after one that lasted so long, the next is drawn sooner.
DELAY, AGAIN_AFTER = 0.5, 0.1
#: What is right after; and for how long the thread stays awake (seconds).
RECENT = 1.0
TICK = 0.1
#: The least time between two layouts, which cost some milliseconds (seconds).
EVERY = 0.25


class Followed:
    """One pool as the painter knows it: the latest of everything."""

    def __init__(self, owner: Painter, source: PanelSource) -> None:
        self.source = source
        self.snapshot = source.snapshot()
        self.numbers: Delta | None = None
        self._visible = False
        self._owner = owner
        Teller(owner.say, drawn=True).follow(source)

    def look(self, visible: bool) -> None:
        """Have numbers come, or come no more."""
        if visible != self._visible:
            self._visible, self.numbers = visible, None
            self.source.visible(self, visible)

    def show(self, snapshot: Snapshot) -> None:
        """Take the slow state."""
        self.snapshot = snapshot

    def delta(self, delta: Delta) -> None:
        """Take the numbers."""
        self.numbers = delta

    def refuse(self, sentence: str) -> None:
        """Nothing is asked for here."""

    def close(self, snapshot: Snapshot) -> None:
        """The pool is over."""
        self._owner.drop(self)


class Painter:
    """Draws on one terminal. `follow` and `drop` are called on the runtime's loop, the rest from where it must be."""

    def __init__(self, stream: TextIO) -> None:
        self._region = Region(stream)
        self._pools: tuple[Followed, ...] = ()
        self._held: deque[str] = deque()
        self._awake = threading.Event()
        self._lines: list[str] = []
        self._laid_out = 0.0
        self._began = 0.0
        self._hidden = 0.0
        self._thread: threading.Thread | None = None

    def follow(self, source: PanelSource) -> None:
        """Draw a pool from now on, until it is over."""
        view = Followed(self, source)
        self._pools = (*self._pools, view)
        source.attach(view)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="skyward-terminal", daemon=True)
            self._thread.start()
        self._awake.set()

    def drop(self, view: Followed) -> None:
        """A pool is over. The thread ends with the last one."""
        self._pools = tuple(known for known in self._pools if known is not view)
        if not self._pools:
            self._thread = None
        self._awake.set()

    def say(self, sentence: str) -> None:
        """Write a line above the region; where a prompt may be on the screen, with the next wait."""
        if interactive() and not waiting.since():
            self._held.append(sentence)
        else:
            to_stderr(sentence)

    # -- on the main thread ----------------------------------------------------------------------------------------

    def entered(self) -> None:
        """A wait begins."""
        if not self._awake.is_set():
            self._awake.set()

    def left(self) -> None:
        """It is over."""
        if self._region.shown:
            self._hide()
        if self._held:
            self._say_held()

    # -- on its own thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        idle = time.monotonic()
        while self._thread is threading.current_thread():
            self._tick()
            now = time.monotonic()
            if waiting.since():
                idle = now
            elif now - idle > RECENT:
                self._park()
                idle = time.monotonic()
            time.sleep(TICK)
        if self._thread is None:
            self._hide()

    def _park(self) -> None:
        """Sleep until a wait begins or a pool comes or goes."""
        self._awake.clear()
        if not waiting.since() and self._thread is not None:
            self._awake.wait()

    def _tick(self) -> None:
        since = waiting.since()
        if not since:
            self._hide()  # what the main thread found, or an interrupt kept it from
            return
        if self._held:
            self._say_held()
        now = time.monotonic()
        sooner = self._region.shown or now - self._hidden < RECENT
        due = since + (AGAIN_AFTER if sooner else DELAY)
        if now < due - TICK or not self._region.ours:
            return
        for view in self._pools:
            view.look(True)
        if now >= due:
            self._began = since
            self._draw()

    def _draw(self) -> None:
        now = time.monotonic()
        if not self._region.shown or now - self._laid_out >= EVERY:
            self._lines, self._laid_out = self._layout(), now
        with self._region.lock:
            if waiting.since():
                self._region.paint(self._lines)

    def _layout(self) -> list[str]:
        from skyward_jupyter.terminal.table import drawn

        size = self._region.size
        now = time.time()
        pictures = [(view.snapshot, view.numbers, now) for view in self._pools]
        lines = telling.told()
        return drawn(pictures, size.columns - 1, size.lines - 3, lines, unicode=self._region.unicode)

    def _hide(self) -> None:
        with self._region.lock:
            for view in self._pools:
                view.look(False)
            if self._region.shown:
                self._region.close()
                now = time.monotonic()
                self._hidden = now if now - self._began >= DELAY else 0.0

    def _say_held(self) -> None:
        while self._held:
            to_stderr(self._held.popleft())


def painter(stream: TextIO) -> Painter:
    """The painter of this process, made on first use."""
    global _painter
    if _painter is None:
        _painter = Painter(stream)
        waiting.observe(_painter)
    return _painter


_painter: Painter | None = None
