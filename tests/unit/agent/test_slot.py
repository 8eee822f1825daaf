"""A slot process, spoken to as its agent does."""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skyward_jupyter.agent.config import AgentConfig, Peer
from skyward_jupyter.agent.context import instance_info
from skyward_jupyter.agent.failure import Failed
from skyward_jupyter.agent.frames import COUNT, CREDIT, SECONDS, Frame, Order, Reader, frame
from skyward_jupyter.agent.pipes import STREAMS, Ends, Page, unread
from skyward_jupyter.wire import feeds
from skyward_jupyter.wire.blobs import BlobStore
from skyward_jupyter.wire.codec import pack, unpack
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.feeds import Fed
from skyward_jupyter.wire.messages import Feed
from tests.said import content


class Slot:
    """One slot process of a node, and the agent's end of its socket."""

    def __init__(self, store: Path) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(20)
        self.sock = ours
        self.store = BlobStore(store)
        config = AgentConfig(
            pool="unit",
            rank=2,
            address="127.0.0.3:25520",
            seeds=(),
            cluster="unit",
            store=str(store),
            paths=tuple(sys.path),
            directory=str(store),
            env={"UNIT": "é"},
            peers=(Peer(0, "127.0.0.1:25520"), Peer(2, "127.0.0.3:25520")),
        )
        ends = Ends.new()
        spec = {
            "role": "slot",
            "config": config.to_json(),
            "label": ".0",
            "fds": [theirs.fileno()],
            "ends": ends.fds,
            "parent": os.getpid(),
        }
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "skyward_jupyter.agent.child"],
                pass_fds=[theirs.fileno(), *ends.fds],
                stdin=subprocess.PIPE,
            )
            assert self.process.stdin is not None
            with self.process.stdin as pipe:
                pipe.write(json.dumps(spec).encode())
        for fd in ends.writes:
            os.close(fd)
        self.ends = ends.for_agent
        self._page: Page | None = None
        self._reader = Reader(ours)
        self._tasks = 0

    def start(
        self, function: Callable[..., Any], *args: object, credit: int = 0, flags: str = "", streams: int = 0
    ) -> int:
        self._tasks += 1
        code, given = pack(function, self.store.put), pack((args, {}), self.store.put)
        sent = time.monotonic()
        self.order(Order.RUN, pickle.dumps((str(self._tasks), code, given, credit, flags, sent, streams, False)))
        return self._tasks

    def order(self, kind: Order, body: bytes = b"") -> None:
        self.sock.sendall(frame(kind, self._tasks, body))

    def next(self) -> Frame:
        found = self._reader.next()
        assert found is not None, "the slot has ended"
        return found

    def events(self) -> list[tuple[Kind, Any]]:
        """What the task sends until its end."""
        found: list[tuple[Kind, Any]] = []
        while not (found and found[-1][0].final):
            kind, task, body = self.next()
            assert task == self._tasks
            if kind == Kind.MARK or Kind(kind).final:
                found += [(Kind.OUTPUT, (stream, data.decode())) for stream, data in self.piped()]
            if kind != Kind.MARK:
                found += self.told(Kind(kind), body)
        return found

    def told(self, kind: Kind, body: bytes) -> list[tuple[Kind, Any]]:
        """What a frame says; several yields one by one."""
        if kind is not Kind.YIELDS:
            return [(kind, self.content(kind, body))]
        items = list(feeds.yielded(body[COUNT.size :]))
        assert COUNT.unpack_from(body) == (len(items),)
        return [(Kind.YIELD, unpack(item, self.store.open)) for item in items]

    def yields(self, count: int) -> list[Any]:
        """The next things that are yielded."""
        found: list[tuple[Kind, Any]] = []
        while len(found) < count:
            kind, _, body = self.next()
            if kind != Kind.MARK:
                found += self.told(Kind(kind), body)
        assert {kind for kind, _ in found} == {Kind.YIELD}
        return [value for _, value in found]

    def piped(self) -> Iterator[tuple[str, bytes]]:
        """What went through its pipes."""
        self._page = self._page or Page(self.ends[2])
        for stream, fd in enumerate(self.ends[:2]):
            if unread(fd):
                yield STREAMS[stream], self._page.take(stream, fd)

    def content(self, kind: Kind, body: bytes) -> Any:
        return content(kind, body[SECONDS.size :] if kind.final else body, self.store.open)

    def run(self, function: Callable[..., Any], *args: object, **how: Any) -> Any:
        """The value of a task; fails when it raised."""
        self.start(function, *args, **how)
        kind, value = self.events()[-1]
        assert kind is Kind.VALUE, value
        return value

    def fails(self, function: Callable[..., Any], *args: object) -> Failed:
        self.start(function, *args)
        kind, failed = self.events()[-1]
        assert kind is Kind.ERROR
        assert isinstance(failed, Failed)
        return failed


