"""The routes of a node's HTTP API. What they take and give is described by `skyward_jupyter.agent.http_openapi`.

Every refusal is JSON after RFC 9457, with a sentence that says what to do. Nothing of a job is unpickled here.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import math
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from skyward_jupyter.agent.http_body import received, received_blob, told
from skyward_jupyter.agent.http_guard import Guard, problem
from skyward_jupyter.agent.http_metrics import Measured
from skyward_jupyter.agent.http_openapi import description
from skyward_jupyter.agent.job import Job, State, describe_failure, packed_failure
from skyward_jupyter.agent.jobs import Full, Gone, Jobs
from skyward_jupyter.wire import envelope

if TYPE_CHECKING:
    from skyward_jupyter.agent.node import Agent

#: Seconds a request may wait for a job's end, and an event stream be silent.
WAIT_LIMIT = 60.0
_SILENCE = 15.0
_PIECE = 2**20
#: Bytes of the names of a job's blobs.
_BLOBS = 4 * 2**20
_BLOB = re.compile(r"[0-9a-f]{32}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_OUTPUTS = {"all": "", "stdout": "stdout", "stderr": "stderr", "none": "none"}

log = logging.getLogger("skyward")


def application(agent: Agent, jobs: Jobs, token: str) -> Starlette:
    """The API as an ASGI application."""
    api = _Api(agent, jobs)
    routes = [
        _route("GET", "/health", api.health),
        _route("GET", "/metrics", api.metrics),
        _route("GET", "/openapi.json", api.openapi),
        _route("POST", "/v1/jobs", api.submit),
        _route("GET", "/v1/jobs", api.list),
        _route("POST", "/v1/jobs/{id}/blobs", api.expect),
        _route("PUT", "/v1/jobs/{id}/blobs/{name}", api.blob),
        _route("GET", "/v1/jobs/{id}", api.show),
        _route("DELETE", "/v1/jobs/{id}", api.delete),
        _route("GET", "/v1/jobs/{id}/result", api.result),
        _route("POST", "/v1/jobs/{id}/cancel", api.cancel),
        _route("GET", "/v1/jobs/{id}/events", api.events),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, token=token, instance=uuid.uuid4().hex)],
        exception_handlers={HTTPException: _refused, Exception: _failed},
    )


def _route(method: str, path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    made = Route(path, endpoint, methods=[method])
    made.methods = {method}  # no HEAD beside GET: it would count as fetching a result
    return made


class _Api:
    """What each route does."""

    def __init__(self, agent: Agent, jobs: Jobs) -> None:
        self._jobs = jobs
        self._node = agent.config.rank
        self._measured = Measured(agent, jobs)

    async def health(self, request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def metrics(self, request: Request) -> Response:
        return Response(await self._measured.text(), media_type=CONTENT_TYPE_LATEST)

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(description(envelope.LIMIT, WAIT_LIMIT))

    async def submit(self, request: Request) -> Response:
        name = _checked_id(request.headers.get("idempotency-key"))
        timeout = _seconds(request, "timeout", math.inf)
        flags = _flags(request)
        owner, most = request.query_params.get("executor", ""), _count(request, "tasks")
        try:
            self._jobs.make_room()
        except Full as error:
            raise HTTPException(HTTPStatus.INSUFFICIENT_STORAGE, str(error)) from None
        body = self._jobs.new_body()
        try:
            digest = await received(request, body)
            job, new = self._jobs.submit(name, body, digest, timeout, flags, owner, most)
        except BaseException as error:
            body.unlink(missing_ok=True)
            raise told(error) from None
        if not new:
            body.unlink(missing_ok=True)
        status = HTTPStatus.CREATED if new else HTTPStatus.OK
        return self._described(job, status, {"Location": f"/v1/jobs/{job.id}"})

    async def expect(self, request: Request) -> Response:
        name = _checked_id(request.path_params["id"])
        blobs = await _named_blobs(request)
        return JSONResponse({"missing": self._jobs.expect(name, blobs)})

    async def blob(self, request: Request) -> Response:
        name, blob = _checked_id(request.path_params["id"]), request.path_params["name"]
        if not _BLOB.fullmatch(blob):
            raise HTTPException(HTTPStatus.BAD_REQUEST, "a blob is named by the XXH3 of its content, 32 hex digits")
        store, arriving = self._jobs.store, self._jobs.new_blob(blob)
        try:
            self._jobs.arrived(name, arriving, await received_blob(request, store, arriving, blob))
        except BaseException as error:
            store.give_up(arriving)
            raise told(error) from None
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def list(self, request: Request) -> Response:
        return JSONResponse({"jobs": [self._about(job) for job in self._jobs.all()]})

    async def show(self, request: Request) -> Response:
        return self._described(self._job(request))

    async def delete(self, request: Request) -> Response:
        self._jobs.discard(self._job(request))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def cancel(self, request: Request) -> Response:
        job = self._job(request)
        self._jobs.cancel(job)
        return self._described(job, HTTPStatus.OK if job.state.ended else HTTPStatus.ACCEPTED)

    async def result(self, request: Request) -> Response:
        job = self._job(request)
        await _ended(job, min(_seconds(request, "wait", WAIT_LIMIT), WAIT_LIMIT))
        if not job.state.ended:
            return self._described(job, HTTPStatus.ACCEPTED)
        if job.state is not State.DONE:
            return self._failure(job)
        try:
            pieces = _pieces(job.result, lambda: self._jobs.fetched(job))
        except OSError as error:
            raise HTTPException(HTTPStatus.GONE, f"the result of job {job.id!r} is gone: {error.strerror}") from None
        headers = {"Content-Length": str(job.size), "Skyward-Seconds": f"{job.seconds:.6f}"}
        return StreamingResponse(pieces, headers=headers, media_type="application/octet-stream")

    async def events(self, request: Request) -> Response:
        job = self._job(request)
        seen = _last_seen(request)
        if job.log.closed and seen >= job.log.last:
            return Response(status_code=HTTPStatus.NO_CONTENT)  # tells a browser's EventSource to stop
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(_stream(job, seen), headers=headers, media_type="text/event-stream")

    def _job(self, request: Request) -> Job:
        name = request.path_params["id"]
        try:
            return self._jobs.get(name)
        except Gone as error:
            raise HTTPException(HTTPStatus.GONE, str(error)) from None
        except KeyError:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"node {self._node} has no job {name!r}") from None

    def _about(self, job: Job) -> dict[str, object]:
        return {**job.describe(), "node": self._node}

    def _described(
        self, job: Job, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
    ) -> JSONResponse:
        return JSONResponse(self._about(job), status, headers)

    def _failure(self, job: Job) -> Response:
        assert job.failed is not None
        packed = base64.b64encode(packed_failure(job.failed)).decode()
        response = problem(
            HTTPStatus.CONFLICT,
            f"job {job.id!r} has no result: it was {job.state}",
            state=job.state,
            node=self._node,
            error=describe_failure(job.failed),
            failure=packed,
        )
        self._jobs.fetched(job)
        return response


# -- steps -----------------------------------------------------------------------------------------------------------


async def _ended(job: Job, within: float) -> None:
    """Wait until a job has ended, for so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            while not job.state.ended:
                await job.log.news().wait()


