"""The views of a pool outside a notebook, and which one a pool gets."""

from __future__ import annotations

import threading
import time

from skyward_jupyter.actors.source import OVER, Delta, PanelSource, Snapshot
from skyward_jupyter.terminal.mode import Mode, terminal
from skyward_jupyter.terminal.painter import painter
from skyward_jupyter.terminal.teller import Teller, to_stderr

#: The longest a display of a pool waits for its numbers (seconds).
MEASURED_WITHIN = 1.0


def attach(source: PanelSource, mode: Mode) -> None:
    """Show a pool from its start to its end as `mode` says, where this process is no kernel."""
    if mode == "off":
        return
    stream = terminal(mode)
    if stream is not None:
        painter(stream).follow(source)
    else:
        Teller(to_stderr, everything=mode == "lines").follow(source)


class Glance:
    """One look at a pool: its state, with the numbers if they come in time."""

    def __init__(self, source: PanelSource) -> None:
        self.snapshot = source.snapshot()
        self.numbers: Delta | None = None
        self.at = time.time()
        self._seen = threading.Event()
        if self.snapshot["state"] not in OVER:
            self._look(source)

    def _look(self, source: PanelSource) -> None:
        detach = source.attach(self)
        source.visible(self, True)
        self._seen.wait(MEASURED_WITHIN)
        detach()

    def show(self, snapshot: Snapshot) -> None:
        """Take the state that the numbers belong to."""
        if not self._seen.is_set():
            self.snapshot = snapshot

    def delta(self, delta: Delta) -> None:
        """Take the numbers."""
        if not self._seen.is_set():
            self.numbers = delta
            self._seen.set()

    def refuse(self, sentence: str) -> None:
        """Nothing is asked for here."""

    def close(self, snapshot: Snapshot) -> None:
        """The pool ended just now."""
        self.snapshot = snapshot
        self._seen.set()


def described(source: PanelSource) -> str:
    """A pool as text that fits the terminal: what a prompt shows of it. Not for the runtime's loop, which it needs."""
    from skyward_jupyter.terminal.table import listing

    glance = Glance(source)
    return listing(glance.snapshot, glance.numbers, glance.at)
