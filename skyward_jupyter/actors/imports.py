"""Brings modules of the user's project to a node on another machine, when code there imports them."""

from __future__ import annotations

import asyncio
import errno
import logging
import pickle
from typing import TYPE_CHECKING

import casty
import lz4.frame

from skyward_jupyter.project.units import Bundle, TooLarge
from skyward_jupyter.wire.blobs import digest
from skyward_jupyter.wire.messages import AwaitNeeds, GiveUnit, LackingContents

if TYPE_CHECKING:
    from skyward_jupyter.actors.hub import Hub

log = logging.getLogger("skyward")

#: A question whose answer is so many seconds late was lost, and is asked again.
_LATE = 30.0
#: Pause before asking again over a link that is broken (seconds).
_RETRY = 0.25


async def supply(hub: Hub, rank: int) -> None:
    """Answer what a node needs, for as long as it lives; the task that runs this ends with the node."""
    while True:
        question = AwaitNeeds()
        try:
            async with asyncio.timeout(question.hold + _LATE):
                needed = await hub.worker(rank).ask(question)
            for name in needed:
                if name.isidentifier():
                    await _give(hub, rank, name)
                else:
                    log.error("node %d asked for a module called %r, which none is", rank, name[:100])
        except (casty.Unavailable, casty.NotStarted, casty.ActorFailed, TimeoutError):
            await asyncio.sleep(_RETRY)
        except Exception:
            log.exception("sending node %d what it imports failed, and is tried again", rank)
            await asyncio.sleep(_RETRY)


async def _give(hub: Hub, rank: int, name: str) -> None:
    """Send a node the files of a module, or why it does not get them."""
    worker = hub.worker(rank)
    try:
        bundle = await asyncio.to_thread(hub.project.bundle, name)
        if bundle is None:
            raise FileNotFoundError(errno.ENOENT, "it is not in the notebook's project any more", name)
        lacking = await worker.ask(LackingContents(tuple(file.digest for file in bundle.unit.files)))
        packed = await asyncio.to_thread(_packed, bundle, lacking)
    except (TooLarge, OSError) as error:
        await worker.ask(GiveUnit(name, why=_reason(error)))
        return
    blob = hub.payloads.store.put(memoryview(packed))
    hub.payloads.hold([blob])
    try:
        await hub.payloads.send([blob], hub.worker, [rank], hub.fleet.address)
        await worker.ask(GiveUnit(name, bundle.unit, blob))
    finally:
        hub.payloads.release([blob])


def _packed(bundle: Bundle, lacking: tuple[str, ...]) -> bytes:
    """Return contents by their digest, compressed.

    Raises
    ------
    OSError
        A file is gone, or was changed meanwhile.
    """
    contents: dict[str, bytes] = {}
    for key in lacking:
        content = bundle.contents[key]
        if isinstance(content, str):
            path = content
            with open(path, "rb") as file:
                content = file.read()
            if digest(content) != key:
                raise OSError(errno.EBUSY, "it was changed while it was read; try again", path)
        contents[key] = content
    return bytes(lz4.frame.compress(pickle.dumps(contents, 5)))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