@pytest.fixture(scope="module")
def shared_slot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slot]:
    made = Slot(tmp_path_factory.mktemp("slot"))
    yield made
    made.sock.close()
    assert made.process.wait(10) == 0


@pytest.fixture
def slot(shared_slot: Slot) -> Slot:
    """A slot that the test leaves idle."""
    return shared_slot


def text(events: list[tuple[Kind, Any]], stream: str = "stdout") -> str:
    return "".join(content[1] for kind, content in events if kind is Kind.OUTPUT and content[0] == stream)


def test_it_returns_values(slot: Slot) -> None:
    assert slot.run(lambda a, b: a + b, 2, 3) == 5
    assert slot.run(lambda: None) is None


def test_large_arrays_go_both_ways(slot: Slot) -> None:
    back = slot.run(lambda a: a * 2, np.ones(100_000))
    assert back.sum() == 200_000


def test_user_code_sees_its_place(slot: Slot) -> None:
    def look() -> Any:
        return os.environ["UNIT"], os.getcwd(), sys.argv, instance_info()

    variable, directory, arguments, info = slot.run(look)
    assert variable == "é"
    assert directory == str(slot.store.directory)
    assert arguments == [""]
    assert (info.node, info.total_nodes, info.is_head, info.peers) == (2, 2, False, ("127.0.0.1:25520",))


def test_it_learns_of_new_peers(slot: Slot) -> None:
    slot.sock.sendall(frame(Order.PEERS, 0, pickle.dumps([(2, "a:1"), (4, "b:2")])))
    info = slot.run(instance_info)
    assert (info.total_nodes, info.is_head, info.head_addr, info.peers) == (2, True, "a", ("b:2",))


def test_a_function_sent_before_needs_no_code(slot: Slot) -> None:
    slot.run(lambda: 1)
    body = pickle.dumps((str(slot._tasks), None, pack(((), {}), slot.store.put), 0, "", time.monotonic(), 0, False))
    slot.order(Order.RUN, body)
    assert slot.events() == [(Kind.VALUE, 1)]


def test_it_says_how_long_a_task_ran(slot: Slot) -> None:
    slot.start(time.sleep, 0.05)
    _, _, body = slot.next()
    assert 0.05 <= SECONDS.unpack_from(body)[0] < 20


def test_output_comes_before_the_end_and_in_order(slot: Slot) -> None:
    def talk() -> None:
        for n in range(3):
            print("out", n)
            print("err", n, file=sys.stderr)
        sys.stdout.write("no newline")

    slot.start(talk)
    events = slot.events()
    assert text(events) == "out 0\nout 1\nout 2\nno newline"
    assert text(events, "stderr") == "err 0\nerr 1\nerr 2\n"
    streams = [content[0] for kind, content in events if kind is Kind.OUTPUT]
    assert streams == ["stdout", "stderr"] * 3 + ["stdout"]


