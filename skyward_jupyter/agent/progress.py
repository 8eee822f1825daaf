"""Progress bars of a session: sent as numbers instead of drawn as text, so that those of all nodes can become one.

At most `PACE` messages a second leave, the last state of every bar always. Bars are tqdm's, and come from
`skyward_jupyter.agent.tqdm_bars`.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from traceback import extract_tb
from types import CodeType
from typing import Any

from skyward_jupyter.agent import outlet
from skyward_jupyter.agent.helpers import helper
from skyward_jupyter.agent.streams import TaskStream
from skyward_jupyter.wire.progress import Bar, State, bundle

#: Messages a second,
PACE = 5
#: and the most bars in one; of more that ended in between, the last.
MOST = 200
_GATHER = 0.03
_STOPPED = 20
_OURS = (__file__, os.path.join(os.path.dirname(__file__), "tqdm_bars.py"))


@dataclass(slots=True)
class _Entry:
    """A bar that is shown. Not the bar itself: whether that lives is the user's affair."""

    ref: weakref.ref[Any]
    key: str
    stays: bool
    bar: Bar
    error: BaseException | None = None
    closed: str = ""


class Bars:
    """The bars of the cell that runs.

    Parameters
    ----------
    send
        Sends a MIME bundle to the cell.
    """

    def __init__(self, send: Callable[[dict[str, object]], None]) -> None:
        self._send = send
        self._process = os.getpid()
        self._running = False
        self._open: dict[int, _Entry] = {}
        self._ended: deque[_Entry] = deque(maxlen=_STOPPED)
        self._dirty: dict[str, Bar] = {}
        self._counts: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = False

    def begin(self) -> None:
        """A cell starts."""
        self._open.clear()
        self._ended.clear()
        self._counts.clear()
        self._running = True

    def finish(self, error: BaseException | None) -> None:
        """It ended: bars that are still open end here. Everything is sent when this returns."""
        for entry in list(self._open.values()):
            how: State = "failed" if error is not None and not isinstance(error, KeyboardInterrupt) else "stopped"
            live = entry.ref()
            self._note(entry, _state_of(live, how) if live is not None else how)
        if error is not None and not isinstance(error, KeyboardInterrupt):
            raised = {f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in extract_tb(error.__traceback__)}
            for entry in self._ended:
                if entry.bar.state == "stopped" and (entry.error is error or entry.closed in raised):
                    self._note(entry, "failed")
        with outlet.interrupts, self._lock:
            self.flush()
            self._running = False
            self._open.clear()
            self._ended.clear()

    def takes(self, bar: Any) -> bool:
        """Whether this bar is drawn on the session's own streams by tqdm's own code."""
        file = getattr(bar.fp, "_wrapped", bar.fp)
        return isinstance(file, TaskStream) and not bar.gui and os.getpid() == self._process

    def knows(self, bar: Any) -> bool:
        """Whether it is shown."""
        entry = self._open.get(id(bar))
        return entry is not None and entry.ref() is bar

    def show(self, bar: Any) -> None:
        """It has changed."""
        entry = self._open[id(bar)] if self.knows(bar) else self._new(bar)
        self._note(entry, "running")

    def close(self, bar: Any) -> None:
        """It ended; what exception is on its way, or comes from where it was closed, may turn out to be why."""
        entry = self._open[id(bar)] if self.knows(bar) else self._new(bar)
        del self._open[id(bar)]
        if not entry.stays:
            self._note(entry, "gone")
            return
        entry.error, entry.closed = sys.exc_info()[1], _site()
        self._note(entry, _state_of(bar, "stopped"))
        self._ended.append(entry)

    def flush(self) -> None:
        """Send what has changed."""
        with outlet.interrupts, self._lock:
            if not self._running or not self._dirty:
                return
            rows: list[Bar] = []
            while (key := next(iter(self._dirty), None)) is not None:
                if (bar := self._dirty.pop(key, None)) is not None:  # which changes in another thread
                    rows.append(bar)
            self._send(bundle(rows))

    def _new(self, bar: Any) -> _Entry:
        stays = abs(bar.pos) == 0 if bar.leave is None else bool(bar.leave)
        entry = _Entry(weakref.ref(bar), self._key(_site(), stays), stays, Bar("", "running", 0))
        self._open[id(bar)] = entry
        return entry

    def _key(self, site: str, stays: bool) -> str:
        """Bars of one place in the code are counted; those that do not stay take the place of the one before."""
        if stays:
            self._counts[site] += 1
            return f"{site}#{self._counts[site]}"
        taken = {entry.key for entry in self._open.values()}
        return next(key for lane in range(len(taken) + 1) if (key := f"{site}~{lane}") not in taken)

    def _note(self, entry: _Entry, state: State) -> None:
        live = entry.ref()
        if live is not None:
            entry.bar = _seen(live, entry.key, state)
            live._sky_seen = live.n
        else:
            entry.bar = replace(entry.bar, state=state)
        self._dirty.pop(entry.key, None)
        self._dirty[entry.key] = entry.bar
        if len(self._dirty) > MOST:  # which may be sent at this moment
            over = next((key for key, bar in list(self._dirty.items()) if bar.state != "running"), "")
            self._dirty.pop(over, None)
        self._wake()

    def _wake(self) -> None:
        if not self._thread:
            self._thread = True
            helper("skyward-bars", self._run)
        if self._wakes.empty():
            self._wakes.put(None)

    def _run(self) -> None:
        while True:
            self._wakes.get()
            time.sleep(_GATHER)
            try:
                self.flush()
            except OSError:
                return  # the node is gone, and this process with it
            time.sleep(1 / PACE - _GATHER)


def _seen(bar: Any, key: str, state: State) -> Bar:
    facts = bar.format_dict
    scale = facts["unit_scale"]
    factor = float(scale) if isinstance(scale, int | float) and not isinstance(scale, bool) and scale > 1 else 1.0
    total = _number(facts["total"])
    rate = _number(facts["rate"])
    return Bar(
        key,
        state,
        (_number(facts["n"]) or 0.0) * factor,
        total * factor if total else None,
        float(facts["elapsed"]),
        rate * factor if rate is not None else None,
        str(facts["prefix"] or "").rstrip(": "),
        str(facts["unit"]),
        str(facts["postfix"] or ""),
        bool(scale),
        float(facts["unit_divisor"]),
    )


def _state_of(bar: Any, otherwise: State) -> State:
    """``done`` when it has come to its end; one without a total has whenever it is closed."""
    total, n = _number(bar.total), _number(bar.n) or 0.0
    return "done" if (not total and otherwise != "failed") or (total and n >= total) else otherwise


def _number(value: object) -> float | None:
    try:
        return None if value is None else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _site() -> str:
    """Where in the code the bar that is shown for the first time stands: the same on every node that runs it."""
    frame: Any = sys._getframe(1)
    while frame is not None and _inside(frame.f_code):
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame is not None else ""


def _inside(code: CodeType) -> bool:
    name = code.co_filename
    return name in _OURS or os.path.basename(os.path.dirname(name)) == "tqdm" or name.endswith("/contextlib.py")
