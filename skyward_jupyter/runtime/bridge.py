"""The loop the runtime lives on, and the ways to reach it: `wait` blocks, `bridge` awaits.

In a kernel the runtime shares the kernel's own event loop, and `wait` sets the cell's stack aside while that loop goes
on; where it cannot, it runs the loop from inside the cell (nest-asyncio2). In a script or a terminal it has a loop of
its own, on a daemon thread, or on the main thread while that waits (see `skyward_jupyter.runtime.turns`). Nothing else
in the project decides between these.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

from skyward_jupyter.errors import BlockingRefused
from skyward_jupyter.runtime import restarts, waiting
from skyward_jupyter.runtime.awake import stay_awake
from skyward_jupyter.runtime.cells import kernel_shell, suspend_cells
from skyward_jupyter.runtime.interrupts import note_sigint, on_sigint
from skyward_jupyter.runtime.suspension import suspended, suspends
from skyward_jupyter.runtime.tracebacks import without_carriers
from skyward_jupyter.runtime.turns import Turns

#: How long a thread sleeps at a time (seconds) where a signal cannot wake it.
LOOK_UP_EVERY = 0.2

_lock = threading.Lock()
_runtime: Runtime | None = None


class Runtime:
    """The event loop of this process's pools.

    Attributes
    ----------
    loop
        The loop itself.
    in_kernel
        Whether it is the kernel's own.
    turns
        Outside a kernel: who runs it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, in_kernel: bool, turns: Turns | None = None) -> None:
        self.loop = loop
        self.in_kernel = in_kernel
        self.turns = turns
        self._cell: asyncio.Task[Any] | None = None
        self._interrupted = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Call `function` on the loop, from any thread."""
        self.loop.call_soon_threadsafe(function, *args)

    def needed(self) -> AbstractContextManager[None]:
        """While inside, another thread or loop waits for this one."""
        return self.turns.needed() if self.turns is not None else nullcontext()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine beside everything else; the runtime keeps it until it is done. Call it on the loop."""
        task = self.loop.create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def enter_cell(self, *_: object) -> None:
        """Remember which task runs the user's cell, the one that may block, and whether it is interrupted."""
        try:
            self._cell = asyncio.current_task()
        except RuntimeError:
            self._cell = None
        self._interrupted = False
        if threading.current_thread() is threading.main_thread():
            note_sigint(self._note_interrupt)

    def interrupted_here(self) -> bool:
        """Whether the caller runs in the cell's own task, and the cell was interrupted."""
        return self._interrupted and self.on_loop and asyncio.current_task() is self._cell

    def _note_interrupt(self) -> None:
        self._interrupted = True

    @property
    def on_loop(self) -> bool:
        """Whether the caller runs on the runtime's loop."""
        return _running_loop() is self.loop

    def may_block(self) -> bool:
        """Whether `wait` can be answered here: a cell, or a thread other than the loop's."""
        if not self.in_kernel:
            return not self.on_loop
        if threading.current_thread() is not threading.main_thread():
            return False
        return not self.on_loop or asyncio.current_task() is self._cell


def runtime() -> Runtime:
    """The runtime of this process, made on first use."""
    global _runtime
    with _lock:
        if _runtime is None:
            _runtime = _kernel_runtime() or _thread_runtime()
        return _runtime


def wait[T](awaitable: Awaitable[T], instead: str = "await") -> T:
    """Block until `awaitable` is done and return what it gives.

    An interrupt cancels it and raises KeyboardInterrupt once it has ended, also when its result arrived meanwhile.

    Parameters
    ----------
    instead
        The form to await, for the error that refuses to block.

    Raises
    ------
    BlockingRefused
        Where blocking would wait for itself: in a background task or on a thread beside a kernel.
    """
    here = runtime()
    if not here.may_block():
        _drop(awaitable)
        raise BlockingRefused(f"blocking here would stop the event loop it waits for; use `{instead}`")
    __tracebackhide__ = True
    try:
        if here.in_kernel:
            return _within(here, awaitable)
        if here.turns is not None and here.turns.may_drive():
            return here.turns.wait(awaitable)
        return _across(here, awaitable)
    except BaseException as error:
        raise without_carriers(error)  # noqa: B904


async def bridge[T](awaitable: Awaitable[T]) -> T:
    """Await something of the runtime from any event loop.

    In an awaited cell, an interrupt ends it with KeyboardInterrupt.
    """
    __tracebackhide__ = True
    here = runtime()
    try:
        if here.on_loop:
            return await awaitable
        with here.needed():
            return _given(await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_settled(awaitable), here.loop)))
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


def _drop(awaitable: Awaitable[Any]) -> None:
    """Nobody will await it."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()


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


def _within[T](here: Runtime, awaitable: Awaitable[T]) -> T:
    """Wait on the kernel's own loop, from inside a cell that runs on it."""
    try:
        block = _suspended if suspends() else _nesting(here)
    except BaseException:
        _drop(awaitable)
        raise
    tasks: list[asyncio.Future[T]] = []
    interrupted: list[bool] = []

    def interrupt() -> None:
        interrupted.append(True)
        for task in tasks:
            here.loop.call_soon_threadsafe(task.cancel)

    with on_sigint(interrupt):  # before the task is made: an interrupt in between would leave it running for nobody
        tasks.append(task := asyncio.ensure_future(awaitable, loop=here.loop))
        if interrupted:
            task.cancel()
        stay_awake(here.loop, task)
        try:
            result: T = block(task)
        except BaseException as error:
            of_cell = isinstance(error, asyncio.CancelledError) and here.interrupted_here()
            if (interrupted or of_cell) and not isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise
    if interrupted:
        raise KeyboardInterrupt
    return result


def _suspended(task: asyncio.Future[Any]) -> Any:
    try:
        return suspended(task.__await__())
    finally:
        task.cancel()  # does nothing unless the cell itself was ended meanwhile


def _nesting(here: Runtime) -> Callable[[asyncio.Future[Any]], Any]:
    """Run the loop from inside the cell: for the one that made the runtime, and for a greenlet of somebody else's."""
    import nest_asyncio2

    _refuse_foreign_patch()
    nest_asyncio2.apply(here.loop)
    return here.loop.run_until_complete


def _across[T](here: Runtime, awaitable: Awaitable[T]) -> T:
    tasks: list[asyncio.Task[Any]] = []
    interrupted: list[bool] = []

    async def work() -> tuple[T | None, Exception | None]:
        tasks.extend(filter(None, [asyncio.current_task()]))
        if interrupted:
            _drop(awaitable)
            raise asyncio.CancelledError
        return await _settled(awaitable)

    def cancel() -> None:
        for task in tasks:
            task.cancel()

    def interrupt() -> None:
        interrupted.append(True)
        here.loop.call_soon_threadsafe(cancel)

    with on_sigint(interrupt), here.needed():
        future = asyncio.run_coroutine_threadsafe(work(), here.loop)
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
    loop = _running_loop() or getattr(getattr(shell.kernel, "io_loop", None), "asyncio_loop", None)
    if loop is None:
        return None
    made = Runtime(loop, in_kernel=True)
    made.enter_cell()
    restarts.watch(shell.kernel)
    shell.events.register("pre_run_cell", made.enter_cell)
    suspend_cells()
    return made


def _thread_runtime() -> Runtime:
    loop = asyncio.new_event_loop()
    turns = Turns(loop)
    atexit.register(turns.close)
    return Runtime(loop, in_kernel=False, turns=turns)
