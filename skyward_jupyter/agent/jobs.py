"""The jobs of a node: tasks that came over HTTP, from their submission until their result is fetched or has expired.

A job is known by its id, which its sender may choose: sent twice it runs once, also after its result is gone. A
result stays for `KEEP` seconds, or `KEEP_FETCHED` once it was fetched; while too much is kept, new jobs are refused
and nothing that was not fetched is dropped.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from skyward_jupyter.agent import jobcall
from skyward_jupyter.agent.client import Follower
from skyward_jupyter.agent.failure import Failed
from skyward_jupyter.agent.job import Job, State, event_as_json
from skyward_jupyter.wire.blobs import Blob, BlobStore
from skyward_jupyter.wire.codec import digest
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.messages import Code, Control, Task

#: The name under which the agent knows the jobs' tasks.
CLIENT = "http"
#: Seconds a result is kept, and how long once it was fetched.
KEEP = 3600.0
KEEP_FETCHED = 300.0
#: Seconds in which something must come of a job whose blobs are kept.
PATIENCE = 120.0
#: Jobs known at a time, bytes of results kept, bytes of output kept, and ids remembered of jobs that are gone.
MOST = 10_000
RESULT_BYTES = 2**30
LOG_BYTES = 64 * 2**20
_REMEMBERED = 100_000

log = logging.getLogger("skyward")


@dataclass(slots=True)
class _Expected:
    """The blobs that are kept for a job; until it has come, with what gives it up."""

    blobs: tuple[str, ...]
    timer: asyncio.TimerHandle | None = None

    def wait(self, timer: asyncio.TimerHandle | None) -> None:
        """Have another timer, or none."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = timer


class Full(Exception):
    """The node keeps as much as it may; the message says what to do."""


class Conflict(Exception):
    """An id that stands for another job."""


class Gone(Exception):
    """An id of a job that was known and is not kept any more; the message says why."""


class Host(Protocol):
    """What jobs need of their agent."""

    store: BlobStore

    def follow(self, client: str, follower: Follower) -> None:
        """Have a client's tasks heard."""
        ...

    def learn(self, code: Code) -> None:
        """Keep a function."""
        ...

    def submit(self, client: str, task: Task) -> None:
        """Queue a task."""
        ...

    def control(self, client: str, control: Control) -> None:
        """Do something to a task."""
        ...


