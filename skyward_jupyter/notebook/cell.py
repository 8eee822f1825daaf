"""One execution of a ``%%sky`` cell: from its options to what it binds, shows and raises here."""

from __future__ import annotations

import ast
import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skyward_jupyter.agent.cells import CellOutcome, CellRequest, Source
from skyward_jupyter.api.joining import joined
from skyward_jupyter.api.siblings import Siblings
from skyward_jupyter.api.waiting import says_itself
from skyward_jupyter.errors import CellFailed, NodeLost, SkywardError, SlotDied, TaskFailed, UsageError
from skyward_jupyter.notebook import pools, waits
from skyward_jupyter.notebook.at_hand import NAME
from skyward_jupyter.notebook.displays import CellScreen, RunScreen, quiet_line, show_values
from skyward_jupyter.notebook.early import Early
from skyward_jupyter.notebook.gone import Gone
from skyward_jupyter.notebook.grouping import Grouped
from skyward_jupyter.notebook.held import remember
from skyward_jupyter.notebook.here import Here
from skyward_jupyter.notebook.learning import learn
from skyward_jupyter.notebook.names import names_in
from skyward_jupyter.notebook.noderun import take
from skyward_jupyter.notebook.options import CellOptions
from skyward_jupyter.notebook.postmortem import debuggable
from skyward_jupyter.notebook.run import CellCourse
from skyward_jupyter.notebook.scattering import Parts, layouts, scattered, told
from skyward_jupyter.notebook.sending import Parcel, Plan, check_here
from skyward_jupyter.notebook.source import title_of
from skyward_jupyter.notebook.state import Notebook
from skyward_jupyter.notebook.switching import banner
from skyward_jupyter.notebook.tracebacks import (
    Failed,
    cell_failed,
    in_a_sentence,
    interrupted,
    plain,
    shown_as,
    stopped_by,
)
from skyward_jupyter.notebook.verdicts import Verdict, refusals
from skyward_jupyter.notebook.waits import Waits
from skyward_jupyter.tasks import promise
from skyward_jupyter.wire.events import Failure, Outcome, Success, TaskEvent

if TYPE_CHECKING:
    from skyward_jupyter.api.compute import PendingCompute
    from skyward_jupyter.api.run import Launched