def test_output_comes_while_the_task_runs(slot: Slot) -> None:
    def talk(path: str) -> None:
        print("waiting")
        while not os.path.exists(path):
            time.sleep(0.005)

    path = slot.store.directory / "go"
    slot.start(talk, str(path))
    kind, _, body = slot.next()
    assert (kind, slot.content(Kind.OUTPUT, body)) == (Kind.OUTPUT, ("stdout", "waiting\n"))
    path.touch()
    assert slot.events() == [(Kind.VALUE, None)]


def test_output_of_c_code_and_of_child_processes(slot: Slot) -> None:
    def talk() -> None:
        import ctypes

        os.write(1, b"descriptor\n")
        os.write(2, b"descriptor two\n")
        subprocess.run(["sh", "-c", "echo child; echo child two >&2"], check=True)
        ctypes.CDLL(None).puts(b"c library")

    slot.start(talk)
    events = slot.events()
    assert sorted(text(events).split()) == sorted(["descriptor", "child", "c", "library"])
    assert text(events, "stderr") == "descriptor two\nchild two\n"


def test_much_output_in_pieces(slot: Slot) -> None:
    def talk() -> None:
        print("x" * 300_000)
        for n in range(20_000):
            print(n)

    slot.start(talk)
    events = slot.events()
    assert text(events) == "x" * 300_000 + "\n" + "".join(f"{n}\n" for n in range(20_000))
    assert max(len(content[1]) for kind, content in events if kind is Kind.OUTPUT) <= 64 * 1024


@pytest.mark.parametrize(("flags", "out", "err"), [("", "o\n", "e\n"), ("stderr", "", "e\n"), ("none", "", "")])
def test_only_wanted_output_leaves(slot: Slot, flags: str, out: str, err: str) -> None:
    def talk() -> None:
        print("o")
        print("e", file=sys.stderr)

    slot.start(talk, flags=flags)
    events = slot.events()
    assert (text(events), text(events, "stderr")) == (out, err)


def test_the_streams_are_like_files(slot: Slot) -> None:
    def probe() -> list[object]:
        found: list[object] = [sys.stdout.isatty(), sys.stdout.writable(), sys.stdout.fileno(), sys.stderr.fileno()]
        found += [sys.stdout.encoding, sys.stdout is sys.__stdout__, sys.stdout.write("abc")]
        try:
            sys.stdout.write(b"bytes")  # type: ignore[arg-type]
        except TypeError as error:
            found.append(str(error))
        return found

    found = slot.run(probe)
    assert found[:7] == [False, True, 1, 2, "utf-8", True, 3]
    assert "must be str" in found[7]


def test_displays_and_clears(slot: Slot) -> None:
    def show() -> None:
        from skyward_jupyter.agent.outlet import clear, display

        print("before")
        display({"text/plain": "v"}, {"m": 1}, {"display_id": "d"}, True)
        clear(wait=True)

    slot.start(show)
    assert slot.events() == [
        (Kind.OUTPUT, ("stdout", "before\n")),
        (Kind.DISPLAY, ({"text/plain": "v"}, {"m": 1}, {"display_id": "d"}, True)),
        (Kind.CLEAR, True),
        (Kind.VALUE, None),
    ]


def test_errors_come_with_their_frames(slot: Slot) -> None:
    def outer() -> None:
        def inner() -> None:
            raise ValueError("deep inside")

        inner()

    failed = slot.fails(outer)
    assert (failed.how, failed.type_name, failed.text) == ("raised", "ValueError", "deep inside")
    assert "inner()" in failed.formatted
    assert "skyward_jupyter" not in failed.formatted


