"""The one conversation between the kernel and a node.

Tasks, codes and controls go out with the next exchange; events come back in order. Whatever was on its way when the
link broke goes again, and the node recognises it. There is at most one exchange whose answer counts: a new one makes
the node answer the one before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import casty

from skyward_jupyter.actors.desk import TaskEntry, task_of
from skyward_jupyter.tasks import Tasks
from skyward_jupyter.wire.messages import Batch, Code, Control, Event, Exchange, Feed

#: Bytes of tasks in one exchange, and of streams.
EXCHANGE_BOUND = 2 * 2**20
#: A node keeps what came last until the next exchange; when there is none, for so many seconds.
ACKNOWLEDGE_AFTER = 1.0
#: An exchange is asked again when its answer is so many seconds late, plus the time its tasks take at so many bytes a
#: second: an answer that was lost on a connection that lives would be waited for for ever.
LATE = 30.0
SLOWEST = 100_000.0
#: An idle node is listened to, for so many seconds at a time: what tasks started may write after their end.
LISTEN = 60.0
_CODES = 512
_RETRY = 0.05


type Ask = Callable[[Exchange], Awaitable[Batch]]


class Courier:
    """Carries tasks to one node and brings its events back.

    Parameters
    ----------
    ask
        Sends an exchange to the node's worker.
    deliver
        Called with each event, in order, once.
    settled
        Called after each batch.
    unreachable
        Called when the node neither answered nor was `alive` for `patience` seconds.
    alive
        Says whether the node is known to run, so that only the link to it is broken: that may take as long as it does.

    epoch, taken
        How often the pool was taken over by another kernel, and what is called with who did it next.
    project
        Gives the user's project as the tasks of an exchange are to have it.

    Attributes
    ----------
    project
        The digest of the project that the node is known to have.
    following
        The tasks whose end has not come yet, and whether the task actor placed each.
    """

    def __init__(
        self,
        client: str,
        ask: Ask,
        deliver: Callable[[Event], None],
        settled: Callable[[], None],
        unreachable: Callable[[str], None],
        patience: float = 20.0,
        alive: Callable[[], bool] = lambda: False,
        *,
        epoch: int = 0,
        taken: Callable[[str], None] = lambda who: None,
        project: Callable[[], Code | None] = lambda: None,
    ) -> None:
        self._client = client
        self._ask = ask
        self._deliver = deliver
        self._settled = settled
        self._unreachable = unreachable
        self._patience = patience
        self._alive = alive
        self._epoch = epoch
        self._taken = taken
        self._project = project
        self.project = ""
        self._seen = self._acknowledged = 0
        self._resting: asyncio.TimerHandle | None = None
        self._tasks: list[TaskEntry] = []
        self._controls: list[Control] = []
        self._feeds: list[Feed] = []
        self._codes: dict[str, None] = {}
        self._running = Tasks("talking to a node", lambda error: unreachable(f"{type(error).__name__}: {error}"))
        self._turn = 0
        self._silent_since: float | None = None
        self._retrying = False
        self._listening = False
        self.following: dict[int, bool] = {}
        self.closed = False

    def add(self, entry: TaskEntry) -> None:
        """Put a task into the next exchange."""
        self._tasks.append(entry)
        self.following[entry.id] = entry.pooled

    def again(self, entry: TaskEntry) -> None:
        """The node lacks the function of a task: send both."""
        self._codes.pop(entry.code.digest, None)
        self.add(entry)

    def control(self, control: Control) -> None:
        """Put a control into the next exchange."""
        self._controls.append(control)

    def feed(self, feed: Feed) -> None:
        """Put a piece of a stream into the next exchange."""
        self._feeds.append(feed)

    def follow(self, task: int, pooled: bool) -> None:
        """Pull events until a task has ended that another kernel sent."""
        self.following[task] = pooled

    def start_after(self, seq: int) -> None:
        """The events up to number `seq` went to another kernel."""
        self._seen = max(self._seen, seq)

    def advance(self, event: Event) -> bool:
        """Take an event that came another way, if it is the next one."""
        if event.seq != self._seen + 1:
            return False
        self._seen = event.seq
        self._rest()
        return True

    def has(self, event: Event) -> bool:
        """Whether an event was delivered before."""
        return event.seq <= self._seen

    def flush(self) -> None:
        """Ask now, if there is anything to send or to wait for."""
        while not self.closed and (self._tasks or self._controls or self._feeds or self.following):
            tasks = self._take()
            self._turn += 1
            self._ask_later(self._exchange(tasks), tasks)
            if not self._tasks and not self._feeds:
                return
        self._rest()

    def close(self) -> None:
        """Stop; nothing is delivered after."""
        self.closed = True
        if self._resting is not None:
            self._resting.cancel()
        self._running.cancel()

    def _rest(self) -> None:
        """Nothing is asked for now: let the node forget, before long, what came."""
        if self._resting is None and not self.closed and self._acknowledged < self._seen:
            self._resting = asyncio.get_running_loop().call_later(ACKNOWLEDGE_AFTER, self._acknowledge)

    def _acknowledge(self) -> None:
        self._resting = None
        if self.closed or self.following or self._acknowledged == self._seen:
            return
        if not self._listening:
            self._listen()
            return
        self._turn += 1
        self._ask_later(Exchange(self._client, self._seen, hold=0.0, epoch=self._epoch), [])

    def _listen(self) -> None:
        """Hear what comes although nothing is asked for; the node may forget what came before."""
        self._listening, self._acknowledged = True, self._seen
        self._running.start(self._go_on_listening())

    async def _go_on_listening(self) -> None:
        """A node that cannot be asked, or is busy, is not listened to until it has had something to do."""
        try:
            while await self.hear(LISTEN) and not self.following:
                self._acknowledged = self._seen
        finally:
            self._listening = False

    async def hear(self, hold: float = 0.0) -> bool:
        """Take what came although nothing was asked for, or comes within `hold` seconds; False when that failed."""
        exchange = Exchange(self._client, self._seen, hold=hold, epoch=self._epoch, listen=True)
        try:
            async with asyncio.timeout(hold + LATE):
                batch = await self._ask(exchange)
        except Exception:
            return False
        if self.closed:
            return False
        if batch.taken:
            self._taken(batch.taken)
            return False
        self._receive(batch)
        self._settled()
        return not self.closed

    def _ask_later(self, exchange: Exchange, tasks: list[TaskEntry]) -> None:
        self._acknowledged = exchange.after
        self._running.start(self._converse(exchange, tasks, self._turn))

    def _take(self) -> list[TaskEntry]:
        size, count = 0, 0
        for entry in self._tasks:
            size += len(entry.args) + len(entry.code.body)
            if count and size > EXCHANGE_BOUND:
                break
            count += 1
        taken, self._tasks = self._tasks[:count], self._tasks[count:]
        return taken

    def _take_feeds(self) -> tuple[Feed, ...]:
        """As many as fit; a task that has ended reads none."""
        feeds = [feed for feed in self._feeds if feed.task in self.following]
        size, count = 0, 0
        for feed in feeds:
            size += len(feed.body)
            if count and size > EXCHANGE_BOUND:
                break
            count += 1
        self._feeds = feeds[count:]
        return tuple(feeds[:count])

    def _exchange(self, entries: list[TaskEntry]) -> Exchange:
        codes: dict[str, Code] = {}
        now = time.time()
        for entry in entries:
            entry.sent = entry.sent or now
            if entry.code.digest not in self._codes:
                codes[entry.code.digest] = entry.code
        controls, self._controls = tuple(self._controls), []
        tasks = tuple(map(task_of, entries))
        feeds = self._take_feeds() if self._feeds else ()
        project = self._project() if tasks else None
        return Exchange(
            self._client,
            self._seen,
            tasks,
            tuple(codes.values()),
            controls,
            feeds=feeds,
            epoch=self._epoch,
            project=None if project is None or project.digest == self.project else project,
        )

    async def _converse(self, exchange: Exchange, entries: list[TaskEntry], turn: int) -> None:
        try:
            async with asyncio.timeout(exchange.hold + LATE + _size(entries) / SLOWEST):
                batch = await self._ask(exchange)
        except (casty.Unavailable, casty.NotStarted, casty.ActorFailed, TimeoutError) as error:
            await self._failed(exchange, entries, str(error))
            return
        except Exception as error:
            self._unreachable(f"{type(error).__name__}: {error}")
            return
        if self.closed:
            return
        if batch.taken:
            self._taken(batch.taken)
            return
        self._silent_since = None
        self._know(exchange.codes)
        if exchange.project is not None:
            self.project = exchange.project.digest
        self._receive(batch)
        self._settled()
        if turn == self._turn:
            self.flush()

    def _know(self, codes: tuple[Code, ...]) -> None:
        """The node has these functions: only an answer says so, until then each exchange brings what it needs."""
        for code in codes:
            self._codes[code.digest] = None
        while len(self._codes) > _CODES:
            del self._codes[next(iter(self._codes))]

    def _receive(self, batch: Batch) -> None:
        # A batch starts at the oldest event the node keeps, so a number that is missing was output it dropped: an event
        # that says so has the number of the last that went.
        for event in batch.events:
            if event.seq > self._seen:
                self._seen = event.seq
                self._deliver(event)

    async def _failed(self, exchange: Exchange, entries: list[TaskEntry], why: str) -> None:
        now = asyncio.get_running_loop().time()
        if self._silent_since is None:
            self._silent_since = now
        self._codes.clear()
        self.project = ""
        self._tasks[:0] = [entry for entry in entries if not entry.outcome.done()]
        self._tasks.sort(key=lambda entry: entry.id)  # several exchanges may have failed: as they were called
        self._controls[:0] = exchange.controls
        self._feeds[:0] = exchange.feeds
        if self._alive():
            self._silent_since = now
        if now - self._silent_since > self._patience:
            self._unreachable(why)
            return
        if self._retrying:
            return  # one of those that failed together asks for all of them
        self._retrying = True
        await asyncio.sleep(_RETRY)
        self._retrying = False
        if not self.closed:
            self.flush()


def _size(entries: list[TaskEntry]) -> int:
    return sum(len(entry.args) + len(entry.code.body) for entry in entries)
