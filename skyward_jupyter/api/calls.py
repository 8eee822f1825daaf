"""How a pool runs calls, on the runtime's loop: one, several, on every node, as a stream, as a future."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import casty

from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.dispatch import Dispatch, Pickled
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.actors.messages import Kill
from skyward_jupyter.agent.actors import Stop
from skyward_jupyter.api import reasons
from skyward_jupyter.api.answer import Answer
from skyward_jupyter.api.compute import PendingCompute, PendingGroup
from skyward_jupyter.api.echo import Echo
from skyward_jupyter.api.future import PoolFuture
from skyward_jupyter.api.gathering import carry, gathered
from skyward_jupyter.api.inputs import refuse_iterators
from skyward_jupyter.api.parts import Parts
from skyward_jupyter.api.progress import followed, label_of
from skyward_jupyter.api.siblings import Siblings
from skyward_jupyter.api.stream import ResultStream, outcomes_of, yields_of
from skyward_jupyter.api.waiting import Reason, waits_for
from skyward_jupyter.errors import NotPicklable, ProvisioningFailed, TaskInterrupted, UsageError
from skyward_jupyter.events import NodeGivenUp, NodeLost, NodeReplaced
from skyward_jupyter.runtime.bridge import runtime
from skyward_jupyter.runtime.crossing import Work
from skyward_jupyter.wire.events import Failure, Outcome
from skyward_jupyter.wire.messages import RenewSession

if TYPE_CHECKING:
    from skyward_jupyter.notebook.early import Early

#: How long a node may take to answer that it has another session (seconds).
RENEW_WITHIN = 20.0
#: How long a node may take to hand over what it keeps (seconds).
LEAVE_WITHIN = 10.0

type Pending = PendingCompute[Any] | PendingGroup


class Calls:
    """The calls of one pool that has started.

    Parameters
    ----------
    shown
        Whether anything is shown of it: a failure on one node while others still run, how far calls are.
    """

    def __init__(self, hub: Hub, *, shown: bool = True) -> None:
        self.hub = hub
        self._shows = shown
        self.dispatch = Dispatch(hub)

    async def run(self, pending: Pending) -> Any:
        """Run a call, or several side by side; what streams is returned at once."""
        if isinstance(pending, PendingGroup):
            return self.stream(pending) if pending._stream else await self._gather(pending)
        if pending._streams:
            return self.stream(pending)
        if pending._return_exceptions:
            return await _either(self.answer(pending))
        return await self.answer(pending)

    def gather(self, group: PendingGroup, started: list[Parts]) -> Work[Any]:
        """`run` of a group; `started` gets its parts, for what is left of them when the wait for them ends early."""
        return self.run(group) if group._stream else self._gather(group, started)

    def work(self, pending: Pending) -> Work[Any]:
        """`run`, for whoever waits for it anywhere."""
        if isinstance(pending, PendingGroup) or pending._streams or pending._return_exceptions:
            return self.run(pending)
        return partial(self.answer, pending)

    def answer(self, pending: PendingCompute[Any]) -> Answer:
        """What a call will give; it begins in the next turn of the loop."""
        loop = runtime().loop
        made = Answer(loop, self.dispatch, partial(self._begin, pending))
        loop.call_soon(made.start)
        return made

    def pickled(self, pending: PendingCompute[Any]) -> Answer:
        """The same of a call that is pickled now, in any thread; `start` begins it."""
        pickled = self.dispatch.pickled(pending._call())
        return Answer(runtime().loop, self.dispatch, partial(self._queue, pickled), is_small=pickled.is_small)

    async def broadcast(self, pending: PendingCompute[Any]) -> list[Any]:
        """Run a call on every node; several errors are raised as one group.

        What is raised carries the results of the other nodes. One that fails fast is interrupted on the others by its
        first error, and raises what did not come by that.
        """
        if not isinstance(pending, PendingCompute):
            raise UsageError("@ sends one call to every node; send a group with >>")
        refuse_iterators(pending._sources)
        with self._waiting(lambda: reasons.of_broadcast(self.hub)):
            ranks = await self._everyone()
        echo = Echo()
        entries = self.dispatch.placed([pending._call()], ranks, echo)
        siblings = self._siblings(entries, echo, pending._fail_fast)
        self._shown(entries, echo, siblings)
        if pending._streams:
            return [yields_of(self.hub, self.dispatch, entry) for entry in entries]
        try:
            with self._followed_on_nodes(pending, entries):
                outcomes = await self.dispatch.ended(entries)
        finally:
            siblings.close()
        errors = {outcome.node: outcome.error for outcome in outcomes if isinstance(outcome, Failure)}
        if siblings.stopped:
            _leave_stopped(errors, siblings.stopped)
        if errors and not pending._return_exceptions:
            error = _together(errors, len(outcomes)) if len(errors) > 1 else next(iter(errors.values()))
            raise carry(error, gathered({outcome.node: outcome for outcome in outcomes}, first=error))
        return [_given(outcome) for outcome in outcomes]

    def _siblings(self, entries: list[TaskEntry], echo: Echo, fail_fast: bool) -> Siblings[BaseException]:
        """Watch the parts of a broadcast."""
        early: Early | None = None

        def tell(failed: Mapping[int, BaseException], running: list[int]) -> None:
            nonlocal early
            if early is None:
                from skyward_jupyter.notebook.early import Early

                early = Early("call.with_fail_fast() would interrupt")
            echo.say(early.of_broadcast(failed, running, stopping=siblings.stopping))

        def stop() -> None:
            self.dispatch.stop(entries, "interrupt")

        ranks = [entry.rank or 0 for entry in entries]
        siblings: Siblings[BaseException] = Siblings(ranks, tell if self._shows else None, stop if fail_fast else None)
        return siblings

    async def _everyone(self) -> list[int]:
        """The nodes that stay, all of them ready: one that is being replaced is waited for, within bounds."""
        hub = self.hub
        if hub.elastic is not None and not hub.members:
            hub.elastic.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(hub.patience):
                while hub.state in ("starting", "ready") and not (hub.whole and hub.members):
                    await hub.turned.wait()
                return sorted(hub.members)
        late = ", ".join(str(rank) for rank in sorted(hub.members) if rank not in hub.takers) or "some"
        raise ProvisioningFailed(
            f"nodes {late} of pool {hub.name!r} are not ready after {hub.patience:g} s, so the call was not broadcast; "
            "send it with >> to those that are, or try again"
        )

    def stream(self, pending: Pending) -> ResultStream[Any]:
        """Start calls and return their results, or what a generator yields, as they come."""
        if isinstance(pending, PendingCompute) and pending._streams:
            (entry,) = self._queued((pending,))
            return yields_of(self.hub, self.dispatch, entry)
        parts = self._parts(pending)
        ordered = pending._ordered if isinstance(pending, PendingGroup) else True
        give = not pending._return_exceptions
        followed = self._followed(pending, parts, streamed=True)
        return outcomes_of(
            parts, ordered=ordered, raises=give, fail_fast=pending._fail_fast and give, followed=followed
        )

    def submit(self, pending: Pending) -> PoolFuture[Any]:
        """Start a group, or what streams, and return its future."""
        if isinstance(pending, PendingGroup) and not pending._stream:
            pending = replace(pending, _progress=False)  # nobody waits here
        work = runtime().spawn(self.run(pending), awaited=True)
        future: PoolFuture[Any] = PoolFuture(lambda _: runtime().call_soon(work.cancel))
        work.add_done_callback(future._take)
        return future

    def _begin(self, pending: PendingCompute[Any], echo: Echo) -> TaskEntry:
        (entry,) = self.dispatch.pooled([pending._call()], echo)
        self._say_notes(echo)
        return entry

    def _queue(self, pickled: Pickled, echo: Echo) -> TaskEntry:
        entry = self.dispatch.queued(pickled, echo)
        self._say_notes(echo)
        return entry

    def _say_notes(self, echo: Echo) -> None:
        for note in self.hub.project.notes():
            echo.say(f"{note}\n")

    def interrupt(self) -> None:
        """Interrupt everything that is in flight."""
        self.dispatch.stop(list(self.hub.desk.tasks.values()), "interrupt")

    async def renew_sessions(self, ranks: Iterable[int]) -> list[int]:
        """End the sessions of nodes, with what runs and waits there, and have others; returns nodes that have none."""
        wanted = sorted(ranks)
        ending = [entry for entry in self.hub.desk.tasks.values() if entry.session and entry.rank in wanted]
        self.dispatch.stop(ending, "renew")
        await self.dispatch.ended(ending)
        renewed = await asyncio.gather(*map(self._renew_session, wanted))
        self.hub.sessions.difference_update(wanted)
        return [rank for rank, there in zip(wanted, renewed, strict=True) if not there]

    async def renew_node(self, rank: int) -> None:
        """End a node in order, what is kept on it goes to others, and wait until another is there in its place.

        Raises
        ------
        ProvisioningFailed
            There is none.
        """
        hub, gone, back = self.hub, asyncio.Event(), asyncio.Event()

        def hear(event: NodeLost | NodeReplaced | NodeGivenUp) -> None:
            if event.node == rank:
                (gone if isinstance(event, NodeLost) else back).set()

        hub.renewed.add(rank)
        listener = hub.events.listen((NodeLost, NodeReplaced, NodeGivenUp), hear)
        try:
            hub.worker(rank).tell(Stop())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(gone.wait(), LEAVE_WITHIN)
            if not gone.is_set():
                hub.supplier.tell(Kill(rank))
            await asyncio.wait_for(back.wait(), hub.patience)
            await asyncio.wait_for(hub.settled.wait(), hub.patience)
        except TimeoutError:
            why = f"node {rank} of pool {hub.name!r} has ended, and no other was there within {hub.patience:g} s"
            raise ProvisioningFailed(f"{why}: %sky status says how far it is") from None
        finally:
            hub.events.remove(listener)
            hub.renewed.discard(rank)
        if rank not in hub.desk.nodes:
            raise ProvisioningFailed(hub.note or f"node {rank} of pool {hub.name!r} did not start again")

    async def _renew_session(self, rank: int) -> bool:
        try:
            async with asyncio.timeout(RENEW_WITHIN):
                return bool(await self.hub.worker(rank).ask(RenewSession()))
        except (casty.Unavailable, TimeoutError):
            return False

    def _queued(self, calls: Sequence[PendingCompute[Any]]) -> list[TaskEntry]:
        echo = Echo()
        return self._shown(self.dispatch.pooled([call._call() for call in calls], echo), echo)

    def _parts(self, pending: Pending) -> Parts:
        """Start the calls of a group; where errors are given, one that cannot be sent is one of them."""
        calls = pending._calls if isinstance(pending, PendingGroup) else (pending,)
        try:
            return Parts(self.dispatch, self._queued(calls))
        except NotPicklable:
            if not pending._return_exceptions:
                raise
        parts = Parts(self.dispatch, [])
        for call in calls:
            try:
                parts.add(*self._queued((call,)))
            except NotPicklable as error:
                parts.add_failed(error)
        return parts

    def _shown(
        self, entries: list[TaskEntry], echo: Echo, siblings: Siblings[BaseException] | None = None
    ) -> list[TaskEntry]:
        """Have `echo` show the last line of each task, finished or not; where nobody reads it, they are stopped."""
        self._say_notes(echo)
        left = len(entries)

        def ended(future: asyncio.Future[Outcome]) -> None:
            nonlocal left
            echo.finish(future.result().node)
            left -= 1
            if not left:
                echo.close()

        for entry in entries:
            entry.outcome.add_done_callback(ended)
            if siblings is not None:
                entry.outcome.add_done_callback(partial(_ended, entry, siblings))
        echo.unread = lambda: self.dispatch.stop(entries, "interrupt")
        return entries

    async def _gather(self, group: PendingGroup, started: list[Parts] | None = None) -> Any:
        """Wait until all have ended, or one has failed; the others are stopped then, and the error carries the rest."""
        parts = self._parts(group)
        if started is not None:
            started.append(parts)
        failed = parts.stop_at_failure() if not group._return_exceptions else []
        with self._followed(group, parts):
            outcomes = await parts.ended()
        if failed:
            raise carry(failed[0], gathered(dict(enumerate(outcomes)), first=failed[0]))
        return group._form([_given(outcome) for outcome in outcomes])

    def _waiting(self, reason: Reason) -> AbstractContextManager[None]:
        """Have whoever waits see for what, if that takes long."""
        return waits_for(reason, stops=True) if self._shows else contextlib.nullcontext()

    def _followed_on_nodes(
        self, pending: PendingCompute[Any], entries: Sequence[TaskEntry]
    ) -> AbstractContextManager[None]:
        """Have whoever waits see on how many nodes a call has ended, and where it goes on."""
        if len(entries) == 1:
            return self._waiting(lambda: reasons.of_call(self.hub, entries[0]))
        return followed(
            [entry.outcome for entry in entries],
            lambda: label_of([pending._function]),
            shown=self._shows,
            unit="node",
            where=lambda: reasons.still_on(entries),
            paced=False,
        )

    def _followed(self, pending: Pending, parts: Parts, *, streamed: bool = False) -> AbstractContextManager[None]:
        """Have whoever waits see how far calls are; whoever reads them one by one, if it is asked for."""
        group = pending if isinstance(pending, PendingGroup) else PendingGroup((pending,))
        if len(parts.outcomes) == 1 and not streamed and group._progress is not False:
            return self._waiting(lambda: reasons.of_calls(self.hub, parts.entries))
        return followed(
            parts.outcomes,
            lambda: label_of([call._function for call in group._calls]),
            group._progress or False if streamed else group._progress,
            shown=self._shows,
        )


def _together(errors: dict[int, BaseException], total: int) -> BaseExceptionGroup:
    """Errors of several nodes as one; `nodes` of it says where each was raised."""
    said = f"the call raised on {len(errors)} of {total} nodes"
    group = BaseExceptionGroup(said, list(errors.values()))
    group.nodes = tuple(errors)  # type: ignore[attr-defined]
    return group


def _ended(entry: TaskEntry, siblings: Siblings[BaseException], future: asyncio.Future[Outcome]) -> None:
    outcome = future.result()
    error = outcome.error if isinstance(outcome, Failure) and not entry.stopping else None
    siblings.ended(entry.rank or 0, error)


def _leave_stopped(errors: dict[int, BaseException], stopped: Iterable[int]) -> None:
    """Leave out the errors that came only because others had failed, and note at those who had."""
    left = [node for node in stopped if isinstance(errors.get(node), TaskInterrupted)]
    for node in left:
        del errors[node]
    numbers = ", ".join(map(str, sorted(left)))
    for error in errors.values() if left else ():
        error.add_note(f"the call was interrupted on node{'s' * (len(left) != 1)} {numbers}, because it fails fast")


def _given(outcome: Outcome) -> Any:
    return outcome.error if isinstance(outcome, Failure) else outcome.value


async def _either(answer: Awaitable[Any]) -> Any:
    try:
        return await answer
    except Exception as error:
        return error
