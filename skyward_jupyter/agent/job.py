"""One job of a node: where it stands, what it said, how it ended, and all of that as JSON."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from skyward_jupyter.agent.failure import Failed
from skyward_jupyter.agent.joblog import JobLog
from skyward_jupyter.wire.blobs import BlobStore
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.messages import Task
from skyward_jupyter.wire.parts import Malformed
from skyward_jupyter.wire.said import clear_in, display_in, text_in

log = logging.getLogger("skyward")


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing follows."""
        return self not in (State.QUEUED, State.RUNNING)


@dataclass(slots=True, eq=False)
class Job:
    """One job. Times are in seconds since 1970; `expires` is set once it has ended."""

    id: str
    task: Task
    digest: str
    body: Path
    result: Path
    state: State = State.QUEUED
    submitted: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    expires: float | None = None
    seconds: float = 0.0
    size: int = 0
    failed: Failed | None = None
    stopping: bool = False
    fetched: bool = False
    unwanted: bool = False
    log: JobLog = field(default_factory=JobLog)
    timer: asyncio.TimerHandle | None = None

    def describe(self) -> dict[str, object]:
        """The job as JSON has it."""
        return {
            "id": self.id,
            "state": self.state,
            "submitted": self.submitted,
            "started": self.started,
            "ended": self.ended,
            "seconds": self.seconds if self.state.ended else None,
            "result_bytes": self.size if self.state is State.DONE else None,
            "error": describe_failure(self.failed) if self.failed is not None else None,
            "events": self.log.last,
            "dropped_bytes": self.log.dropped,
            "expires": self.expires,
        }


def describe_failure(failed: Failed) -> dict[str, object]:
    """A failure as JSON has it."""
    return {"how": failed.how, "type": failed.type_name, "text": failed.text, "traceback": failed.formatted}


def packed_failure(failed: Failed) -> bytes:
    """A failure for a Python that can rebuild the exception."""
    return failed.to_bytes(None)


def event_as_json(kind: Kind, body: bytes, store: BlobStore) -> bytes:
    """What a slot sent while it ran, as JSON: text, a display, or that it was cleared."""
    try:
        told = _told(kind, body, store)
    except (Malformed, OSError) as error:
        log.error("what a job says cannot be told: %s", error)
        told = {"data": {"text/plain": "(a display that cannot be read)"}, "metadata": {}, "update": False}
    return json.dumps(told, default=_as_jupyter_has_it).encode()


def _told(kind: Kind, body: bytes, store: BlobStore) -> dict[str, object]:
    match kind:
        case Kind.OUTPUT:
            stream, text = text_in(body)
            return {"stream": stream, "text": text}
        case Kind.CLEAR:
            return {"wait": clear_in(body)}
        case _:
            data, metadata, _, update = display_in(body, store.take)
            return {"data": data, "metadata": metadata, "update": update}


def _as_jupyter_has_it(content: bytes) -> str:
    return base64.b64encode(content).decode()
