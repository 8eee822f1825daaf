"""How a task ends for its caller: the event a node sent becomes a value or an error here."""

from __future__ import annotations

import asyncio
import logging
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
from skyward_jupyter.tasks import Tasks
from skyward_jupyter.wire.blobs import Blob
from skyward_jupyter.wire.codec import blobs_of, unpack
from skyward_jupyter.wire.events import Clear, Display, Dropped, Failure, Kind, Output, Success
from skyward_jupyter.wire.feeds import yielded
from skyward_jupyter.wire.messages import Event
from skyward_jupyter.wire.parts import Malformed, Open
from skyward_jupyter.wire.said import clear_in, display_in, grant_in, loss_in, text_in

log = logging.getLogger("skyward")
#: What may have parts that are too large for an event.
_WITH_BLOBS = (Kind.VALUE, Kind.YIELD, Kind.ERROR, Kind.DISPLAY)
_running = Tasks("fetching a result")


def settle(hub: Hub, entry: TaskEntry, rank: int, event: Event) -> None:
    """Hand on an event of a task; one with large parts waits for them, and what comes after it waits too."""
    before = entry.fetching if entry.fetching is not None and not entry.fetching.done() else None
    if before is None and (hub.payloads.shared or not _blobs(event)):
        _finish(hub, entry, rank, event, hub.payloads.take)
        return
    entry.fetching = _running.begin(
        _fetch(hub, entry, rank, event, before), lambda error: end(hub, entry, Failure(rank, error, event.seconds))
    )


def grant(entry: TaskEntry, rank: int, event: Event) -> None:
    """A task wants more of an argument that is a stream."""
    try:
        wanted = grant_in(event.body)
        if entry.feeds is not None:
            entry.feeds.grant(wanted)
    except (Malformed, IndexError) as error:
        _refused(rank, entry, error)


def _finish(hub: Hub, entry: TaskEntry, rank: int, event: Event, open: Open) -> None:
    kind = Kind(event.kind)
    try:
        value: Any = _content(kind, event.body, open)
        if kind is Kind.ERROR:
            own = entry.feeds.error if value.how == "fed" and entry.feeds is not None else None
            value = own or error_of(value, rank, entry.function)
    except BaseException as error:  # whatever code of the value raised: it is this task's alone
        if entry.adopted and isinstance(error, FileNotFoundError):
            _had(hub, entry, rank, kind, event.seconds)
            return
        if not (kind.final or kind in (Kind.YIELD, Kind.YIELDS)):
            _refused(rank, entry, error)
            return
        text = f"what the task on node {rank} sent cannot be loaded here: {type(error).__name__}: {error}"
        end(hub, entry, Failure(rank, NotLoaded(text, rank), event.seconds))
        return
    match kind:
        case Kind.YIELD:
            _yielded(entry, [value], event)
        case Kind.YIELDS:
            _yielded(entry, value, event)
        case Kind.VALUE:
            end(hub, entry, Success(rank, _in_time(value, event, rank), event.seconds))
        case Kind.ERROR:
            end(hub, entry, Failure(rank, value, event.seconds))
        case _:
            if kind is Kind.OUTPUT:
                _log(hub, rank, entry.id, *value)
            _show(entry, rank, kind, value)


def _content(kind: Kind, body: bytes, open: Open) -> Any:
    """What an event carries. Only what a task returned or yielded is unpickled, and the exception it raised."""
    match kind:
        case Kind.VALUE | Kind.YIELD:
            return unpack(body, open)
        case Kind.YIELDS:
            return [unpack(one, _no_blob) for one in yielded(body)]
        case Kind.ERROR:
            return Failed.from_bytes(body, open)
        case Kind.OUTPUT:
            return text_in(body)
        case Kind.DISPLAY:
            return display_in(body, open)
        case Kind.DROPPED:
            return loss_in(body)
        case Kind.CLEAR:
            return clear_in(body)
    raise Malformed(f"a node does not report {kind.name}")


def _blobs(event: Event) -> tuple[Blob, ...]:
    """The blobs that an event names."""
    return blobs_of(event.body) if event.kind in _WITH_BLOBS else ()


def _refused(rank: int, entry: TaskEntry, error: BaseException) -> None:
    log.error(
        "node %d sent output of %r that is malformed, so it is not shown: %s: %s",
        rank, entry.label, type(error).__name__, error,
    )  # fmt: skip


def _no_blob(blob: Blob) -> bytes:
    raise LookupError(blob.name)  # an event of several yields names none


def _yielded(entry: TaskEntry, values: Any, event: Event) -> None:
    if entry.yields is not None:
        size = len(event.body) + sum(blob.size for blob in _blobs(event))
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
    try:
        stream, text = text_in(event.body)
    except Malformed as error:
        log.error("what a task on node %d wrote after its end is malformed, so it is not shown: %s", rank, error)
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
    _finish(hub, entry, rank, event, lambda blob: blobs[blob.name])


def error_of(failed: Failed, rank: int, name: str = "") -> BaseException:
    """The exception a failure is raised as; `name` is what the function is called, where the node does not say more."""
    what = str(failed.facts.get("call") or name or "the task")
    match failed.how:
        case "died":
            return _died(int(failed.facts["code"]), rank, what)
        case "timeout":
            text = f"{what} ran longer than its {failed.facts['seconds']:g} s on node {rank}"
            if not failed.facts.get("killed"):
                return TaskTimeout(text, rank)
            ended = "did not stop when interrupted, so its slot was ended; another took its place"
            return _killed(TaskTimeout(f"{text} and {ended}", rank))
        case "interrupted":
            return _with_traceback(TaskInterrupted(f"{what} was interrupted on node {rank}", rank), failed)
        case "renewed":
            return _killed(TaskInterrupted(f"the session of node {rank} was restarted, with what ran in it", rank))
        case "killed":
            ended = "did not stop when interrupted, so its slot was ended; another took its place"
            return _killed(TaskInterrupted(f"{what} on node {rank} {ended}", rank))
        case "result":
            return ResultNotPicklable(
                f"what {what} on node {rank} returned cannot be sent back: {failed.text}; return plain data instead",
                rank,
            )
        case "input":
            text = f"node {rank} could not load {f'the call of {name}' if name else 'the call'}: "
            text += f"{failed.type_name}: {failed.text}"
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


def _died(code: int, rank: int, what: str) -> SlotDied:
    if code >= 0:
        text = f"the slot process on node {rank} ended itself with status {code} (os._exit?) while it ran {what}"
        return SlotDied(f"{text}; another has taken its place", rank, status=code)
    import signal

    name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    why = {"SIGSEGV": ", a crash in compiled code", "SIGKILL": ", perhaps out of memory"}.get(name, "")
    return SlotDied(
        f"the slot process on node {rank} was ended by {name}{why} while it ran {what}; another has taken its place",
        rank,
        signal=-code,
    )