@pytest.mark.parametrize(
    ("function", "how", "name"),
    [
        (lambda: sys.exit(3), "raised", "SystemExit"),
        (lambda: (n for n in "abc"), "result", "TypeError"),
        (lambda: exec("raise BaseException('base')"), "raised", "BaseException"),
        (lambda: exec("raise KeyboardInterrupt"), "interrupted", "KeyboardInterrupt"),
        (lambda: exec("def f(): f()\nf()", {}), "raised", "RecursionError"),
        (lambda: [].pop(), "raised", "IndexError"),
        (lambda: bytearray(1 << 60), "raised", "MemoryError"),
    ],
    ids=["exit", "generator", "base", "interrupt", "recursion", "index", "memory"],
)
def test_it_survives(slot: Slot, function: Callable[[], Any], how: str, name: str) -> None:
    failed = slot.fails(function)
    assert (failed.how, failed.type_name) == (how, name)
    assert slot.run(lambda: "alive") == "alive"


def test_what_it_cannot_load_is_the_inputs_fault(slot: Slot) -> None:
    class Poison:
        def __reduce__(self) -> Any:
            return eval, ("1 / 0",)

    failed = slot.fails(print, Poison())
    assert (failed.how, failed.type_name) == ("input", "ZeroDivisionError")


def test_a_generator_waits_for_credit(slot: Slot) -> None:
    def count(n: int) -> Iterator[int]:
        yield from range(n)

    slot.start(count, 10, credit=3)
    assert slot.yields(3) == [0, 1, 2]
    slot.sock.settimeout(0.1)
    with pytest.raises(TimeoutError):
        slot.sock.recv(1)
    slot.sock.settimeout(20)
    slot.order(Order.CREDIT, CREDIT.pack(20, 3))
    assert slot.events() == [*((Kind.YIELD, n) for n in range(3, 10)), (Kind.VALUE, None)]


def test_what_is_yielded_quickly_travels_together(slot: Slot) -> None:
    def count(n: int) -> Iterator[int]:
        yield from range(n)

    slot.start(count, 20_000, credit=50_000)
    frames: list[Kind] = []
    values: list[Any] = []
    while Kind.VALUE not in frames:
        kind, _, body = slot.next()
        frames.append(Kind(kind))
        values += [value for said, value in slot.told(Kind(kind), body) if said is Kind.YIELD]
    assert values == list(range(20_000))
    assert frames[0] is Kind.YIELD, "the first leaves at once"
    assert len(frames) < 2000


def test_what_is_yielded_leaves_although_nothing_follows(slot: Slot) -> None:
    def some(path: str) -> Iterator[int]:
        yield from range(5)
        while not os.path.exists(path):
            time.sleep(0.005)

    path = slot.store.directory / "go"
    slot.start(some, str(path), credit=50)
    assert slot.yields(5) == [0, 1, 2, 3, 4]
    path.touch()
    assert slot.events() == [(Kind.VALUE, None)]


def test_what_is_yielded_and_printed_stays_in_order(slot: Slot) -> None:
    def both() -> Iterator[int]:
        for n in range(50):
            yield n
            print(n)
            os.write(1, f"raw {n}\n".encode())

    slot.start(both, credit=100, flags="stdout")
    events = slot.events()
    assert [value for kind, value in events if kind is Kind.YIELD] == list(range(50))
    for n in range(50):
        at = events.index((Kind.YIELD, n))
        before = "".join(value[1] for kind, value in events[:at] if kind is Kind.OUTPUT)
        assert f"\n{n - 1}\n" in f"\n{before}" or n == 0
        assert f"\n{n}\n" not in f"\n{before}"


def test_few_large_things_are_ahead_whatever_is_wanted(slot: Slot) -> None:
    def large() -> Iterator[bytes]:
        for _ in range(50):
            yield os.urandom(1_000_000)

    slot.start(large, credit=1000)
    assert len(slot.yields(16)) == 16
    slot.sock.settimeout(0.1)
    with pytest.raises(TimeoutError):
        slot.sock.recv(1)
    slot.sock.settimeout(20)
    slot.order(Order.CREDIT, CREDIT.pack(0, 10))
    assert len(slot.yields(10)) == 10
    slot.order(Order.CREDIT, CREDIT.pack(0, 26))
    assert len(slot.yields(16)) == 16
    slot.order(Order.CREDIT, CREDIT.pack(0, 1000))
    assert [kind for kind, _ in slot.events()] == [Kind.YIELD] * 8 + [Kind.VALUE]


