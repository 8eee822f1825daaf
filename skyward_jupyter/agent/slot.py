"""A slot: the process (or a thread of one) that runs user code, one task at a time.

It reads tasks from its agent's socket, runs them and sends back what they write, display, yield and return. When the
agent is gone, so is the slot: the socket ends when it is idle, and its launcher kills it when it is not.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Buffer, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import GeneratorType
from typing import Any

from skyward_jupyter.agent import keyboard
from skyward_jupyter.agent.accelerators import DEVICES, ORDER, visible
from skyward_jupyter.agent.ahead import Ahead
from skyward_jupyter.agent.attending import Attended
from skyward_jupyter.agent.captured import Loaded
from skyward_jupyter.agent.config import AgentConfig, Peer
from skyward_jupyter.agent.context import enter, info_of
from skyward_jupyter.agent.coroutines import settled
from skyward_jupyter.agent.failure import Failed, describe
from skyward_jupyter.agent.forks import ending_children, keep_from_children
from skyward_jupyter.agent.frames import CREDIT, SECONDS, Frame, Order, Reader
from skyward_jupyter.agent.imports import imports
from skyward_jupyter.agent.inputs import Inputs
from skyward_jupyter.agent.naming import Given, text_of
from skyward_jupyter.agent.outlet import Outlet, Pipes, capture, current, interrupts, settle, use
from skyward_jupyter.agent.pipes import Ends
from skyward_jupyter.agent.program import finish
from skyward_jupyter.agent.reach import enter as enter_collections
from skyward_jupyter.agent.runner import Runner
from skyward_jupyter.agent.threads import divide
from skyward_jupyter.collections.link import Link
from skyward_jupyter.errors import NoRoom
from skyward_jupyter.wire import shells
from skyward_jupyter.wire.blobs import Blob, BlobStore
from skyward_jupyter.wire.codec import blobs_of, pack, unpack
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.feeds import Grant
from skyward_jupyter.wire.parts import Put
from skyward_jupyter.wire.said import packed_grant

#: How many functions a slot keeps ready; its agent counts the same way.
CODES = 64
#: How often a generator that may go on looks for an early end (seconds).
_LOOK_EVERY = 0.001
_END = object()


class Slot:
    """Runs the tasks that come over one socket: where it is served, or, given a name, in a thread of that name."""

    def __init__(
        self,
        sock: socket.socket,
        config: AgentConfig,
        pipes: Pipes,
        link: Link,
        thread: str = "",
        number: int = 0,
        *,
        session: bool = False,
    ) -> None:
        self._link = link
        self._reader = Attended(sock, self._answered, self._answer) if session else Reader(sock)
        self._config = config
        self._pipes = pipes
        self._store = BlobStore(Path(config.store))
        self._codes: OrderedDict[str, Loaded] = OrderedDict()
        self._outlet = Outlet(sock, self._store.hand_over, pipes, number)
        self._ahead = Ahead(0)
        self._looked = 0.0
        self._inputs: Inputs | None = None
        self.runner = Runner(thread, lambda: use(self._outlet)) if thread else None

    def serve(self) -> None:
        """Run tasks until the agent is gone."""
        use(self._outlet)
        while (order := self._next()) is not None:
            kind, task, body = order
            match kind:
                case Order.RUN:
                    self._run(task, body)
                case Order.PEERS:
                    self._know(body)
                case Order.PROJECT:
                    imports.take(body)
                case Order.CALM:
                    self._outlet.end(Kind.CALM, b"")

    def _answered(self, question: bytes) -> bytes:
        """What the session says to a question; nothing when it cannot say, whatever code of the user's does then."""
        from skyward_jupyter.agent.answers import answer

        try:
            return answer(question, busy=self._outlet.active)
        except Exception:
            return b""

    def _answer(self, number: int, body: bytes) -> None:
        with contextlib.suppress(OSError):  # the agent is gone
            self._outlet.answer(number, body)

    def serve_beside(self) -> None:
        """`serve`, in a thread that nobody waits for while it does."""
        with contextlib.suppress(OSError):
            self.serve()

    def stop(self) -> None:
        """Interrupt what its thread runs, if anything, and end the thread."""
        if self.runner is not None:
            self.runner.stop()

    def _know(self, body: bytes) -> None:
        peers = tuple(Peer(*peer) for peer in pickle.loads(body))
        enter(info_of(self._config, peers))
        divide(self._config, peers)

    def _next(self) -> Frame | None:
        while True:
            try:
                return self._reader.next()
            except KeyboardInterrupt:
                continue  # meant for a task that has just ended

    def _run(self, task: int, body: bytes) -> None:
        digest, code, args, credit, flags, sent, streams, session = pickle.loads(body)
        self._outlet.begin(task, flags)
        if self.runner is not None:
            self.runner.begin(task)
        self._ahead = Ahead(credit)
        if streams:
            self._inputs = Inputs(self._reader, streams, self._store, self._want)
        started = time.perf_counter()
        try:
            kind, result = self._outcome(digest, code, args, credit > 0, sent, named=not session)
        except KeyboardInterrupt as error:
            interrupts.clear()
            kind, result = Kind.ERROR, self._failed(error, "interrupted")
        settle(restore=self.runner is None and not session)
        self._pipes.flush()
        self._outlet.flush()
        if self._inputs is not None:
            self._end_inputs(self._inputs)
        if not session:
            self._link.ended(task)
        if self.runner is not None:
            self.runner.end()
        self._outlet.end(kind, SECONDS.pack(time.perf_counter() - started) + result)

    def _want(self, grant: Grant) -> None:
        """The task waits for more of a stream: what it wrote so far is shown meanwhile."""
        self._outlet.flush()
        self._outlet.send(Kind.WANT, packed_grant(grant))

    def _end_inputs(self, inputs: Inputs) -> None:
        self._inputs = None
        for kind, _, body in inputs.close():
            if kind == Order.PEERS:
                self._know(body)

    def _outcome(
        self, digest: str, code: bytes | None, args: bytes, stream: bool, sent: float, *, named: bool
    ) -> tuple[Kind, bytes]:
        try:
            if imports.refresh():
                for known in self._codes.values():
                    known.forget()
            function = self._function(digest, code)
            given: Any = unpack(args, self._store.open)
            positional, keywords = given
            imports.complete()
            if self._inputs is not None:
                positional = tuple(map(self._inputs.place, positional))
                keywords = {name: self._inputs.place(value) for name, value in keywords.items()}
        except BaseException as error:
            return Kind.ERROR, self._failed(error, "input")
        call = (function, positional, keywords) if named else None
        try:
            if self.runner is None:
                interrupts.begin(sent)
            value = self._call(lambda: settled(function(*positional, **keywords)))
            if stream and isinstance(value, GeneratorType):
                self._stream(value)
                value = None
        except (KeyboardInterrupt, SystemExit) as error:
            interrupts.clear()
            how = "interrupted" if isinstance(error, KeyboardInterrupt) else "raised"
            return Kind.ERROR, self._failed(error, how, call)
        except BaseException as error:
            interrupts.clear()
            how = "fed" if self._inputs is not None and self._inputs.raised(error) else "raised"
            return Kind.ERROR, self._failed(error, how, call)
        interrupts.clear()
        return self._returned(value, call)

    def _returned(self, value: object, call: Given | None) -> tuple[Kind, bytes]:
        try:
            return Kind.VALUE, self._pack(value)
        except NoRoom as error:
            return Kind.ERROR, self._failed(error, "raised", call)
        except BaseException as error:
            return Kind.ERROR, self._failed(error, "result", call)

    def _call[T](self, work: Callable[[], T]) -> T:
        if self.runner is None:
            return ending_children(work)
        return self.runner.call(lambda: ending_children(work))

    def _stream(self, values: Iterator[object]) -> None:
        while (value := self._call(lambda: next(values, _END))) is not _END:
            self._await_reader()
            if self._ahead.closed:
                interrupts.clear()  # the generator's own cleanup runs to its end
                values.close()  # type: ignore[attr-defined]
                return
            body = self._whole(partial(pack, value), self._outlet.give)
            self._ahead.sent(len(body) + sum(blob.size for blob in blobs_of(body)))

    def _await_reader(self) -> None:
        """Take in credit and an early end; waits only when no more may be sent."""
        orders, now = self._inputs or self._reader, time.monotonic()
        if self._ahead.may_send():
            if now - self._looked < _LOOK_EVERY:
                return
            self._looked = now
            while not self._ahead.closed and (order := orders.poll()) is not None:
                self._heed(order)
        if not self._ahead.may_send():
            self._outlet.flush_yields()
        while not self._ahead.closed and not self._ahead.may_send() and (order := orders.next()) is not None:
            self._heed(order)

    def _heed(self, order: Frame) -> None:
        match order:
            case (Order.CREDIT, _, body):
                self._ahead.grant(*CREDIT.unpack(body))
            case (Order.CLOSE, _, _):
                self._ahead.closed = True
            case (Order.PEERS, _, body):
                self._know(body)

    def _function(self, digest: str, code: bytes | None) -> Callable[..., Any]:
        """The function of a digest, with its own copy of what it took along that can change."""
        if code is not None:
            self._codes[digest] = Loaded(partial(unpack, code, self._store.open))
        self._codes.move_to_end(digest)
        while len(self._codes) > CODES:
            self._codes.popitem(last=False)
        function: Callable[..., Any] = self._codes[digest].get()
        return function

    def _pack(self, value: object) -> bytes:
        return self._whole(partial(pack, value))

    def _failed(self, error: BaseException, how: str = "raised", call: Given | None = None) -> bytes:
        return self._whole(_described(error, how, call).to_bytes)

    def _whole(self, packed: Callable[[Put], bytes], send: Callable[[bytes], None] | None = None) -> bytes:
        """What `packed` gives, once it is sent; where that fails or is interrupted, no large part stays unfetched."""
        kept: list[Blob] = []

        def put(data: Buffer) -> Blob:
            with interrupts:  # so that none comes between the file and its note
                kept.append(self._store.hand_over(data))
            return kept[-1]

        try:
            body = packed(put)
            if send is not None:
                with interrupts:  # so that none comes between the two
                    send(body)
                    kept.clear()
            return body
        except BaseException:
            for blob in kept:
                self._store.drop(blob.name)
            raise


