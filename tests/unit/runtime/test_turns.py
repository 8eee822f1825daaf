"""One loop, run by a daemon thread or by the main thread while it waits; in processes of their own, for the signals."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

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


def run(code: str, head: str = "") -> list[str]:
    """The lines that a script prints; it must end well, and soon."""
    text = _HEAD + head + textwrap.dedent(code)
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


_FORK = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads

def fork(work=lambda: None):
    if (child := os.fork()) == 0:
        signal.alarm(20)  # one that waits for good
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

inside = threading.Event()
"""


def test_a_fork_waits_until_the_loop_is_between_two_of_its_turns() -> None:
    lines = run(
        """
        steps = []
        def step():
            inside.set()
            for _ in range(10):
                steps.append(time.sleep(.01))

        runtime().call_soon(step)
        inside.wait(10)
        print(fork(lambda: print(len(steps), flush=True)))
        print(asyncio.run_coroutine_threadsafe(where(), runtime().loop).result(10), wait(where()))
        """,
        _FORK,
    )
    assert lines == ["10", "0", "skyward MainThread"]


def test_a_child_can_import_what_the_loop_imports_as_it_is_forked(tmp_path: Path) -> None:
    (tmp_path / "slowly.py").write_text("import __main__, time\n__main__.inside.set()\ntime.sleep(.3)\n")
    lines = run(
        f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        runtime().call_soon(__import__, "slowly")
        inside.wait(10)
        print(fork(lambda: __import__("slowly")))
        """,
        _FORK,
    )
    assert lines == ["0"]


def test_a_fork_takes_place_although_the_loop_waits_for_the_thread_that_forks() -> None:
    lines = run(
        """
        mine = threading.Lock()
        def need():
            inside.set()
            with mine:
                pass

        with mine:
            runtime().call_soon(need)
            inside.wait(10)
            print(fork())
        print(wait(answer()))
        """,
        _FORK,
    )
    assert lines == ["0", "42"]


def test_any_thread_forks_while_others_run_the_loop_and_fork_themselves() -> None:
    lines = run(
        """
        from concurrent.futures import ThreadPoolExecutor

        async def forks():
            return fork()

        with ThreadPoolExecutor(3) as threads:
            forked = [threads.submit(fork) for _ in range(30)]
            while not all(one.done() for one in forked):
                assert wait(answer()) == 42
            print({one.result() for one in forked}, wait(forks()), fork())
        print(wait(answer()))
        """,
        _FORK,
    )
    assert lines == ["{0} 0 0", "42"]


def test_an_interrupt_as_a_fork_waits_comes_after_it() -> None:
    lines = run(
        """
        def interrupt():
            inside.set()
            time.sleep(.1)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(.1)

        began = time.monotonic()
        runtime().call_soon(interrupt)
        inside.wait(10)
        try:
            print(fork())
            time.sleep(20)
        except KeyboardInterrupt:
            print("interrupted", time.monotonic() - began < 15)
        print(wait(answer()))
        """,
        _FORK,
    )
    assert lines in (["0", "interrupted True", "42"], ["interrupted True", "42"])
