"""The loop the runtime lives on, and the ways to reach it: `wait` blocks, `bridge` awaits.

It is a loop of its own, on a daemon thread, or on the main thread while that waits (see
`skyward_jupyter.runtime.turns`): so it goes on whatever the program's threads block on. In a kernel, a cell that waits
longer than for a moment has its stack set aside, and the kernel's loop goes on too; where that cannot be, this loop is
run from inside the cell (nest-asyncio2). Nothing else in the project decides between these.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

from skyward_jupyter.errors import BlockingRefused
from skyward_jupyter.runtime import forks, restarts, waiting
from skyward_jupyter.runtime.cells import cell_and_messages, kernel_shell, suspend_cells
from skyward_jupyter.runtime.crossing import Crossing, Work, drop, outside
from skyward_jupyter.runtime.interrupts import note_sigint, on_sigint
from skyward_jupyter.runtime.suspension import suspended, suspends
from skyward_jupyter.runtime.tracebacks import without_carriers
from skyward_jupyter.runtime.turns import Turns
from skyward_jupyter.tasks import Tasks

#: How long a thread sleeps at a time (seconds) where a signal cannot wake it.
LOOK_UP_EVERY = 0.2
#: How long a cell runs the runtime's loop itself (seconds) before the kernel's loop goes on: a trivial call's time,
BRIEFLY = 0.01
#: and how long calls that follow each other may keep the kernel's loop from it.
UNATTENDED = 0.03
#: How long a cell waits (seconds) before it says for what.
LONG = 1.0

_lock = threading.Lock()
_runtime: Runtime | None = None
#: Stands still for each fork that takes place now.
_paused: list[Turns] = []


class Runtime:
    """The event loop of this process's pools.

    Attributes
    ----------
    loop
        The loop itself.
    turns
        Who runs it.
    kernel
        The event loop of the kernel that this process is; None in any other.
    awaited
        How many things of the runtime the kernel's loop awaits.
    began
        Which cell of the user runs, or ran last, and how many messages the kernel had sent before.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turns: Turns | None = None,
        kernel: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.loop = loop
        self.turns = turns
        self.kernel = kernel
        self.awaited = 0
        self.began = ("", 0)
        self._cell: asyncio.Task[Any] | None = None
        self._interrupted = False
        self._attended = 0.0
        self._tasks = Tasks("work of the runtime", loop=loop)

    @property
    def in_kernel(self) -> bool:
        """Whether this process is a kernel."""
        return self.kernel is not None

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Call `function` on the loop, from any thread."""
        self.loop.call_soon_threadsafe(function, *args)

    def attend(self, function: Callable[..., object], *args: object) -> None:
        """Call `function` on the loop at once, although nobody waits for it; from any thread."""
        self.loop.call_soon_threadsafe(function, *args)
        if self.turns is not None:
            self.turns.attend()

    def needed(self) -> AbstractContextManager[None]:
        """While inside, another thread or loop waits for this one."""
        return self.turns.needed() if self.turns is not None else nullcontext()

    def spawn(self, work: Coroutine[Any, Any, Any], *, awaited: bool = False) -> asyncio.Task[Any]:
        """Run a coroutine beside everything else; the runtime keeps it until it is done. Call it on the loop.

        Should it fail, whoever awaits it is told; the log tells it too, unless it is `awaited` by those it concerns.
        """
        start = self._tasks.promise if awaited else self._tasks.begin
        return start(work, context=contextvars.Context())

    def enter_cell(self, *_: object) -> None:
        """Remember which task runs the user's cell, and whether it is interrupted."""
        try:
            self._cell = asyncio.current_task()
        except RuntimeError:
            self._cell = None
        self._interrupted = False
        self.began = cell_and_messages()
        self.attended()
        if threading.current_thread() is threading.main_thread():
            note_sigint(self._note_interrupt)

    def attended(self) -> None:
        """The kernel's loop has had its turn."""
        self._attended = time.monotonic()

    @property
    def unattended(self) -> float:
        """For how long the kernel's loop has had no turn (seconds), as far as waiting goes."""
        return time.monotonic() - self._attended

    def interrupted_here(self) -> bool:
        """Whether the caller runs in the cell's own task, and the cell was interrupted."""
        return self._interrupted and self._in_cells_task()

    def _note_interrupt(self) -> None:
        self._interrupted = True

    @property
    def on_loop(self) -> bool:
        """Whether the caller runs on the runtime's loop."""
        return _running_loop() is self.loop

    @property
    def in_cell(self) -> bool:
        """Whether the caller is a kernel's cell, so that the kernel's loop goes on while it waits."""
        return self.on_kernel and (suspends() or self._in_cells_task())

    @property
    def waits_here(self) -> bool:
        """Whether nothing but `wait` should block here: in a cell, and on the loop, where that refuses."""
        return self.on_loop or self.in_cell

    def may_block(self) -> bool:
        """Whether `wait` can be answered here: everywhere but on the loop itself."""
        return not self.on_loop

    @property
    def on_kernel(self) -> bool:
        """Whether the caller runs on the kernel's loop."""
        return self.kernel is not None and _running_loop() is self.kernel

    def _in_cells_task(self) -> bool:
        return self.on_kernel and asyncio.current_task() is self._cell


