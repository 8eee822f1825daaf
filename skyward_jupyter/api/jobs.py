"""A node's HTTP API as an executor uses it: send a job, follow it, fetch its result.

Requests that break are sent again: a node knows a job by its id, so it runs once. Should another process have taken
the node's place meanwhile, what was sent to the old one counts as lost.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from skyward_jupyter.actors.results import error_of
from skyward_jupyter.agent.failure import Failed
from skyward_jupyter.errors import NodeLost, NotLoaded, RemoteError, RemoteExit, ResultNotPicklable, TaskFailed
from skyward_jupyter.wire.blobs import Blob
from skyward_jupyter.wire.codec import loads
from skyward_jupyter.wire.events import Clear, Display, Output, TaskEvent
from skyward_jupyter.wire.parts import Malformed

log = logging.getLogger("skyward")
#: Seconds a node may be out of reach, and between two tries.
PATIENCE = 10.0
_RETRY = 0.05
#: Bytes of a result that is not left to expire.
_MUCH = 2**20
#: Bytes of a large part that are sent at a time.
_PIECE = 2**20
#: A silent event stream says so every 15 seconds.
_TIMEOUT = httpx.Timeout(45.0, connect=5.0, pool=None)
#: Modules whose exceptions that are no `Exception` mean something here: an interrupt, a cancelled task.
_KNOWN = ("builtins", "asyncio.exceptions")


class NotBegun(Exception):
    """The node never had the job: it may run elsewhere."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The large parts of a job that its node may have to be sent, and what opens them."""

    blobs: tuple[Blob, ...]
    open: Callable[[Blob], memoryview]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended: what it returned, or what it raised."""

    value: object = None
    error: BaseException | None = None


def client(token: str) -> httpx.AsyncClient:
    """What requests go through, for all nodes of a pool."""
    return httpx.AsyncClient(
        headers={"Authorization": f"Bearer {token}"},
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
        timeout=_TIMEOUT,
        trust_env=False,  # a proxy of the environment is none for loopback
    )


class NodeJobs:
    """The jobs of one node.

    Parameters
    ----------
    instances
        The processes that are the nodes, by URL, as far as they are known: filled here.
    alive
        Whether the pool still counts on the node: one that it gave up is not waited for.
    sending
        Who brings large parts to a node, by URL: one job at a time, so that it gets each once.

    Attributes
    ----------
    keeps_much
        Whether it keeps a large result, which was fetched, and would for some minutes.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        instances: dict[str, str],
        rank: int,
        url: str,
        alive: Callable[[], bool],
        sending: MutableMapping[str, asyncio.Lock],
    ) -> None:
        self.rank = rank
        self.keeps_much = False
        self._http = http
        self._instances = instances
        self._url = url
        self._alive = alive
        self._sending = sending

    async def run(
        self, name: str, body: bytes, params: dict[str, str], show: Callable[[TaskEvent], None], parts: Parts
    ) -> Ended:
        """Run a job to its end. `show` gets its output; the node is sent those of `parts` that it lacks.

        Raises
        ------
        NotBegun
            The node is gone, and the job never reached it.
        NodeLost
            The node is gone, and the job with it.
        """
        if parts.blobs:
            await self._supply(name, parts)
        instance = await self._submit(name, body, params)
        pinned = {"Skyward-Instance": instance}
        await self._follow(name, pinned, show)
        response = await self._asked("GET", f"/v1/jobs/{name}/result", headers=pinned)
        if response.status_code == HTTPStatus.OK:
            self.keeps_much = len(response.content) > _MUCH
            return Ended(self._loaded(response.content))
        if response.status_code == HTTPStatus.CONFLICT:
            return Ended(error=_raised(self._failure(response), self.rank))
        raise self._refusal(response)

    async def forget(self, name: str) -> None:
        """Have a job stopped, if it runs, and its result dropped; not at any price: it would expire."""
        with contextlib.suppress(NodeLost, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._asked("DELETE", f"/v1/jobs/{name}")

    async def _supply(self, name: str, parts: Parts) -> None:
        """Bring the large parts of a job to the node, which keeps them for it."""
        headers = {"Skyward-Instance": await self._instance()}
        async with self._sending.setdefault(self._url, asyncio.Lock()):
            wanted = json.dumps({"blobs": [blob.name for blob in parts.blobs]}).encode()
            response = await self._asked("POST", f"/v1/jobs/{name}/blobs", headers, lambda: wanted)
            if response.status_code == HTTPStatus.PRECONDITION_FAILED:
                self._instances.pop(self._url, None)
                raise NotBegun
            if response.status_code != HTTPStatus.OK:
                raise self._refusal(response)
            missing = set(response.json()["missing"])
            for blob in parts.blobs:
                if blob.name in missing:
                    await self._send(name, blob, parts.open(blob), headers)

    async def _send(self, name: str, blob: Blob, content: memoryview, headers: dict[str, str]) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, blob.size, _PIECE):
                yield bytes(content[start : start + _PIECE])

        sized = {**headers, "Content-Length": str(blob.size)}
        response = await self._asked("PUT", f"/v1/jobs/{name}/blobs/{blob.name}", sized, pieces)
        if response.status_code != HTTPStatus.NO_CONTENT:
            raise self._refusal(response)

    async def _submit(self, name: str, body: bytes, params: dict[str, str]) -> str:
        """Have a job queued; the process that has it."""
        instance = await self._instance()
        headers = {"Idempotency-Key": name, "Skyward-Instance": instance}
        sent = False
        tries = _Tries(self._alive)
        while await tries.again():
            try:
                response = await self._http.post(f"{self._url}/v1/jobs", content=body, params=params, headers=headers)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if not sent:
                    raise NotBegun from None
                continue
            except httpx.TransportError:
                sent = True
                continue
            if response.status_code in (HTTPStatus.CREATED, HTTPStatus.OK):
                return instance
            if response.status_code == HTTPStatus.PRECONDITION_FAILED:
                self._instances.pop(self._url, None)
                if not sent:
                    raise NotBegun
            raise self._refusal(response)
        raise NodeLost(self.rank, "it went away while the job was on its way to it")

    async def _instance(self) -> str:
        """The process that is the node, as far as is known."""
        try:
            if self._url not in self._instances:
                response = await self._http.get(f"{self._url}/health")
                self._instances[self._url] = response.headers["skyward-instance"]
            return self._instances[self._url]
        except (httpx.TransportError, KeyError):
            raise NotBegun from None

    async def _follow(self, name: str, headers: dict[str, str], show: Callable[[TaskEvent], None]) -> None:
        """Show what a job says until it has ended; a stream that breaks goes on where it broke."""
        seen = _Seen()
        tries = _Tries(self._alive)
        while not seen.end and await tries.again():
            given = {**headers, "Last-Event-ID": str(seen.number)}
            try:
                async with self._http.stream("GET", f"{self._url}/v1/jobs/{name}/events", headers=given) as response:
                    if response.status_code != HTTPStatus.OK:
                        await response.aread()
                        raise self._refusal(response)
                    tries.worked()
                    # Read to its end, so that the connection can be used again.
                    async for number, event, data in _events(response):
                        seen.take(number, event, data)
                        if (told := _told(self.rank, event, data)) is not None:
                            show(told)
            except httpx.TransportError:
                continue
        if not seen.end:
            raise NodeLost(self.rank, "it does not answer")

    async def _asked(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        content: Callable[[], AsyncIterator[bytes] | bytes | None] = lambda: None,
    ) -> httpx.Response:
        tries = _Tries(self._alive)
        while await tries.again():
            with contextlib.suppress(httpx.TransportError):
                return await self._http.request(method, self._url + path, headers=headers, content=content())
        raise NodeLost(self.rank, "it does not answer")

    def _refusal(self, response: httpx.Response) -> Exception:
        """What an answer that is none means."""
        if response.status_code == HTTPStatus.PRECONDITION_FAILED:
            return NodeLost(self.rank, "another process took its place")
        try:
            detail = response.json()["detail"]
        except (ValueError, KeyError, TypeError):
            detail = response.text[:200]
        return TaskFailed(f"node {self.rank} refused the job ({response.status_code}): {detail}", self.rank)

    def _failure(self, response: httpx.Response) -> Failed:
        """How a job failed, as plain data."""
        try:
            return Failed.from_bytes(base64.b64decode(response.json()["failure"]), _no_blob)
        except (ValueError, KeyError, TypeError) as error:
            log.error("how a job on node %d failed cannot be read: %s", self.rank, error)
            return Failed("raised", "Exception", "(its error could not be read)")

    def _loaded(self, content: bytes) -> object:
        try:
            return loads(content)
        except BaseException as error:  # whatever code of the value raised
            text = f"what the job on node {self.rank} returned cannot be loaded here: {type(error).__name__}: {error}"
            raise NotLoaded(text, self.rank) from error


