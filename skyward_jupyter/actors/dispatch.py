"""From a call to tasks in flight: packing it, placing it, broadcasting it, stopping it, and waiting for its end."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Buffer, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from skyward_jupyter.actors.desk import TaskEntry, task_of
from skyward_jupyter.actors.ending import end, withdraw
from skyward_jupyter.actors.feed import Feeds
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.actors.messages import Arrived, Direct, Follow, Give, Withdraw
from skyward_jupyter.actors.placing import enqueue
from skyward_jupyter.actors.pulling import Source
from skyward_jupyter.actors.session_order import SessionOrder
from skyward_jupyter.errors import NoRoom, NotPicklable, PoolHeld, PoolStopped
from skyward_jupyter.events import TaskQueued
from skyward_jupyter.runtime.cells import current_cell
from skyward_jupyter.tasks import Tasks, promise
from skyward_jupyter.wire.blame import explain
from skyward_jupyter.wire.blobs import INLINE_LIMIT, Blob
from skyward_jupyter.wire.codec import digest, dumped, sealed
from skyward_jupyter.wire.contained import contained
from skyward_jupyter.wire.events import Failure, Outcome, TaskEvent
from skyward_jupyter.wire.functions import reads, same
from skyward_jupyter.wire.messages import Broadcast, Code, Feed, Part, Target

log = logging.getLogger("skyward")
#: How long a broadcast may take before the output of its nodes is pulled (seconds).
FOLLOW_AFTER = 0.015
#: How long one may take until each node is sent the task itself, which it runs once whichever way it comes (seconds):
#: the node that hands it on may not reach another one.
DIRECT_AFTER = 2.0
#: Characters of a function's name, or of a cell's first line, that say what a task is.
LABEL = 80
#: Longest wait for stopped tasks to end (seconds): the grace of a slot and some more.
STOP_WITHIN = 8.0


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments, and how they are to run.

    `sources` are the arguments that are streams; in their places are `skyward_jupyter.wire.feeds.Fed`. `cell` is the
    number of the notebook's cell that runs when the call is made.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    timeout: float = 0.0
    keep: Callable[[int, bool, int], str] | None = None
    stream: bool = False
    retries: int | None = None
    sources: tuple[Source, ...] = ()
    label: str = ""
    cell: int = field(default_factory=current_cell)


type _Packed = tuple[Code, tuple[Blob, ...]]
#: A value as bytes that fit in a message; its pickled parts while they do not.
type _Body = bytes | tuple[Buffer, ...]


@dataclass(frozen=True, slots=True)
class Pickled:
    """A call whose function and arguments are pickled: what changes here from now on is not seen there.

    Attributes
    ----------
    code
        Its function; one that is known by now as its `Code`.
    reads
        What the function took along, as of `skyward_jupyter.wire.functions.reads`.
    """

    call: Call
    code: Code | _Body
    args: _Body
    reads: tuple[object, ...] | None = None

    @property
    def is_small(self) -> bool:
        """Whether all of it fits in a message."""
        return isinstance(self.code, Code | bytes) and isinstance(self.args, bytes)


class Dispatch:
    """Sends calls to the nodes of one pool.

    Attributes
    ----------
    hub
        The pool's.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._working = Tasks("a broadcast")
        self._codes: WeakKeyDictionary[Callable[..., Any], tuple[tuple[object, ...], Code]] = WeakKeyDictionary()
        self._sessions = SessionOrder()

    def pooled(self, calls: Iterable[Call], on_event: Callable[[TaskEvent], None] | None) -> list[TaskEntry]:
        """Put calls into the queue, in order; each runs on any node. Nothing is queued when one cannot be packed."""
        self._check()
        entries = self._entries(calls, on_event)
        for entry in entries:
            entry.pooled = True
        self._admit(entries)
        enqueue(self.hub, [entry.id for entry in entries])
        return entries

    def pickled(self, call: Call) -> Pickled:
        """Pickle a call, in any thread; `queued` takes it on the loop. Large parts stay as they are until then."""
        code, now = self._known(call.function)
        try:
            with contained("pickling", interruptible=True):
                args = _body(dumped((call.args, dict(call.kwargs))))
        except Exception as error:
            raise blame(call, error) from None
        if code is not None:
            return Pickled(call, code, args, now)
        try:
            with contained("pickling", interruptible=True):
                body = _body(dumped(call.function))
        except Exception:
            raise _unpicklable(call.function) from None
        return Pickled(call, body, args, now)

    def queued(self, pickled: Pickled, on_event: Callable[[TaskEvent], None] | None) -> TaskEntry:
        """Put a call into the queue that is pickled already."""
        self._check()
        self.hub.project.current()
        code, code_blobs = self._code(pickled.call.function, pickled.code, pickled.reads)
        try:
            args, blobs = self._kept(pickled.args)
        except BaseException:
            self.hub.payloads.release(code_blobs)
            raise
        entry = self._made(pickled.call, code, args, code_blobs + blobs, on_event)
        entry.pooled = True
        self._admit([entry])
        enqueue(self.hub, (entry.id,))
        return entry

    def placed(
        self,
        calls: Sequence[Call],
        ranks: Sequence[int],
        on_event: Callable[[TaskEvent], None] | None,
        *,
        session: bool = False,
    ) -> list[TaskEntry]:
        """Run a call on each node: `calls` has one for all, or one for each of `ranks`."""
        self._check()
        entries = self._entries(calls, on_event)
        while len(entries) < len(ranks):
            entries.append(self._copy(entries[0], calls[0]))
        head = min(self.hub.desk.nodes, default=0)
        for entry, rank in zip(entries, ranks, strict=True):
            call = calls[0] if len(calls) == 1 else calls[entries.index(entry)]
            entry.rank, entry.session = rank, session
            entry.flags = call.keep(rank, rank == head, len(self.hub.desk.nodes)) if call.keep is not None else ""
        self._admit(entries)
        if session and self._sessions.add(entries):
            # What was broadcast before these must not come after them.
            self._direct([*self._sessions.not_sent_directly(ranks), *entries])
        elif len(calls) == 1 and len(ranks) > 1 and not calls[0].sources:
            if session:
                self._sessions.goes_by_head(entries)
            self._working.start(
                self._broadcast(entries),
                partial(self._not_broadcast, entries),
            )
        else:
            self._direct(entries)
        return entries

    async def ended(self, entries: Sequence[TaskEntry]) -> list[Outcome]:
        """How each task ended.

        Cancelled, it interrupts the tasks and waits for them to stop; cancelled again, it ends their slots.
        """
        futures = [entry.outcome for entry in entries]
        try:
            await _all(futures, None)
        except asyncio.CancelledError:
            self.stop(entries, "interrupt")
            try:
                await _all(futures, STOP_WITHIN)
            except asyncio.CancelledError:
                self.stop(entries, "kill")
            raise
        return [future.result() for future in futures]

    def stop(self, entries: Iterable[TaskEntry], action: str) -> None:
        """Interrupt tasks that have not ended, or ``kill`` their slots; those that wait here end at once."""
        for entry in entries:
            if not entry.outcome.done() and not withdraw(self.hub, entry, action):
                self.hub.placer.tell(Withdraw(entry.id, action))

    def _check(self) -> None:
        if self.hub.state == "taken":
            raise PoolHeld(self.hub.note)
        if self.hub.state in ("stopping", "stopped", "failed"):
            raise PoolStopped(f"pool {self.hub.name!r} is {self.hub.state}; start another one")

    def _entries(self, calls: Iterable[Call], on_event: Callable[[TaskEvent], None] | None) -> list[TaskEntry]:
        codes: dict[int, _Packed] = {}
        entries: list[TaskEntry] = []
        self.hub.project.current()
        try:
            entries.extend(self._entry(call, codes, on_event) for call in calls)
        except BaseException:
            for entry in entries:
                self.hub.payloads.release(entry.blobs)
            raise
        return entries

    def _entry(self, call: Call, codes: dict[int, _Packed], on_event: Callable[[TaskEvent], None] | None) -> TaskEntry:
        packed = codes.get(id(call.function))
        if packed is None:
            known, now = self._known(call.function)
            packed = codes[id(call.function)] = self._code(call.function, known, now)
        else:
            self.hub.payloads.hold(packed[1])
        code, code_blobs = packed
        try:
            args, blobs = self.hub.payloads.pack((call.args, dict(call.kwargs)))
        except Exception as error:
            self.hub.payloads.release(code_blobs)
            raise error if isinstance(error, NoRoom) else blame(call, error) from None
        return self._with_feeds(self._made(call, code, args, code_blobs + blobs, on_event), call)

    def _made(
        self,
        call: Call,
        code: Code,
        args: bytes,
        blobs: tuple[Blob, ...],
        on_event: Callable[[TaskEvent], None] | None,
    ) -> TaskEntry:
        name = getattr(call.function, "__name__", "")
        return TaskEntry(
            id=self.hub.desk.next_id(),
            code=code,
            args=args,
            outcome=asyncio.get_running_loop().create_future(),
            name=name,
            timeout=call.timeout,
            flags=call.keep(-1, False, 0) if call.keep is not None else "",
            on_event=on_event,
            yields=asyncio.Queue() if call.stream else None,
            blobs=blobs,
            label=(call.label or name or "call")[:LABEL],
            retries=self.hub.retries if call.retries is None else call.retries,
            cell=call.cell,
        )

    def _with_feeds(self, entry: TaskEntry, call: Call) -> TaskEntry:
        """Give a task what brings the streams of its call to it."""
        if not call.sources:
            return entry
        hub = self.hub

        def give(feed: Feed) -> None:
            if entry.rank is not None:
                hub.node(entry.rank).tell(Give(feed))

        async def supply(blobs: Sequence[Blob]) -> None:
            if blobs and not hub.payloads.shared and entry.rank is not None:
                ranks = [entry.rank]
                await hub.payloads.through(
                    lambda: hub.payloads.send(blobs, hub.worker, ranks, hub.fleet.address),
                    lambda: not entry.outcome.done(),
                )
                hub.payloads.release(blobs)

        def forget(blobs: Sequence[Blob]) -> None:
            hub.payloads.forget(blobs, hub.worker(entry.rank) if entry.rank is not None else None)

        entry.feeds = Feeds(entry.id, call.sources, hub.payloads, give, supply, forget)
        return entry

    def _copy(self, entry: TaskEntry, call: Call) -> TaskEntry:
        self.hub.payloads.hold(entry.blobs)
        copied = TaskEntry(
            id=self.hub.desk.next_id(),
            code=entry.code,
            args=entry.args,
            outcome=asyncio.get_running_loop().create_future(),
            name=entry.name,
            timeout=entry.timeout,
            on_event=entry.on_event,
            yields=asyncio.Queue() if entry.yields is not None else None,
            blobs=entry.blobs,
            label=entry.label,
            cell=entry.cell,
        )
        return self._with_feeds(copied, call)

    def _known(self, function: Callable[..., Any]) -> tuple[Code | None, tuple[object, ...] | None]:
        """A function as it was packed before, if it still is that; and what it takes along now."""
        now = reads(function)
        known = self._codes.get(function) if now is not None else None
        return (known[1] if known is not None and same(known[0], now) else None), now

    def _code(
        self, function: Callable[..., Any], given: Code | _Body | None, now: tuple[object, ...] | None
    ) -> _Packed:
        """A function as it is sent, given what is known of it."""
        if isinstance(given, Code):
            return given, ()
        try:
            body, blobs = self.hub.payloads.pack(function) if given is None else self._kept(given)
        except NoRoom:
            raise
        except Exception:
            raise _unpicklable(function) from None
        code = Code(digest(body), body)
        if now is not None and not blobs:
            self._codes[function] = now, code
        return code, blobs

    def _kept(self, body: _Body) -> tuple[bytes, tuple[Blob, ...]]:
        return (body, ()) if isinstance(body, bytes) else self.hub.payloads.keep(body)

    def _admit(self, entries: Sequence[TaskEntry]) -> None:
        for entry in entries:
            entry.run, entry.parts = entries[0].id, len(entries)
            self.hub.desk.tasks[entry.id] = entry
        if self.hub.events.tasks:
            for entry in entries:
                self.hub.events.emit(TaskQueued, entry.id, entry.name)
        if entries:
            self.hub.progress.begun(entries[0])

    def _direct(self, entries: Sequence[TaskEntry]) -> None:
        for entry in entries:
            assert entry.rank is not None
            self.hub.node(entry.rank).tell(Direct(entry.id))

    def _not_broadcast(self, entries: Sequence[TaskEntry], error: BaseException) -> None:
        for entry in entries:
            end(self.hub, entry, Failure(entry.rank or 0, error, 0.0))

    async def _broadcast(self, entries: Sequence[TaskEntry]) -> None:
        """Let the head hand the task on; whatever does not come that way goes to the node itself."""
        hub = self.hub
        by_rank = {entry.rank: entry for entry in entries if entry.rank is not None}
        if hub.fleet.alone or not await self._informed(by_rank, bool(entries[0].blobs)):
            self._direct(entries)  # the user's project goes with exchanges
            return
        parts: tuple[Part, ...] = ()
        keys = {rank: hub.node_key(rank) for rank in by_rank}
        head = min(by_rank)
        targets = tuple(
            Target(rank, hub.fleet.address(rank), e.id, e.flags, hub.desk.seen.get(rank, 0))
            for rank, e in by_rank.items()
        )
        loop = asyncio.get_running_loop()
        timers = [loop.call_later(FOLLOW_AFTER, self._follow, entries)]
        try:
            await hub.payloads.send(entries[0].blobs, hub.worker, list(by_rank), hub.fleet.address)
            message = Broadcast(hub.key, task_of(entries[0]), entries[0].code, targets, hub.epoch)
            for entry in entries:
                entry.sent = time.time()
            timers.append(loop.call_later(DIRECT_AFTER, self._send_too, keys, by_rank))
            parts = await _unless_over(hub.broadcaster(head).ask(message), entries)
        except Exception as error:
            # Each node is asked itself then; one that cannot be says why.
            log.debug("a broadcast through node %d failed: %s", head, error)
        finally:
            for timer in timers:
                timer.cancel()
        arrived = {part.rank: part.event for part in parts}
        for rank, entry in by_rank.items():
            if not hub.is_current(keys[rank]):
                continue  # it was lost meanwhile; another has its number, and counts its own events
            event = arrived.get(rank)
            hub.node(rank).tell(Direct(entry.id) if event is None else Arrived(event))

    async def _informed(self, ranks: Iterable[int], inform: bool) -> bool:
        """Whether nodes know the user's project; to `inform` them first is worth it where large arguments follow."""
        hub = self.hub

        def lacking() -> list[int]:
            return [rank for rank in ranks if hub.informed.get(rank) != hub.project.code.digest]

        if inform and (ignorant := lacking()):
            await asyncio.gather(*map(hub.inform, ignorant))
        return not lacking()

    def _send_too(self, keys: Mapping[int, str], by_rank: Mapping[int, TaskEntry]) -> None:
        """Send the task to the nodes themselves that have not ended it and are still those that were meant."""
        for rank, entry in by_rank.items():
            if self.hub.is_current(keys[rank]) and not entry.outcome.done():
                self.hub.node(rank).tell(Direct(entry.id))

    def _follow(self, entries: Sequence[TaskEntry]) -> None:
        """The broadcast takes longer than a short call: have its output pulled."""
        for entry in entries:
            if entry.rank is not None and not entry.outcome.done():
                self.hub.node(entry.rank).tell(Follow(entry.id))