def runtime() -> Runtime:
    """The runtime of this process, made on first use."""
    global _runtime
    with _lock:
        if _runtime is None:
            _runtime = _kernel_runtime() or _thread_runtime()
        return _runtime


def wait[T](work: Work[T], instead: str = "await", *, calls: int = 1) -> T:
    """Block until `work` is done and return what it gives.

    An interrupt cancels it and raises KeyboardInterrupt once it has ended, also when its result arrived meanwhile.

    Parameters
    ----------
    instead
        The form to await, for the error that refuses to block.
    calls
        How many calls are waited for at a time: this thread stays awake for a moment if they leave it a core, as suits
        what comes at once.

    Raises
    ------
    BlockingRefused
        Where blocking would wait for itself: in what the runtime's own loop calls.
    """
    here = runtime()
    if not here.may_block():
        drop(work)
        raise BlockingRefused(f"blocking here would stop the event loop it waits for; use `{instead}`")
    __tracebackhide__ = True
    try:
        if here.in_cell:
            return _within(here, work, calls)
        if here.turns is not None and here.turns.may_drive():
            return here.turns.wait(work, calls=calls)
        return _across(here, work)
    except BaseException as error:
        drop(work)
        raise without_carriers(error)  # noqa: B904


async def bridge[T](work: Work[T], *, calls: int = 1) -> T:
    """Await something of the runtime from any event loop; cancelled, it returns once that has ended.

    In an awaited cell, an interrupt ends it with KeyboardInterrupt. `calls` is as for `wait`.
    """
    __tracebackhide__ = True
    here = runtime()
    try:
        if here.on_loop:
            return await (work() if callable(work) else work)
        crossing = Crossing(here.loop, work)
        del work  # what a call was made with is not kept by those who wait for it
        if here.on_kernel:
            return await _from_kernel(here, crossing, calls)
        with here.needed():
            return await crossing.ended()
    except asyncio.CancelledError:
        if here.interrupted_here():
            raise KeyboardInterrupt from None
        raise
    except Exception as error:
        raise without_carriers(error)  # noqa: B904


def prewarm() -> None:
    """Start what the first pool needs, in the background."""
    from skyward_jupyter.fleets.launcher import launcher

    runtime().call_soon(launcher)


async def _settled[T](awaitable: Awaitable[T]) -> tuple[T | None, Exception | None]:
    """What `awaitable` gives or raises: asyncio makes some exceptions anew when they cross threads as such."""
    try:
        return await awaitable, None
    except Exception as error:
        return None, error


def _given[T](settled: tuple[T | None, Exception | None]) -> T:
    value, error = settled
    if error is not None:
        try:
            raise error
        finally:
            del error, settled
    return cast(T, value)


def _within[T](here: Runtime, given: Work[T], calls: int) -> T:
    """Wait in a cell: first by running the runtime's loop, then, if need be, while the kernel's goes on."""
    assert here.kernel is not None
    block = suspended if suspends() else _nesting(here.kernel)
    work = Crossing(here.loop, given)
    interrupted: list[bool] = []

    def interrupt() -> None:
        interrupted.append(True)
        work.cancel()

    with on_sigint(interrupt):  # before it begins: an interrupt in between would leave it running for nobody
        try:
            enough = block is suspended and _briefly(here, work, calls)
            result: T = work.begin().result() if enough else _meanwhile(here, work, block)
        except BaseException as error:
            of_cell = isinstance(error, asyncio.CancelledError) and here.interrupted_here()
            if (interrupted or of_cell) and not isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise
    if interrupted:
        raise KeyboardInterrupt
    return result


def _briefly(here: Runtime, work: Crossing[Any], calls: int) -> bool:
    """Run the runtime's loop from here for a moment; returns whether that was enough."""
    if here.turns is None or here.kernel is None or here.unattended > UNATTENDED:
        return False
    try:
        with outside(here.kernel):
            return here.turns.run(work.begin, BRIEFLY, calls=calls).done()
    except BaseException:
        work.cancel()
        raise