def _pieces(path: Path, done: Callable[[], None]) -> AsyncIterator[bytes]:
    """A file in pieces; `done` is called when the last one was taken. What deletes the file does not stop it."""
    file = path.open("rb", buffering=0)

    async def read() -> AsyncIterator[bytes]:
        with file:
            while piece := file.read(_PIECE):
                yield piece
        done()

    return read()


async def _stream(job: Job, seen: int) -> AsyncIterator[bytes]:
    """A job's events after number `seen`, in the format of server-sent events."""
    while True:
        news = job.log.news()
        entries, gap = job.log.after(seen)
        if gap and seen < job.log.last:
            yield b'event: dropped\ndata: {"bytes": %d}\n\n' % job.log.dropped
        for entry in entries:
            yield b"id: %d\nevent: %s\ndata: %s\n\n" % (entry.seq, entry.name.encode(), entry.data)
        if entries:
            seen = entries[-1].seq
        elif job.log.closed:
            return
        else:
            try:
                async with asyncio.timeout(_SILENCE):
                    await news.wait()
            except TimeoutError:
                yield b": nothing new\n\n"


async def _named_blobs(request: Request) -> list[str]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _BLOBS:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {_BLOBS} bytes of names at a time")
    try:
        blobs = json.loads(body)["blobs"]
        if all(_BLOB.fullmatch(blob) for blob in blobs):
            return [*blobs]
    except (ValueError, KeyError, TypeError):
        pass
    raise HTTPException(HTTPStatus.BAD_REQUEST, 'the body is JSON, {"blobs": [NAME, ...]}; a name has 32 hex digits')


def _checked_id(given: str | None) -> str:
    if given is None:
        return uuid.uuid4().hex
    if not _ID.fullmatch(given):
        text = "an Idempotency-Key has up to 100 letters, digits, `_`, `.` and `-`, a letter or digit first"
        raise HTTPException(HTTPStatus.BAD_REQUEST, text)
    return given


def _seconds(request: Request, name: str, most: float) -> float:
    given = request.query_params.get(name, "0")
    try:
        seconds = float(given)
        if not 0 <= seconds <= most or math.isnan(seconds) or math.isinf(seconds):
            raise ValueError
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"{name}={given!r} is no number of seconds from 0 on") from None
    return seconds


def _count(request: Request, name: str) -> int:
    given = request.query_params.get(name, "0")
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"{name}={given!r} is no whole number from 0 on")
    return int(given)


def _flags(request: Request) -> str:
    given = request.query_params.get("output", "all")
    if given not in _OUTPUTS:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"output={given!r} is none of {', '.join(_OUTPUTS)}")
    return _OUTPUTS[given]


def _last_seen(request: Request) -> int:
    given = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"Last-Event-ID is {given!r}, not a number that an event had")
    return int(given)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = error.detail
    if detail == status.phrase:  # of the framework itself: no such route, or not with this method
        detail = f"there is no {request.method} {request.url.path}; /openapi.json tells what there is"
    headers = dict(error.headers) if error.headers else None
    return problem(status, detail, headers)


async def _failed(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    text = f"the node could not answer ({type(error).__name__}); it goes on, ask again"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, text)