def _no_blob(blob: Blob) -> bytes:
    raise Malformed(f"it names a blob, {blob.name}")


def _raised(failed: Failed, rank: int) -> BaseException:
    """What a job raised: also what is no `Exception`, as `concurrent.futures` has it."""
    error = error_of(failed, rank)
    if not isinstance(error, RemoteError | ResultNotPicklable) or failed.pickled is None:
        return error
    try:
        own = loads(failed.pickled)
    except BaseException:  # whatever code of it raised
        return error
    if isinstance(own, SystemExit):
        made: BaseException = RemoteExit(failed.text, rank, own.code)
    elif isinstance(own, BaseException) and not isinstance(own, Exception) and type(own).__module__ not in _KNOWN:
        made = own
    else:
        return error
    made.__notes__ = getattr(error, "__notes__", [])
    made.remote_traceback = failed.formatted  # type: ignore[attr-defined]
    return made.with_traceback(error.__traceback__)


@dataclass(slots=True)
class _Seen:
    """How far a job's events were read: the number of the last one, and whether it was the end."""

    number: int = 0
    end: bool = False

    def take(self, number: int, event: str, data: Any) -> None:
        """Another one was read."""
        self.number = number or self.number
        self.end = event == "state" and data["state"] not in ("queued", "running")


class _Tries:
    """Tries of a request: again while the pool counts on the node and it has not been out of reach for too long."""

    def __init__(self, alive: Callable[[], bool]) -> None:
        self._alive = alive
        self._tried = False
        self._broken: float | None = None

    async def again(self) -> bool:
        """Whether to try; waits a moment between two tries."""
        if not self._tried:
            self._tried = True
            return True
        now = asyncio.get_running_loop().time()
        if self._broken is None:
            self._broken = now
        if now - self._broken > PATIENCE or not self._alive():
            return False
        await asyncio.sleep(_RETRY)
        return True

    def worked(self) -> None:
        """The node answered: what breaks from here on breaks anew."""
        self._broken = None


async def _events(response: httpx.Response) -> AsyncIterator[tuple[int, str, Any]]:
    """Server-sent events: number (0 for none), name and data."""
    number, name = 0, ""
    async for line in response.aiter_lines():
        key, _, value = line.partition(": ")
        match key:
            case "id":
                number = int(value)
            case "event":
                name = value
            case "data":
                yield number, name, json.loads(value)
                number = 0


def _told(rank: int, event: str, data: dict[str, Any]) -> TaskEvent | None:
    match event:
        case "output":
            return Output(rank, data["stream"], data["text"])
        case "display":
            return Display(rank, data["data"], data["metadata"], {}, data["update"])
        case "clear":
            return Clear(rank, data["wait"])
        case "dropped":
            return Output(rank, "stderr", f"({data['bytes']} bytes of output were dropped)\n")
        case _:
            return None