def _described(error: BaseException, how: str = "raised", call: Given | None = None) -> Failed:
    """What failed, with the files of the user's project called what they are called at the kernel."""
    text = text_of(call, error.__traceback__) if call is not None else ""
    failed = describe(error, how)
    if text:
        failed.facts["call"] = text
    frames = tuple(tuple(replace(f, file=imports.as_called(f.file)) for f in part) for part in failed.frames)
    if how == "input" and isinstance(error, ModuleNotFoundError) and error.name:
        failed.facts["lacking"] = error.name.partition(".")[0]
    return replace(failed, formatted=imports.as_called(failed.formatted), frames=frames)


def run_process(config: AgentConfig, sockets: list[socket.socket], label: str, ends: Ends) -> None:
    """Be a slot process: one socket is served by the main thread, several by a thread each.

    With several, the last socket carries the orders to interrupt a thread. `label` is its number, or ``session``, after
    a dot. What it writes goes to `ends`.
    """
    _prepare(config, label.removeprefix("."))
    pipes = capture(ends)
    keep_from_children(sockets)
    keyboard.install()
    shells.install(_make_shell)
    link = enter_collections(config, _task)
    try:
        if len(sockets) == 1:
            interrupts.install()
            Slot(sockets[0], config, pipes, link, session=label == ".session").serve()
        else:
            _serve_threads(config, sockets, pipes, link)
    except (KeyboardInterrupt, OSError):
        pass  # it is to end, and the agent is gone
    finally:
        finish()