class Cell:
    """A cell that is ready to run: its options are read and it compiles.

    Parameters
    ----------
    wants_value
        Whether it gives the values of its last expression.
    moves
        Whether it has no code of its own and only moves names, which is how it is spoken of then.
    expression
        Whether it is the one of ``%sky EXPR``, which shows the values itself: only what it writes is shown here.

    Attributes
    ----------
    here
        The part of it that runs in the notebook, with ``--local``.
    outcomes
        How it ended, by node; failed ones are not among them.
    sizes
        Bytes of each name that was weighed for it.
    """

    def __init__(
        self,
        notebook: Notebook,
        options: CellOptions,
        source: Source,
        tree: ast.Module,
        *,
        wants_value: bool = False,
        moves: bool = False,
        expression: bool = False,
    ) -> None:
        self._notebook = notebook
        self._options = options
        self._source = source
        self._names = names_in(tree)
        self._expression = expression
        self._wants_value = wants_value or expression or options.into is not None or options.bg
        self._moves = moves
        self.here = Here(notebook, source, tree) if options.local else None
        self._sent = asyncio.Event()
        self._ended_here = asyncio.Event()
        self._found = self._launched = False
        self._started: list[Launched] = []
        self._missing: set[int] = set()
        self._refused: dict[int, Outcome] = {}
        self._lost = asyncio.Event()
        self._blank: Callable[[], bool] = lambda: True
        self._waits = Waits(self._waits_for, self._shows_nothing)
        self.sizes: dict[str, int] = {}
        self.outcomes: dict[int, CellOutcome] = {}

    async def execute(self) -> Verdict:
        """Run the cell, on the runtime's loop; never raises for what a user may do.

        Cancelling it once interrupts the code on its nodes, twice ends the processes that run it; either way it goes
        on until every node's part has ended.
        """
        says_itself()
        self._waits.begin()
        try:
            return await self._execute()
        finally:
            self._waits.end()

    async def _execute(self) -> Verdict:
        try:
            await self._prepare()
        except asyncio.CancelledError:
            return Verdict(error=shown_as(KeyboardInterrupt(), ["KeyboardInterrupt: nothing was run"]))
        except SkywardError as error:
            return Verdict(error=in_a_sentence(error))
        if self._options.bg:
            self._go_on()
            return Verdict(self._held)
        return await self._to_its_end()

    async def begin(self) -> asyncio.Task[Verdict]:
        """Start to execute it, and wait until the nodes were sent all of it, or it has ended before.

        Cancelled, it is stopped, and returned once it has ended: its part here is not to run any more.
        """
        execution = promise(self.execute())
        sent = promise(self._sent.wait())
        while not (execution.done() or self._sent.is_set()):
            try:
                await asyncio.wait([execution, sent], return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                self._ended_here.set()
                execution.cancel()
                await asyncio.wait([execution])
        sent.cancel()
        return execution

    @property
    def waits_for_here(self) -> bool:
        """Whether its nodes have all of it, and its part here is to run."""
        return self._sent.is_set() and not self._ended_here.is_set()

    def ended_here(self) -> None:
        """Its part here has ended; what it bound here is another value of the same name than the nodes', as it says."""
        assert self.here is not None
        self._ended_here.set()
        if isinstance(self.here.error, KeyboardInterrupt):
            self._run.stop()
        elif self.here.error is not None and self._options.fail_fast:
            self._stop_all()
        for name in self._names.binds.intersection(here := self._notebook.names()):
            self._ledger.returned(name, here[name])

    async def _to_its_end(self) -> Verdict:
        """Wait for a cell that is not in the background, and leave what stays of it."""
        error: BaseException | None = None
        try:
            verdict = await self._finish()
            error = verdict.error
            return verdict
        except BaseException as unforeseen:
            error = unforeseen
            raise
        finally:
            self._run.end(None, error)
            self._on_page.end()

    async def _prepare(self) -> None:
        """Find the pool and its nodes, and what to send; nothing has run when this fails."""
        self._pool = await pools.for_cell(self._options, self._notebook.settings, self._notebook.at_hand)
        self._found = True
        self._ranks = pools.select(self._pool, self._options)
        self._ledger = self._notebook.ledger(self._pool)
        await learn(self._pool, self._ledger, self._ranks)
        self._run = CellCourse(self._ranks, title_of(self._source.code), each=self._options.group == "node")
        self._scattered = layouts(self._options.scatter)
        names = tuple(self._scattered)
        self._parts = self._split(names) if names else {}
        notes = self._pool._inner.project_notes()
        plan = self._plan(self._ranks)
        loop = asyncio.get_running_loop()
        screen = (RunScreen if self._options.bg else CellScreen)(self._notebook, self._pool, self._run)
        self._on_page = screen
        screen.before, self._blank = self._waits.look, lambda: not screen.wrote
        how, run = self._options.group, self._run
        self._grouped = Grouped(
            screen, self._ranks, how, loop.call_later, self._run.log, self._run.bars, lambda: run.name
        )
        self._run.shows = self._take
        if self._options.plain:
            screen.bundle(*quiet_line(banner(self._pool, self._ranks)))
        self._say([*told(names, self._parts), *notes, *plan.notes])
        self._gone = Gone()
        self._warn(self._gone.of_plan(plan, self._ranks))
        self._traffic = plan.traffic
        self._early = Early("run.cancel() interrupts" if self._options.bg else "--fail-fast would interrupt")
        stop = self._stop_all if self._options.fail_fast else None
        self._siblings = Siblings[Failed](self._ranks, self._tell_failed, stop)
        self._plans = dict.fromkeys(self._ranks, plan)
        try:
            self._launch(plan, self._ranks)
            self._run.stop_with(self._stop_all, self._kill_all)
        except BaseException as error:
            self._run.end(None, error)
            screen.end()
            raise
        self._line_up()
        self._waits.look()
        self._sent.set()

    def _waits_for(self) -> str:
        """For what it waits now, in words."""
        if not self._found:
            return waits.for_pool(self._options.pool)
        if not self._launched:
            return waits.for_nodes(self._pool, self._ranks, ())
        going_on = [rank for rank, node in self._run.nodes.items() if node.state in ("queued", "running")]
        return waits.for_nodes(self._pool, going_on, self._run.ids)

    def _shows_nothing(self) -> bool:
        """Whether the cell on the page is its own, and empty as far as it goes."""
        return self._options.awaited and self.here is None and self._blank()

    def _split(self, names: tuple[str, ...]) -> Parts:
        """What each node gets of the names to scatter."""
        here = self._notebook.names()
        check_here("--scatter", names, here)
        for name in set(names).intersection(self._options.send):
            raise UsageError(f"{name} goes either whole, with -i, or in parts, with --scatter; leave one of them out")
        parts = scattered(names, here, self._ranks, cyclic=self._scattered[names[0]])
        for name in names:
            self._ledger.returned(name, here[name])
        return parts

    def _line_up(self) -> None:
        """Take a place among the runs of these nodes, until the end."""
        self._queue = self._notebook.queue(self._pool)
        self._queue.enter(self._run, self._ranks)
        self._run.at_end(lambda: self._queue.leave_all(self._run))
        self._held = remember(self._run)

    def _plan(self, ranks: Sequence[int]) -> Plan:
        notebook = self._notebook
        limit = notebook.settings.value("size_limit")
        parts, cells = self._parts, notebook.cells
        here = notebook.at_hand.unsent(notebook.names(), (*self._options.send, *self._scattered))
        plan = self._ledger.plan(self._names, self._options.send, here, ranks, limit, parts, cells)
        if NAME not in here and self._ledger.lacks(NAME, self._names, ranks):
            notebook.at_hand.read()
        self.sizes |= {name: weight.size for name, weight in plan.weights.items()}
        return plan

    def _tell_at_hand(self) -> None:
        """Say what the name `pool` means here, and that it means nothing on the nodes."""
        if self._expression or not self._options.quiet:
            for line in self._notebook.at_hand.news():
                self._on_page.bundle(*quiet_line(line))

    def _say(self, notes: Sequence[str]) -> None:
        if not self._options.quiet:
            self._warn(notes)

    def _warn(self, notes: Sequence[str]) -> None:
        """Say what a quiet cell says too."""
        if notes:
            self._on_page.say("stderr", "".join(f"{note}\n" for note in notes))

    def _launch(self, plan: Plan, ranks: Sequence[int]) -> Launched:
        """Send the cell; nodes that get the same share one request, which leaves here once."""
        from skyward_jupyter.agent.session import run_cell
        from skyward_jupyter.api.compute import compute

        shared: dict[Parcel, PendingCompute[CellOutcome]] = {}
        for rank in ranks:
            parcel = plan.parcels[rank]
            if parcel not in shared:
                shared[parcel] = compute(run_cell)(self._request(plan, rank))
        calls = [shared[plan.parcels[rank]] for rank in ranks]
        launched = self._pool._inner.launch(
            calls[0] if len(shared) == 1 else calls,
            list(ranks),
            session=True,
            on_event=self._take,
            timeout=self._options.timeout,
            label=self._source.code.strip().partition("\n")[0],
        )
        self._run.ids.add(launched.run)
        self._launched = True
        self._waits.begin()
        launched.outlive(self._run.outlived)
        launched.each(lambda place, outcome: self._part_ended(ranks[place], outcome))
        self._started.append(launched)
        return launched

    def _stop_all(self) -> None:
        """Interrupt what still runs, although nobody cancelled the run."""
        for launched in self._started:
            launched.interrupt()

    def _kill_all(self) -> None:
        """End the processes of what still runs."""
        for launched in self._started:
            launched.kill()

    def _tell_failed(self, failed: Mapping[int, Failed], running: list[int]) -> None:
        """Say what has failed and for whom it is waited, after what was written before."""
        self._grouped.flush()
        self._on_page.say("stderr", self._early.of_cell(failed, running, stopping=self._siblings.stopping))

    def _part_ended(self, rank: int, outcome: Outcome) -> None:
        """One node is through, unless its session turned out to be another and it shall begin anew."""
        match outcome:
            case _ if _is_missing(outcome):
                self._missing.add(rank)
                self._lost.set()
                return
            case Success(_, CellOutcome() as done):
                self._run.mark(rank, shown=done.shown, error=done.error)
                self._siblings.ended(rank, done.error if not self._run.interrupted else None)
            case Failure(_, error):
                self._run.mark(rank, error=error)
                self._siblings.ended(rank, error if not self._run.interrupted else None)
        self._queue.leave(self._run, rank)

    def _request(self, plan: Plan, rank: int) -> CellRequest:
        parcel = plan.parcels[rank]
        shell: Any = self._notebook.shell
        return CellRequest(
            self._source,
            values=plan.values_of(rank),
            digests=plan.digests_of(rank),
            expects=dict(parcel.expects),
            keeps=parcel.keeps,
            binds=tuple(sorted(self._names.certain)),
            outs=self._options.out,
            wants_value=self._wants_value,
            colours=str(shell.colors),
            mode=str(shell.InteractiveTB.mode),
            sources=self._notebook.written(parcel.files),
        )

    def _take(self, event: TaskEvent) -> None:
        take(self._run.nodes[event.node], event)
        if self._expression or not self._options.quiet:
            self._grouped.take(event)

    async def _finish(self) -> Verdict:
        outcomes = await self._until_ended()
        if self.here is not None:
            await self._until_ended_here()
        self._siblings.close()
        self._run.shows = None
        self._grouped.end()
        try:
            verdict = self._verdict(outcomes)
        except SkywardError as error:
            verdict = Verdict(error=in_a_sentence(error))
        self._tell_at_hand()
        self._tell_traffic()
        return verdict

    async def _until_ended_here(self) -> None:
        """What is bound for both is bound last by the nodes; an interrupt meanwhile is for the part here."""
        while not self._ended_here.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self._ended_here.wait()

    def _tell_traffic(self) -> None:
        """Say what was sent, where that was much."""
        if not self._options.quiet and (line := self._traffic.line()):
            self._on_page.bundle(*quiet_line(line))

    async def _until_ended(self) -> list[Outcome]:
        """Wait for every node's part; each cancelling on the way stops the cell harder.

        A node whose session is another one than before begins anew at once: the others may wait for it.
        """
        ended: dict[int, Outcome] = {}
        waiting = {promise(self._started[0].outcomes())}
        while waiting:
            lost = promise(self._lost.wait())
            try:
                await asyncio.wait([*waiting, lost], return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                self._run.stop()
                continue
            finally:
                lost.cancel()
            waiting |= {promise(launched.outcomes()) for launched in self._begin_anew()}
            for done in [one for one in waiting if one.done()]:
                waiting.remove(done)
                ended |= {one.node: one for one in done.result() if one.node not in ended or not _is_missing(one)}
        return list((ended | self._refused).values())

    def _begin_anew(self) -> list[Launched]:
        """Send the cell again to the nodes whose session turned out to be another, unless it was stopped."""
        ranks, self._missing = sorted(self._missing), set()
        self._lost.clear()
        self._tell_gone(ranks)
        if not ranks or self._run.interrupted or self._siblings.stopping:
            return []
        try:
            plan = self._plan(ranks)
            self._warn(self._gone.of_plan(plan, ranks))
            self._plans.update(dict.fromkeys(ranks, plan))
            return [self._launch(plan, ranks)]
        except SkywardError as error:
            self._refused.update((rank, Failure(rank, error, 0.0)) for rank in ranks)
            for rank in ranks:
                self._part_ended(rank, self._refused[rank])
            return []

    def _is_new(self, outcome: Outcome) -> bool:
        """Whether the session that the ledger knows is gone."""
        match outcome:
            case Success(rank, CellOutcome() as done):
                return self._ledger.held(rank).session not in ("", done.session)
            case Failure(_, error):
                return isinstance(error, SlotDied | NodeLost) or (isinstance(error, TaskFailed) and error.killed)
        return False

    def _tell_gone(self, ranks: Sequence[int]) -> None:
        """Say what went with the sessions of these nodes."""
        self._warn(self._gone.of_sessions({rank: self._ledger.forget(rank) for rank in ranks}))

    def _verdict(self, outcomes: Sequence[Outcome]) -> Verdict:
        failed: dict[int, Failed] = {}
        self._tell_gone([outcome.node for outcome in outcomes if self._is_new(outcome)])
        for outcome in sorted(outcomes, key=lambda one: one.node):
            error = self._take_outcome(outcome)
            if error is not None:
                failed[outcome.node] = error
            if error is not None and outcome.node in self._run.nodes:
                self._run.mark(outcome.node, error=error)
        if not self._options.quiet:
            shown = {rank: done.shown for rank, done in self.outcomes.items() if done.shown is not None}
            show_values(self._on_page, shown, len(self._ranks) > 1, beside=self._options.group != "time")
        if self._run.interrupted:
            return Verdict(error=debuggable(self._notebook.shell, interrupted(failed, self._ranks), failed))
        if failed:
            stopped = [rank for rank in self._siblings.stopped if rank in failed and stopped_by(failed[rank])]
            first = {rank: error for rank, error in failed.items() if rank not in stopped}
            error = debuggable(self._notebook.shell, cell_failed(first, len(self._ranks), stopped), first)
            if self._options.keep_going:
                self._bind_beside(error.errors)
            return Verdict(error=error)
        wants_value = self._options.into is not None or not self._options.bg
        if (sentence := refusals(self.outcomes, value=wants_value, moves=self._moves)) is not None:
            raise CellFailed(sentence, {})
        return Verdict(self._bind())

    def _take_outcome(self, outcome: Outcome) -> Failed | None:
        match outcome:
            case Success(rank, CellOutcome() as done):
                self._ledger.record(rank, done, self._plans[rank], self._names)
                if done.error is None:
                    self.outcomes[rank] = done
                return done.error
            case Failure(_, error):
                return error
        return None

    def _bind(self) -> object:
        """Bind what was asked for; returns the value of the last expression."""
        for name in self._options.out:
            if self.here is not None and name in self._names.binds:
                self._say(
                    [f"{name}: the values of the nodes, by -o, have taken the place of the one that was bound here"]
                )
            self._bring(name, self._in_order({rank: done.outs[name] for rank, done in self.outcomes.items()}))
        value = self._in_order({rank: done.value for rank, done in self.outcomes.items()})
        if self._options.into is not None and not self._options.bg:
            self._bring(self._options.into, value)
        return value if self._wants_value and (self._options.bg or self._options.into is None) else None

    def _bind_beside(self, errors: Mapping[int, BaseException]) -> None:
        """Bind what was asked for, with the errors in the places of the nodes that failed."""
        for name in self._options.out:
            values = {rank: done.outs[name] for rank, done in self.outcomes.items() if name in done.outs}
            self._set(name, self._in_order({**errors, **values}))
        if self._options.into is not None and not self._options.bg:
            shown = {rank: done.value for rank, done in self.outcomes.items()}
            self._set(self._options.into, self._in_order({**errors, **shown}))

    def _in_order(self, values: Mapping[int, object]) -> object:
        ordered = [values[rank] for rank in sorted(values)]
        return ordered[0] if self._options.on.single and ordered else ordered

    def _bring(self, name: str, value: object) -> None:
        """Bind what nodes have; joined if that is asked for, and as a list if they cannot be."""
        self._set(name, value)
        if self._options.concat and isinstance(value, list) and not self._options.on.single:
            self._set(name, joined(value, f"{name}, which is a list in node order now,"))

    def _set(self, name: str, value: object) -> None:
        self._notebook.bind(name, value)
        self._ledger.returned(name, value)

    def _go_on(self) -> None:
        """Let the run go on in the background."""
        from skyward_jupyter.runtime.bridge import runtime

        if self._options.into is not None:
            self._notebook.bind(self._options.into, self._held)
        self._behind = runtime().spawn(self._in_background())

    async def _in_background(self) -> None:
        try:
            verdict = await self._finish()
        except Exception as error:
            verdict = Verdict(error=error)
        if verdict.error is not None:
            render = getattr(verdict.error, "_render_traceback_", lambda: [repr(verdict.error)])
            self._on_page.say("stderr", plain("\n".join(render())) + "\n")
        self._run.end(verdict.value, verdict.error)


def _is_missing(outcome: Outcome) -> bool:
    """Return whether the cell did not run there yet: the session is another than before and lacks what it expects."""
    return isinstance(outcome, Success) and isinstance(outcome.value, CellOutcome) and bool(outcome.value.missing)