def test_a_generator_closed_early_cleans_up(slot: Slot) -> None:
    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            print("cleaned up")

    slot.start(endless, credit=2)
    slot.next()
    slot.order(Order.CLOSE)
    events = slot.events()
    assert text(events) == "cleaned up\n"
    assert events[-1] == (Kind.VALUE, None)


def test_a_generator_that_raises(slot: Slot) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("after one")

    slot.start(broken, credit=5)
    events = slot.events()
    assert events[0] == (Kind.YIELD, 1)
    assert events[-1][1].type_name == "LookupError"


def test_an_interrupt_ends_the_task_and_no_more(slot: Slot) -> None:
    def busy() -> None:
        print("up")
        while True:
            pass

    slot.start(busy)
    assert slot.next()[0] == Kind.OUTPUT
    slot.process.send_signal(signal.SIGINT)
    ((kind, failed),) = slot.events()
    assert (kind, failed.how) == (Kind.ERROR, "interrupted")
    assert slot.run(lambda: 1) == 1


def test_user_code_may_catch_an_interrupt(slot: Slot) -> None:
    def stubborn() -> str:
        print("up")
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            return "caught"
        return "slept"

    slot.start(stubborn)
    assert slot.next()[0] == Kind.OUTPUT
    slot.process.send_signal(signal.SIGINT)
    assert slot.events() == [(Kind.VALUE, "caught")]


def test_interrupts_of_an_idle_slot_do_nothing(slot: Slot) -> None:
    for n in range(20):
        slot.process.send_signal(signal.SIGINT)
        # The signal may reach the process only now; then it is for this task, and for no later one.
        slot.start(lambda n: n, n)
        slot.events()
        assert slot.run(lambda n: n, n) == n


@pytest.mark.skipif(sys.platform != "linux", reason="what a thread takes is read from /proc")
def test_only_the_main_thread_takes_interrupts(slot: Slot) -> None:
    def blocked(values: Iterator[int]) -> dict[str, bool]:
        print("a thread flushes this")
        names = {str(thread.native_id): thread.name for thread in threading.enumerate()}
        status = {path.parent.name: path.read_text() for path in Path("/proc/self/task").glob("*/status")}
        masks = {tid: int(text.partition("SigBlk:")[2].split()[0], 16) for tid, text in status.items()}
        return {names[tid]: bool(mask >> (signal.SIGINT - 1) & 1) for tid, mask in masks.items() if tid in names}

    slot.start(blocked, Fed(0), streams=1)
    found = slot.events()[-1][1]
    assert found.pop("MainThread") is False
    assert found.keys() >= {"skyward-flush", "skyward-inputs"}
    assert all(found.values())


def test_interrupts_at_any_moment_leave_it_whole(slot: Slot) -> None:
    def chatter() -> None:
        for n in range(2000):
            print("line", n)

    whole = "".join(f"line {n}\n" for n in range(2000))
    for n in range(30):
        slot.start(chatter)
        time.sleep(n / 10_000)
        slot.process.send_signal(signal.SIGINT)
        events = slot.events()
        assert events[-1][0] is Kind.VALUE or events[-1][1].how == "interrupted"
        assert whole.startswith(text(events))
    assert slot.run(lambda: 1) == 1


def test_it_ends_when_its_agent_is_gone(tmp_path: Path) -> None:
    made = Slot(tmp_path)
    assert made.run(lambda: 1) == 1
    made.sock.close()
    assert made.process.wait(10) == 0


def feed(slot: Slot, stream: int, number: int, *items: object, last: bool = False, full: bool = False) -> None:
    packed = [(pack(item, slot.store.put), 100) for item in items]
    piece = Feed(slot._tasks, stream, number, feeds.piece(packed), last, full=full)
    slot.order(Order.FEED, pickle.dumps(piece))