async def _from_kernel[T](here: Runtime, work: Crossing[T], calls: int) -> T:
    """Await on the kernel's loop; while that has nothing else to await, first by running the runtime's for a moment."""
    here.awaited += 1
    try:
        if await _alone(here, work) and _briefly(here, work, calls):
            return work.begin().result()
        with here.needed(), _told_late(here, work):
            return await work.ended()
    finally:
        here.awaited -= 1


async def _alone(here: Runtime, work: Crossing[Any]) -> bool:
    """Whether nothing else awaits the runtime, once what is about to has begun to."""
    try:
        await asyncio.sleep(0)
    except BaseException:
        work.drop()
        raise
    here.attended()
    return here.awaited == 1


def _meanwhile(here: Runtime, work: Crossing[Any], block: Callable[[Coroutine[Any, Any, Any]], Any]) -> Any:
    """Have the kernel's loop go on."""
    with here.needed(), _told_late(here, work):
        try:
            return block(work.ended())
        finally:
            here.attended()


@contextmanager
def _told_late(here: Runtime, work: Crossing[Any]) -> Iterator[None]:
    """Have what is waited for on the kernel's loop say so, if that takes long."""
    assert here.kernel is not None
    later = here.kernel.call_later(LONG, here.loop.call_soon_threadsafe, work.say)
    try:
        yield
    finally:
        later.cancel()


def _nesting(loop: asyncio.AbstractEventLoop) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run the kernel's loop from inside the cell: for the one that made the runtime, and for a greenlet of others."""
    import nest_asyncio2

    _refuse_foreign_patch()
    nest_asyncio2.apply(loop)
    return loop.run_until_complete


def _across[T](here: Runtime, work: Work[T]) -> T:
    tasks: list[asyncio.Task[Any]] = []
    interrupted: list[bool] = []

    async def ended() -> tuple[T | None, Exception | None]:
        tasks.extend(filter(None, [asyncio.current_task()]))
        if interrupted:
            drop(work)
            raise asyncio.CancelledError
        return await _settled(work() if callable(work) else work)

    def cancel() -> None:
        for task in tasks:
            task.cancel()

    def interrupt() -> None:
        interrupted.append(True)
        here.loop.call_soon_threadsafe(cancel)

    with on_sigint(interrupt), here.needed():
        future = asyncio.run_coroutine_threadsafe(ended(), here.loop)
        waiting.enter()
        try:
            settled = _result_of(future)
        except concurrent.futures.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            waiting.leave()
    if interrupted:
        raise KeyboardInterrupt
    return _given(settled)


def _result_of[T](future: concurrent.futures.Future[T]) -> T:
    """Its result. A signal that arrives just before a thread goes to sleep is handled only when that wakes again."""
    while True:
        try:
            return future.result(LOOK_UP_EVERY)
        except TimeoutError:
            continue  # an error of what was awaited comes as part of the result


def _forget() -> object:
    """A forked child has no runtime yet, and cannot touch the connections of its parent's."""
    global _lock, _runtime
    left, _runtime, _lock = _runtime, None, threading.Lock()
    _paused.clear()
    if left is not None and left.turns is not None:
        left.turns.leave_to_parent()
    return left


def _pause() -> None:
    """Have the loop stand still for a fork: so no other process has half of what it was doing."""
    if _runtime is not None and _runtime.turns is not None:
        _paused.append(_runtime.turns)
        _runtime.turns.pause()


def _go_on() -> None:
    if _paused:
        _paused.pop().go_on()


forks.forget_in_child(_forget)
forks.stand_still(_pause, _go_on)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _refuse_foreign_patch() -> None:
    """The original nest_asyncio loses the cell behind a blocked one; its patch cannot be undone."""
    run = asyncio.run
    if getattr(run, "__module__", "") == "nest_asyncio":
        raise BlockingRefused(
            "nest_asyncio has patched this kernel's event loop, and with it blocking calls lose cells; remove "
            "`nest_asyncio.apply()` (Skyward brings nest-asyncio2), restart the kernel, or await the call instead"
        )


def _kernel_runtime() -> Runtime | None:
    shell = kernel_shell()
    if shell is None:
        return None
    kernel = getattr(getattr(shell.kernel, "io_loop", None), "asyncio_loop", None) or _running_loop()
    if kernel is None:
        return None
    made = _thread_runtime(kernel)
    made.enter_cell()
    restarts.watch(shell.kernel)
    shell.events.register("pre_run_cell", made.enter_cell)
    suspend_cells()
    return made


def _thread_runtime(kernel: asyncio.AbstractEventLoop | None = None) -> Runtime:
    loop = asyncio.new_event_loop()
    turns = Turns(loop)
    atexit.register(turns.close)
    return Runtime(loop, turns, kernel)