class Jobs:
    """The table of a node's jobs. Used on the agent's loop."""

    def __init__(self, agent: Host, rank: int) -> None:
        self._agent = agent
        self._by_id: dict[str, Job] = {}
        self._by_task: dict[int, Job] = {}
        self._gone: dict[str, str] = {}
        self._expected: dict[str, _Expected] = {}
        self._numbers = itertools.count(1)
        self._directory = agent.store.directory / f"jobs-{rank}"
        body = jobcall.packed_run()
        self._code = Code(digest(body), body)
        self.result_bytes = 0
        self.dropped = 0
        self._log_bytes = 0
        # A node that had this rank before may have left some.
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(mode=0o700, parents=True)
        agent.follow(CLIENT, self)

    # -- what callers ask ----------------------------------------------------------------------------------------

    def new_body(self) -> Path:
        """A file for a body that comes."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # a cleaner of files may have had it
        return self._directory / f"{next(self._numbers)}.body"

    def make_room(self) -> None:
        """Drop fetched results, oldest first, until another job may come.

        Raises
        ------
        Full
            What is left was not fetched yet.
        """
        for job in [job for job in self._by_id.values() if job.fetched]:
            if not self._full():
                return
            self._remove(job, "its result was fetched, and the node needed the room")
        if self._full():
            raise Full(
                f"the node keeps {len(self._by_id)} jobs and {self.result_bytes / 2**20:.0f} MB of results that nobody "
                "has fetched; fetch or delete some, or wait until they expire"
            )

    def submit(
        self, name: str, body: Path, body_digest: str, timeout: float, flags: str, owner: str = "", most: int = 0
    ) -> tuple[Job, bool]:
        """Queue a job whose body has come and was checked; one that is known is returned as it is.

        Raises
        ------
        Conflict
            The id is that of another job.
        Gone
            It ran before and its result is gone.
        """
        known = self._by_id.get(name)
        if known is not None:
            if known.digest != body_digest:
                raise Conflict(f"job {name!r} has another body; use a new id for a new job")
            return known, False
        if name in self._gone:
            raise Gone(f"job {name!r} ran before: {self._gone[name]}; use a new id to run it again")
        result = body.with_suffix(".result")
        number = int(body.stem)
        args = jobcall.packed_args(body, result)
        task = Task(number, self._code.digest, args, timeout=timeout, flags=flags, owner=owner, most=most)
        job = Job(name, task, body_digest, body, result)
        self._by_id[name] = self._by_task[number] = job
        if name in self._expected:
            self._expected[name].wait(None)
        self._changed(job, State.QUEUED)
        self._send(job)
        return job, True

    def get(self, name: str) -> Job:
        """The job of an id.

        Raises
        ------
        Gone
            It was known.
        KeyError
            It never was.
        """
        if name in self._gone:
            raise Gone(f"job {name!r} is not kept any more: {self._gone[name]}")
        return self._by_id[name]

    def all(self) -> list[Job]:
        """Every job, oldest first."""
        return list(self._by_id.values())

    def counts(self) -> dict[State, int]:
        """How many jobs are in each state."""
        found = dict.fromkeys(State, 0)
        for job in self._by_id.values():
            found[job.state] += 1
        return found

    def cancel(self, job: Job) -> None:
        """Interrupt a job; what ignores that loses its slot a few seconds later."""
        if not job.state.ended:
            job.stopping = True
            self._agent.control(CLIENT, Control(job.task.id, "interrupt"))

    def discard(self, job: Job) -> None:
        """Cancel a job if it runs, and keep nothing of it."""
        job.unwanted = True
        if job.state.ended:
            self._remove(job, "it was deleted")
        else:
            self.cancel(job)

    def fetched(self, job: Job) -> None:
        """Its result has reached whoever asked: it stays a little longer, should they ask again."""
        if not job.fetched:
            job.fetched = True
            self._expire_in(job, KEEP_FETCHED)

    def expect(self, name: str, blobs: list[str]) -> list[str]:
        """Keep blobs for a job that is to come; those that are not here yet are returned, to be sent.

        They are kept until the job has ended, or for `PATIENCE` seconds in which nothing of it comes.
        """
        if name not in self._expected and name not in self._by_id and name not in self._gone:
            for blob in blobs:
                self._agent.store.pin(blob)
            self._expected[name] = _Expected(tuple(blobs))
        self._expect_longer(name)
        return [blob for blob in blobs if not self._agent.store.has(blob)]

    @property
    def store(self) -> BlobStore:
        """Where blobs are kept."""
        return self._agent.store

    def new_blob(self, name: str) -> str:
        """A name under which a blob arrives."""
        return f"{name}-{next(self._numbers)}"

    def arrived(self, name: str, arriving: str, blob: Blob) -> None:
        """A blob of a job that is to come has arrived whole, under a name of its own."""
        self._agent.store.adopt(arriving, blob)
        self._expect_longer(name)

    def _expect_longer(self, name: str) -> None:
        expected = self._expected.get(name)
        if expected is not None and name not in self._by_id:
            expected.wait(asyncio.get_running_loop().call_later(PATIENCE, self._expect_no_more, name))

    def _expect_no_more(self, name: str) -> None:
        expected = self._expected.pop(name, None)
        if expected is not None:
            expected.wait(None)
            for blob in expected.blobs:
                self._agent.store.unpin(blob)

    # -- what the agent tells ------------------------------------------------------------------------------------

    def began(self, task: int) -> None:
        """A slot has a job."""
        job = self._by_task.get(task)
        if job is not None:
            job.started = time.time()
            self._changed(job, State.RUNNING)

    def heard(self, task: int, kind: Kind, body: bytes, seconds: float) -> None:
        """A job said something, or ended."""
        job = self._by_task.get(task)
        if job is None:
            return
        match kind:
            case Kind.CODE:
                self._send(job)
            case Kind.VALUE:
                self._returned(job, seconds)
            case Kind.ERROR:
                self._failed(job, body, seconds)
            case Kind.OUTPUT | Kind.DISPLAY | Kind.CLEAR:
                self._say(job, kind, body)
            case _:
                return

    # -- steps ---------------------------------------------------------------------------------------------------

    def _send(self, job: Job) -> None:
        self._agent.learn(self._code)
        self._agent.submit(CLIENT, job.task)

    def _returned(self, job: Job, seconds: float) -> None:
        try:
            job.size = job.result.stat().st_size
        except OSError as error:
            job.failed = Failed("raised", "OSError", f"the result is gone: {error.strerror}")
            self._end(job, State.FAILED, seconds)
            return
        self.result_bytes += job.size
        self._end(job, State.DONE, seconds)

    def _failed(self, job: Job, body: bytes, seconds: float) -> None:
        try:
            job.failed = Failed.from_bytes(body, self._agent.store.take)
        except Exception:
            log.exception("the error of job %s could not be read", job.id)
            job.failed = Failed("raised", "Exception", "(its error could not be read)")
        stopped = job.failed.how in ("interrupted", "killed")
        self._end(job, State.CANCELLED if job.stopping and stopped else State.FAILED, seconds)

    def _end(self, job: Job, state: State, seconds: float) -> None:
        job.seconds, job.ended = seconds, time.time()
        job.body.unlink(missing_ok=True)
        if state is not State.DONE:
            self._drop_partial(job)
        self._expect_no_more(job.id)
        self._expire_in(job, KEEP)
        self._changed(job, state)
        job.log.close()
        if job.unwanted:
            self._remove(job, "it was deleted")

    def _say(self, job: Job, kind: Kind, body: bytes) -> None:
        size, dropped = job.log.size, job.log.dropped
        job.log.add(kind.name.lower(), event_as_json(kind, body, self._agent.store))
        self._log_bytes += job.log.size - size
        self.dropped += job.log.dropped - dropped
        if self._log_bytes > LOG_BYTES:
            self._bound_logs()

    def _bound_logs(self) -> None:
        """Halve the output of all jobs together: what the oldest jobs said goes first."""
        for job in self._by_id.values():
            if self._log_bytes <= LOG_BYTES // 2:
                return
            self._log_bytes -= job.log.size
            self.dropped += job.log.size
            job.log.shrink(0)

    def _changed(self, job: Job, state: State) -> None:
        job.state = state
        told: dict[str, object] = {"state": state, "time": time.time()}
        if state.ended:
            told["seconds"] = job.seconds
        job.log.add("state", json.dumps(told).encode())

    def _expire_in(self, job: Job, seconds: float) -> None:
        if job.timer is not None:
            job.timer.cancel()
        job.expires = time.time() + seconds
        why = "its result expired" if not job.fetched else "its result was fetched and then expired"
        job.timer = asyncio.get_running_loop().call_later(seconds, self._remove, job, why)

    def _remove(self, job: Job, why: str) -> None:
        if self._by_id.pop(job.id, None) is None:
            return
        self._by_task.pop(job.task.id, None)
        if job.timer is not None:
            job.timer.cancel()
        job.result.unlink(missing_ok=True)
        self.result_bytes -= job.size
        self._log_bytes -= job.log.size
        self._gone[job.id] = why
        while len(self._gone) > _REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def _drop_partial(self, job: Job) -> None:
        """Remove what a slot that ended in the middle of writing a result left."""
        for path in self._directory.glob(f"{job.result.name}*"):
            path.unlink(missing_ok=True)

    def _full(self) -> bool:
        return len(self._by_id) >= MOST or self.result_bytes >= RESULT_BYTES