def grant(slot: Slot) -> tuple[int, int]:
    """The stream that is wanted, and how many items of it."""
    kind, _, body = slot.next()
    assert kind == Kind.WANT
    wanted: Any = slot.content(Kind.WANT, body)
    return wanted[0], wanted[1]


def add(xs: Iterator[int]) -> int:
    return sum(xs)


def test_a_stream_is_wanted_when_it_is_read(slot: Slot) -> None:
    slot.start(add, Fed(0), streams=1)
    assert grant(slot) == (0, feeds.FIRST_WINDOW)
    feed(slot, 0, 0, 1, 2)
    feed(slot, 0, 1, 3, last=True)
    assert slot.events() == [(Kind.VALUE, 6)]


def test_half_of_the_window_read_more_is_wanted(slot: Slot) -> None:
    slot.start(add, Fed(0), streams=1)
    assert grant(slot) == (0, 16)
    feed(slot, 0, 0, *range(7))
    feed(slot, 0, 1, 7)
    assert grant(slot) == (0, 24)
    feed(slot, 0, 2, last=True)
    assert slot.events() == [(Kind.VALUE, 28)]


def test_the_window_grows_while_the_writer_is_held_up_by_it(slot: Slot) -> None:
    slot.start(add, Fed(0), streams=1)
    window = wanted = 16
    number = sent = 0
    while window < 128:
        while (now := grant(slot)[1]) - sent < window:
            wanted = now
        window, wanted = 2 * window, now
        feed(slot, 0, number, *[1] * (wanted - sent), full=True)
        sent, number = wanted, number + 1
    feed(slot, 0, number, last=True)
    assert slot.events()[-1] == (Kind.VALUE, sent)


def test_credit_and_input_do_not_wait_for_each_other(slot: Slot) -> None:
    def each(xs: Iterator[int]) -> Iterator[int]:
        yield from xs

    slot.start(each, Fed(0), credit=1, streams=1)
    grant(slot)
    feed(slot, 0, 0, 1, 2, 3, last=True)
    assert slot.content(Kind.YIELD, slot.next()[2]) == 1
    slot.order(Order.CREDIT, CREDIT.pack(1, 1))
    assert slot.content(Kind.YIELD, slot.next()[2]) == 2
    slot.order(Order.CLOSE)
    assert slot.events() == [(Kind.VALUE, None)]


def test_what_comes_for_the_slot_while_a_stream_is_read_is_not_lost(slot: Slot) -> None:
    slot.start(add, Fed(0), streams=1)
    grant(slot)
    slot.order(Order.PEERS, pickle.dumps([(2, "x:1"), (9, "y:2")]))
    feed(slot, 0, 0, 1, last=True)
    assert slot.events() == [(Kind.VALUE, 1)]
    assert slot.run(instance_info).peers == ("y:2",)


def test_an_interrupt_ends_a_wait_for_input(slot: Slot) -> None:
    slot.start(add, Fed(0), streams=1)
    grant(slot)
    os.kill(slot.process.pid, signal.SIGINT)
    kind, failed = slot.events()[-1]
    assert (kind, failed.how) == (Kind.ERROR, "interrupted")
    feed(slot, 0, 0, 1, last=True)  # too late
    assert slot.run(lambda: threading.active_count()) <= 3


def test_the_error_of_a_stream_is_told_apart(slot: Slot) -> None:
    slot.start(add, Fed(0), streams=1)
    grant(slot)
    piece = Feed(slot._tasks, 0, 0, b"", last=True, error=feeds.packed_error(LookupError("over there")))
    slot.order(Order.FEED, pickle.dumps(piece))
    kind, failed = slot.events()[-1]
    assert (kind, failed.how, failed.type_name) == (Kind.ERROR, "fed", "LookupError")
