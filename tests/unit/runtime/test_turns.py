"""One loop, run by a daemon thread or by the main thread while it waits; in processes of their own, for the signals."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

_HEAD = """
import asyncio, os, signal, threading, time
from skyward_jupyter.runtime.bridge import bridge, runtime, wait

async def answer(value=42):
    await asyncio.sleep(0)
    return value

async def where():
    return threading.current_thread().name

ended = []
async def stuck():
    started.set()
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(True)

started = threading.Event()
def later(do):
    threading.Thread(target=lambda: (started.wait(10), do())).start()
"""


def run(code: str) -> list[str]:
    """The lines that a script prints; it must end well, and soon."""
    text = textwrap.dedent(_HEAD) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_main_thread_runs_the_loop_while_it_waits() -> None:
    assert run("print(wait(where()))") == ["MainThread"]


def test_the_daemon_runs_it_at_other_times() -> None:
    lines = run("""
        wait(answer())
        future = asyncio.run_coroutine_threadsafe(where(), runtime().loop)
        print(future.result(10))
        print(wait(where()))
    """)
    assert lines == ["skyward", "MainThread"]


def test_another_thread_waits_while_the_main_thread_does() -> None:
    lines = run("""
        given = []
        def other():
            given.append(wait(answer(7)))
            release()
        gate = asyncio.Event()
        def release():
            runtime().call_soon(gate.set)
        async def until_the_other():
            started.set()
            await gate.wait()
        later(other)
        wait(until_the_other())
        print(given)
    """)
    assert lines == ["[7]"]


def test_another_thread_is_answered_right_after_the_main_thread_left() -> None:
    lines = run("""
        for _ in range(200):
            wait(answer())
            given = []
            thread = threading.Thread(target=lambda: given.append(wait(where())))
            thread.start()
            thread.join(20)
            assert given == ["skyward"], given
        print("all")
    """)
    assert lines == ["all"]


def test_in_another_running_loop_it_waits_for_the_daemon() -> None:
    lines = run("""
        async def main():
            print(wait(where()))
            print(await bridge(where()))
        asyncio.run(main())
    """)
    assert lines == ["skyward", "skyward"]


@pytest.mark.parametrize(
    ("set_up", "error"),
    [
        ("", "KeyboardInterrupt"),
        ("def raises(*_): raise LookupError('mine')\nsignal.signal(signal.SIGINT, raises)", "LookupError"),
    ],
)
def test_an_interrupt_ends_the_wait_and_nothing_else(set_up: str, error: str) -> None:
    lines = run(
        set_up
        + textwrap.dedent("""
        bystanders = [wait(asyncio.sleep(0, runtime().spawn(asyncio.Event().wait()))) for _ in range(20)]
        later(lambda: os.kill(os.getpid(), signal.SIGINT))
        try:
            wait(stuck())
        except BaseException as raised:
            print(type(raised).__name__, ended)
        print(sum(not task.done() for task in bystanders), wait(answer()))
        """)
    )
    assert lines == [f"{error} [True]", "20 42"]


def test_a_timer_that_raises_ends_the_wait() -> None:
    lines = run("""
        def late(*_):
            raise TimeoutError("too late")
        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            wait(stuck())
        except TimeoutError as error:
            print(error, ended, signal.getsignal(signal.SIGALRM) is late)
        print(wait(answer()))
    """)
    assert lines == ["too late [True] True", "42"]


def test_a_handler_that_returns_does_not_end_the_wait() -> None:
    lines = run("""
        seen = []
        gate = asyncio.Event()
        def tick(number, frame):
            seen.append(number)
            if len(seen) == 3:
                runtime().call_soon(gate.set)
            else:
                signal.setitimer(signal.ITIMER_REAL, 0.01)
        signal.signal(signal.SIGALRM, tick)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        wait(gate.wait())
        print(len(seen))
    """)
    assert lines == ["3"]


def test_what_was_awaited_is_let_go() -> None:
    lines = run("""
        import gc, weakref
        gc.disable()
        class Thing: pass
        async def made():
            await asyncio.sleep(0)
            return Thing()
        seen = weakref.ref(wait(made()))
        deadline = time.monotonic() + 10
        while seen() is not None and time.monotonic() < deadline:
            wait(answer())
        print(seen())
    """)
    assert lines == ["None"]


def test_an_interrupt_at_the_moment_a_wait_begins_is_not_missed() -> None:
    lines = run("""
        import random
        go, rounds = threading.Semaphore(0), 300
        def send():
            for _ in range(rounds):
                go.acquire()
                until = time.perf_counter() + random.random() * 2e-4
                while time.perf_counter() < until:
                    pass
                os.kill(os.getpid(), signal.SIGINT)
        wait(answer())
        threading.Thread(target=send, daemon=True).start()
        interrupted = 0
        for _ in range(rounds):
            try:
                go.release()
                wait(stuck())
            except KeyboardInterrupt:
                interrupted += 1
        print(interrupted, wait(answer()))
    """)
    assert lines == ["300 42"]
