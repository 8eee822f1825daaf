"""What a node shows of itself: its view, its log, and the events of its start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from skyward_jupyter.actors.boot import Boot
from skyward_jupyter.actors.desk import NodeState, NodeView, at_now, boot_of
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.events import LogLine, NodePhase, NodeStarting

#: Least seconds between two views of a node's work.
PUBLISH_EVERY = 0.05
#: With more nodes only the steps of their starts are shown, not what those write.
_TALKATIVE = 32


class Shown:
    """One node as others see it, from its start on.

    Parameters
    ----------
    running
        Says how many tasks it runs.

    Attributes
    ----------
    view
        As of now, but for tasks that came or ended a moment ago.
    """

    def __init__(self, hub: Hub, rank: int, running: Callable[[], int]) -> None:
        self._hub = hub
        self._rank = rank
        self._running = running
        self._publishing: asyncio.TimerHandle | None = None
        address, boot = hub.fleet.address(rank), Boot(since=time.time())
        self.view = NodeView(rank, NodeState.WAITING, "starting", address, 0, hub.spec.concurrency, _boot=boot)
        self._show(self.view)
        hub.events.emit(NodeStarting, rank, address)

    def phase(self, phase: str, pid: int) -> None:
        """It has got to a step of its start."""
        # Which machine it is on is not known from the start.
        address = self.view.address or self._hub.fleet.address(self._rank)
        boot, lacks = boot_of(self.view).step(phase), "" if pid else self.view.lacks
        self._show(replace(self.view, phase=phase, pid=pid or self.view.pid, address=address, _boot=boot, lacks=lacks))
        self._tell(phase)

    def wrote(self, text: str) -> None:
        """A step of its start wrote a line."""
        self._log(text)
        self._hub.events.emit(LogLine, self._rank, 0, "node", f"{text}\n")
        if len(self._hub.desk.nodes) <= _TALKATIVE:
            self._show(replace(self.view, _boot=boot_of(self.view).line(text)))

    def reach(self, why: str) -> bool:
        """Its link is broken, for this reason, or mended when there is none; returns whether that was not known."""
        if why == self.view.link or self.view.state is NodeState.LOST:
            return False
        view = replace(self.view, link=why)
        if why and self.view.link:
            # Another reason why it is not reachable yet: since when is what it was.
            self._show(view)
            return False
        what = at_now(view) if why else "reachable again"
        self._show(replace(view, _boot=boot_of(view).step(what)))
        self._tell(what)
        return True

    def lack(self, why: str) -> None:
        """Say what keeps it, or slots of it, from starting, or that nothing does any more."""
        if why == self.view.lacks or self.view.state is NodeState.LOST:
            return
        step = why or "has all its slots again"
        self._show(replace(self.view, lacks=why, _boot=boot_of(self.view).step(step)))
        self._tell(step)

    def ready(self) -> None:
        """It takes tasks."""
        boot, address = boot_of(self.view).step("ready"), self._hub.fleet.address(self._rank)
        self._show(replace(self.view, state=NodeState.IDLE, phase="ready", address=address, _boot=boot))

    def work(self) -> None:
        """Show what it is doing, shortly: many tasks may come and go meanwhile.

        That it has nothing to do any more is shown at once, as whoever waited for it may look next.
        """
        if self.view.state is NodeState.ACTIVE and not self._running():
            self._publish()
        elif self._publishing is None:
            self._publishing = asyncio.get_running_loop().call_later(PUBLISH_EVERY, self._publish)

    def lost(self, why: str) -> None:
        """It is gone; nothing more is shown of it."""
        self._unpublish()
        boot = boot_of(self.view).step(f"gone: {why}")
        self._log(f"gone: {why}")
        self._show(replace(self.view, state=NodeState.LOST, phase=why, running=0, _boot=boot, link=""))

    def _publish(self) -> None:
        self._unpublish()
        if self.view.state in (NodeState.WAITING, NodeState.LOST):
            return
        running = self._running()
        state = NodeState.ACTIVE if running else NodeState.IDLE
        done = self._hub.desk.tallies.of(self._rank).ended
        if (state, running, done) != (self.view.state, self.view.running, self.view.done):
            self._show(replace(self.view, state=state, running=running, done=done))

    def _unpublish(self) -> None:
        if self._publishing is not None:
            self._publishing.cancel()
            self._publishing = None

    def _show(self, view: NodeView) -> None:
        self.view = view
        self._hub.show(view)

    def _tell(self, phase: str) -> None:
        self._log(phase)
        self._hub.events.emit(NodePhase, self._rank, phase)

    def _log(self, text: str) -> None:
        self._hub.desk.tails[self._rank].add("node", f"{text}\n")
