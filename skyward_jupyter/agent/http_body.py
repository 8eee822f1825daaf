"""A job's body on its way into a file: checked as it comes, never held whole, and given up when it stalls."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from pathlib import Path

import xxhash
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from skyward_jupyter.agent.jobs import Conflict, Gone
from skyward_jupyter.wire import envelope
from skyward_jupyter.wire.blobs import Blob, BlobStore
from skyward_jupyter.wire.envelope import HEADER, Check, OtherPython, Refused

#: Seconds the next piece of a body may take to come.
PATIENCE = 30.0


async def received(request: Request, path: Path) -> str:
    """Write a body to a file, checking it as it comes; its digest."""
    announced = request.headers.get("content-length")
    if announced is not None and int(announced) > envelope.LIMIT + HEADER.size:
        raise _too_large()
    check = Check()
    pieces = request.stream()
    with path.open("xb", buffering=0) as file:
        while True:
            async with asyncio.timeout(PATIENCE):
                piece = await anext(pieces, b"")
            if not piece:
                break
            if file.tell() + len(piece) > envelope.LIMIT + HEADER.size:
                raise _too_large()
            check.feed(piece)
            rest = memoryview(piece)
            while rest.nbytes:
                rest = rest[file.write(rest) :]
    check.complete()
    return check.digest


async def received_blob(request: Request, store: BlobStore, arriving: str, name: str) -> Blob:
    """Have a blob arrive in a store, under a name of its own, and check that its content is the one `name` says."""
    announced = request.headers.get("content-length", "")
    if not announced.isdecimal() or not int(announced):
        raise Refused("the blob does not say how many bytes it has; send it with a Content-Length")
    content, size, arrived = xxhash.xxh3_128(), int(announced), 0
    pieces = request.stream()
    while True:
        async with asyncio.timeout(PATIENCE):
            piece = await anext(pieces, b"")
        if not piece:
            break
        content.update(piece)
        store.write_piece(arriving, arrived, piece, size)
        arrived += len(piece)
    if content.hexdigest() != name or arrived != size:
        raise Refused("the blob was cut short or changed on its way: its XXH3 is not its name; send it again")
    return Blob(name, size)


def _too_large() -> HTTPException:
    text = f"a job has at most {envelope.LIMIT // 2**20} MiB; let the function read its data on the node"
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)


def told(error: BaseException) -> BaseException:
    """What the sender of a body is told of an error."""
    match error:
        case OtherPython():
            return HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        case Refused():
            return HTTPException(HTTPStatus.BAD_REQUEST, str(error))
        case Conflict():
            return HTTPException(HTTPStatus.CONFLICT, str(error))
        case Gone():
            return HTTPException(HTTPStatus.GONE, str(error))
        case ClientDisconnect():
            return HTTPException(HTTPStatus.BAD_REQUEST, "the body was cut short; send the job again")
        case TimeoutError():
            text = f"nothing more of the body came for {PATIENCE:g} s; send the job again"
            return HTTPException(HTTPStatus.REQUEST_TIMEOUT, text)
        case OSError():
            text = f"there is no room for the job on the node ({error.strerror}); send it again later"
            return HTTPException(HTTPStatus.INSUFFICIENT_STORAGE, text)
        case _:
            return error