def _serve_threads(config: AgentConfig, sockets: list[socket.socket], pipes: Pipes, link: Link) -> None:
    *served, control = sockets
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    slots = [Slot(sock, config, pipes, link, f"skyward-slot-{index}", index) for index, sock in enumerate(served)]
    for slot in slots:
        threading.Thread(target=slot.serve_beside, name="skyward-serve", daemon=True).start()
    reader = Reader(control)
    while (order := reader.next()) is not None:
        kind, task, body = order
        runner = slots[int.from_bytes(body, "little")].runner
        if kind == Order.INTERRUPT and runner is not None:
            runner.interrupt(task)
    for slot in slots:
        slot.stop()


def _task() -> int:
    """The task that the code which asks belongs to; 0 for none."""
    outlet = current()
    return outlet.task if outlet.active else 0


def _make_shell() -> object:
    from skyward_jupyter.agent.shell import make_shell

    return make_shell()


def _prepare(config: AgentConfig, slot: str) -> None:
    """Make the process look to user code like the kernel's: its path, directory and environment."""
    sys.path[:] = list(config.paths) or sys.path
    sys.argv[:] = [""]
    if config.directory and os.path.isdir(config.directory):
        os.chdir(config.directory)
    if config.env:
        if not config.renewed:
            os.environ.clear()
        os.environ.update(config.env)
    if config.accelerators and DEVICES not in os.environ:
        os.environ.setdefault(*ORDER)
        os.environ[DEVICES] = _devices(config, slot)
    peers = config.peers or (Peer(config.rank, config.address, len(config.accelerators)),)
    enter(info_of(config, peers))
    divide(config, peers)
    imports.enter(config)


def _devices(config: AgentConfig, slot: str) -> str:
    """The GPUs of a slot process: a share for each of several, all for the session and for one that has all slots."""
    gpus = [gpu.index for gpu in config.accelerators]
    if config.executor == "process" and slot.isdecimal():
        return visible(config.concurrency, gpus)[int(slot)]
    return visible(1, gpus)[0]
