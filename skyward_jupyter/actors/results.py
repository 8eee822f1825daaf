"""How a task ends for its caller: the event a node sent becomes a value or an error here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from skyward_jupyter.actors import retrying
from skyward_jupyter.actors.desk import TaskEntry, Yielded
from skyward_jupyter.actors.ending import end
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.agent.failure import Failed, rebuild
from skyward_jupyter.errors import (
    NotLoaded,
    ResultGone,
    ResultNotPicklable,
    SkywardError,
    SlotDied,
    TaskFailed,
    TaskInterrupted,
    TaskTimeout,
)
from skyward_jupyter.events import LogLine
from skyward_jupyter.wire.blobs import Blob
from skyward_jupyter.wire.codec import blobs_of, unpack
from skyward_jupyter.wire.events import Clear, Display, Dropped, Failure, Kind, Output, Success
from skyward_jupyter.wire.feeds import Grant
from skyward_jupyter.wire.messages import Event

log = logging.getLogger("skyward")
_running: set[asyncio.Task[None]] = set()


def settle(hub: Hub, entry: TaskEntry, rank: int, event: Event) -> None:
    """Hand on an event of a task; one with large parts waits for them, and what comes after it waits too."""
    before = entry.fetching if entry.fetching is not None and not entry.fetching.done() else None
    if before is None and (hub.payloads.shared or not blobs_of(event.body)):
        _finish(hub, entry, rank, event, lambda: _opened(hub, event))
        return
    entry.fetching = asyncio.get_running_loop().create_task(_fetch(hub, entry, rank, event, before))
    _running.add(entry.fetching)
    entry.fetching.add_done_callback(_running.discard)


def grant(entry: TaskEntry, event: Event) -> None:
    """A task wants more of an argument that is a stream."""
    wanted: Any = unpack(event.body, lambda _: b"")
    if entry.feeds is not None:
        entry.feeds.grant(Grant(*wanted))


def _finish(hub: Hub, entry: TaskEntry, rank: int, event: Event, content: Callable[[], object]) -> None:
    kind = Kind(event.kind)
    try:
        value = content()
    except BaseException as error:  # whatever code of the value raised: it is this task's alone
        if entry.adopted and isinstance(error, FileNotFoundError):
            _had(hub, entry, rank, kind, event.seconds)
            return
        text = f"what the task on node {rank} sent cannot be loaded here: {type(error).__name__}: {error}"
        if kind.final or kind in (Kind.YIELD, Kind.YIELDS):
            end(hub, entry, Failure(rank, NotLoaded(text, rank), event.seconds))
        else:
            log.error(text)
        return
    match kind:
        case Kind.YIELD:
            _yielded(entry, [value], event)
        case Kind.YIELDS:
            _yielded(entry, value, event)
        case Kind.VALUE:
            end(hub, entry, Success(rank, _in_time(value, event, rank), event.seconds))
        case Kind.ERROR:
            assert isinstance(value, Failed)
            own = entry.feeds.error if value.how == "fed" and entry.feeds is not None else None
            end(hub, entry, Failure(rank, own or error_of(value, rank), event.seconds))
        case _:
            if kind is Kind.OUTPUT:
                _log(hub, rank, entry.id, *_text(value))
            _show(entry, rank, kind, value)


def _opened(hub: Hub, event: Event) -> object:
    value: Any = hub.payloads.opened(event.body)
    return [unpack(one, _no_blob) for one in value] if event.kind == Kind.YIELDS else value


def _no_blob(blob: Blob) -> bytes:
    raise LookupError(blob.name)  # an event of several yields names none


def _yielded(entry: TaskEntry, values: Any, event: Event) -> None:
    if entry.yields is not None:
        size = len(event.body) + sum(blob.size for blob in blobs_of(event.body))
        entry.yields.put_nowait(Yielded(values, size, event.full))


def _in_time(value: object, event: Event, rank: int) -> object:
    """What a task gave; a cell that did not end before its timeout has failed by that."""
    if not event.overdue:
        return value
    from skyward_jupyter.agent.cells import CellOutcome, overdue

    return overdue(value, event.overdue, rank) if isinstance(value, CellOutcome) else value


def _log(hub: Hub, rank: int, task: int, stream: str, text: str) -> None:
    hub.desk.tails[rank].add(stream, text)
    if hub.events.wants(LogLine):
        hub.events.emit(LogLine, rank, task, stream, text)


def late(hub: Hub, rank: int, event: Event) -> None:
    """Log what threads and children of a task wrote after its end, with its run where that is still known."""
    if blobs_of(event.body) and not hub.payloads.shared:
        hub.payloads.discard(event.body)
        return
    try:
        stream, text = _text(hub.payloads.opened(event.body))
    except Exception as error:
        log.error("what a task on node %d wrote after its end cannot be read here: %s", rank, error)
        return
    _log(hub, rank, event.task, stream, text)
    heard = hub.desk.late.get(event.task)
    if heard is not None and (hear := heard()) is not None:
        hear(Output(rank, stream, text))


def _had(hub: Hub, entry: TaskEntry, rank: int, kind: Kind, seconds: float) -> None:
    """The kernel before had fetched this already, and ended before it could say so."""
    if kind.final:
        text = f"the result of {entry.label!r} on node {rank} went to the kernel that started it"
        end(hub, entry, Failure(rank, ResultGone(text, {}), seconds))


def _text(content: Any) -> tuple[str, str]:
    stream, text = content
    return str(stream), str(text)


def _show(entry: TaskEntry, rank: int, kind: Kind, content: Any) -> None:
    """Hand output to whoever shows it; one that cannot show it does not stop the task."""
    if entry.on_event is None:
        return
    try:
        match kind:
            case Kind.OUTPUT:
                entry.on_event(Output(rank, *content))
            case Kind.DISPLAY:
                entry.on_event(Display(rank, *content))
            case Kind.DROPPED:
                entry.on_event(Dropped(rank, *content))
            case _:
                entry.on_event(Clear(rank, content))
    except Exception:
        log.exception("output of node %d could not be shown", rank)


async def _fetch(hub: Hub, entry: TaskEntry, rank: int, event: Event, before: asyncio.Task[None] | None) -> None:
    if before is not None:
        await asyncio.wait([before])
    try:
        blobs = await hub.payloads.through(
            lambda: hub.payloads.fetch(event.body, hub.worker(rank)), lambda: not entry.outcome.done()
        )
    except Exception as error:
        if entry.adopted and isinstance(error, FileNotFoundError):
            _had(hub, entry, rank, Kind(event.kind), event.seconds)
            return
        retrying.lose(hub, [entry], rank, f"its result could not be fetched: {error}")
        return
    _finish(hub, entry, rank, event, lambda: unpack(event.body, lambda blob: blobs[blob.name]))


def error_of(failed: Failed, rank: int) -> BaseException:
    """The exception a failure is raised as."""
    match failed.how:
        case "died":
            return _died(failed.facts["code"], rank)
        case "timeout":
            text = f"the task ran longer than its {failed.facts['seconds']:g} s on node {rank}"
            if not failed.facts.get("killed"):
                return TaskTimeout(text, rank)
            ended = "did not stop when interrupted, so its slot was ended; another took its place"
            return _killed(TaskTimeout(f"{text} and {ended}", rank))
        case "interrupted":
            return _with_traceback(TaskInterrupted(f"the task was interrupted on node {rank}", rank), failed)
        case "killed":
            ended = "did not stop when interrupted, so its slot was ended; another took its place"
            return _killed(TaskInterrupted(f"the task on node {rank} {ended}", rank))
        case "result":
            return ResultNotPicklable(
                f"what the task on node {rank} returned cannot be sent back: {failed.text}; return plain data instead",
                rank,
            )
        case "input":
            text = f"node {rank} could not load the call: {failed.type_name}: {failed.text}"
            if lacking := failed.facts.get("lacking"):
                text += f". Your code imports {lacking}, which is not installed there: "
                text += f"add it to Image(pip=[{lacking!r}])"
            return _with_traceback(NotLoaded(text, rank), failed)
        case _:
            return rebuild(failed, rank)


def _killed[E: TaskFailed](error: E) -> E:
    error.killed = True
    return error


def _with_traceback[E: SkywardError](error: E, failed: Failed) -> E:
    error.remote_traceback = failed.formatted  # type: ignore[attr-defined]
    return error


def _died(code: int, rank: int) -> SlotDied:
    if code >= 0:
        text = f"the slot process on node {rank} ended itself with status {code} (os._exit?) while it ran the task"
        return SlotDied(f"{text}; another has taken its place", rank, status=code)
    import signal

    name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    why = {"SIGSEGV": ", a crash in compiled code", "SIGKILL": ", perhaps out of memory"}.get(name, "")
    return SlotDied(
        f"the slot process on node {rank} was ended by {name}{why} while it ran the task; another has taken its place",
        rank,
        signal=-code,
    )
