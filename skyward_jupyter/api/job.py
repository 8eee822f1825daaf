"""A job as its executor has it: the call, pickled already, and the future of it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import pickle
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from skyward_jupyter.api.callbacks import Callback
from skyward_jupyter.api.echo import Echo
from skyward_jupyter.api.future import PoolFuture
from skyward_jupyter.errors import NodeLost, RemoteError, RemoteExit, SlotDied
from skyward_jupyter.wire.blobs import Blob
from skyward_jupyter.wire.envelope import Packed, sealed
from skyward_jupyter.wire.events import TaskEvent

log = logging.getLogger("skyward")


class JobFuture[T](PoolFuture[T]):
    """The future of a job: as `PoolFuture`, and it knows whether the job is on a node.

    Parameters
    ----------
    withdraw
        Called with this future when nobody waits for its job any more.
    call
        Calls a done-callback, which is given with this future, somewhere where it holds up no job.
    name
        What its function is called.

    Attributes
    ----------
    placed, node
        Whether a node has its job, and which one had it last.
    """

    def __init__(
        self,
        withdraw: Callable[[JobFuture[Any]], None],
        call: Callable[[Callback, concurrent.futures.Future[Any]], None],
        name: str = "",
    ) -> None:
        super().__init__(withdraw)
        self.placed = False
        self.node = -1
        self._name = name
        self._call = call

    def __await__(self) -> Generator[Any, None, T]:
        try:
            return (yield from super().__await__())
        except RemoteExit as error:  # which would end the event loop that this is awaited on
            _, _, text = str(error).partition(": ")
            raise RemoteError("SystemExit", text, error.node) from error

    def add_done_callback(self, fn: Callable[[concurrent.futures.Future[T]], object]) -> None:
        """Call ``fn(future)`` once it is done, or now if it is; in a thread where it may block."""
        call = self._call
        super().add_done_callback(lambda future: call(fn, future))

    def _waits_for(self) -> str:
        """For what it waits now, in words."""
        if self.done():
            return ""
        name = self._name or "a job"
        return f"node {self.node}: running {name}" if self.placed else f"a free slot for {name}"

    def running(self) -> bool:
        """Whether a node has it."""
        return self.placed and not self.done()


@dataclass(slots=True, eq=False)
class Item:
    """A call to make, packed already, and the future that waits for it.

    Attributes
    ----------
    blobs
        Its large parts.
    most
        How many jobs of its executor one process runs; 0 for any number.
    name
        What its function is called.
    """

    call: Packed
    future: JobFuture[Any]
    blobs: tuple[Blob, ...] = ()
    most: int = 0
    timeout: float = 0.0
    keep: Callable[[int, bool, int], str] | None = None
    echo: Echo = field(default_factory=Echo)
    name: str = ""

    def body(self) -> bytes:
        """What is sent to a node."""
        return sealed(pickle.dumps(self.call, 5))

    def params(self, rank: int, head: bool, nodes: int) -> dict[str, str]:
        """How it is to run there."""
        kept = self.keep(rank, head, nodes) if self.keep is not None else ""
        output = {"": "all", "stdout,stderr": "all"}.get(kept, kept)
        worn = {"executor": self.call.executor, "tasks": str(self.most)} if self.most else {}
        return {"timeout": f"{self.timeout:g}", "output": output, **worn}

    def show(self, event: TaskEvent) -> None:
        """Show what the job wrote; where that cannot be shown, the job goes on."""
        try:
            self.echo(event)
        except Exception:
            log.exception("output of node %d could not be shown", event.node)

    def finish(self, rank: int) -> None:
        """Show the last line it left unfinished."""
        try:
            self.echo.finish(rank)
        except Exception:
            log.exception("output of node %d could not be shown", rank)

    def give(self, value: object, error: BaseException | None) -> None:
        """End its future, unless that was cancelled at this very moment."""
        if isinstance(error, NodeLost | SlotDied) and self.name:
            error.add_note(f"the call was {self.name}(...)")
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            self.future.set_exception(error) if error is not None else self.future.set_result(value)