async def _unless_over(asked: Awaitable[tuple[Part, ...]], entries: Sequence[TaskEntry]) -> tuple[Part, ...]:
    """Return what is answered; nothing when all tasks have ended without an answer."""

    async def answered() -> tuple[Part, ...]:
        return await asked

    answer, over = promise(answered()), promise(_all([entry.outcome for entry in entries], None))
    try:
        await asyncio.wait([answer, over], return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else ()
    finally:
        over.cancel()
        answer.cancel()


async def _all(futures: Sequence[asyncio.Future[Outcome]], timeout: float | None) -> None:
    """Wait for all; being cancelled leaves them as they are."""
    pending = [future for future in futures if not future.done()]
    if pending:
        await asyncio.wait(pending, timeout=timeout)


def _body(parts: tuple[Buffer, ...]) -> _Body:
    small = sum(memoryview(part).nbytes for part in parts) < INLINE_LIMIT
    return sealed(parts, None) if small else parts


def _unpicklable(function: Callable[..., Any]) -> NotPicklable:
    return explain(getattr(function, "__name__", "the function"), function)


def blame(call: Call, error: Exception) -> NotPicklable:
    """The argument at fault, by the name of its parameter."""
    name = getattr(call.function, "__name__", "call")
    try:
        bound = inspect.signature(call.function).bind(*call.args, **call.kwargs).arguments
    except (TypeError, ValueError):
        bound = {f"args[{index}]": value for index, value in enumerate(call.args)} | dict(call.kwargs)
    for parameter, value in bound.items():
        found = explain(parameter, value)
        if found.reason != "pickling it failed":
            return found
    return NotPicklable(f"an argument of {name}", "value", str(error))
