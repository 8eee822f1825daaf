"""Programs that fork while they have a pool: the parent goes on with it, the child may have one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

_HEAD = """
import asyncio, gc, multiprocessing, os, signal, sys, warnings
from concurrent.futures import ProcessPoolExecutor
import skyward as sky
warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads

@sky.compute
def double(n):
    return 2 * n

@sky.compute
def count(n):
    yield from range(n)

def said(use):
    try:
        print("child:", use(), flush=True)
    except sky.NoPool as error:
        print("child refused:", error, flush=True)

def forked(run):
    if (child := os.fork()) == 0:
        run()
        os._exit(0)
    print("ended with", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)

context = multiprocessing.get_context("fork")
"""

_POOL = """
with sky.ComputePool(nodes=2, name="mine", panel="off") as pool:
    print(double(1) >> pool, flush=True)
    {}
    print(double(3) @ pool, flush=True)
"""


def run(code: str, folder: Path) -> list[str]:
    """The lines that a script with a pool prints; it must end well, and soon."""
    script = folder / "script.py"
    script.write_text(_HEAD + _POOL.format(textwrap.indent(textwrap.dedent(code), "    ").strip()))
    env = {**os.environ, "SKYWARD_STATE_DIR": str(folder / "state")}
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        done = subprocess.run([sys.executable, script], stdout=out, stderr=err, env=env, timeout=240)
    assert done.returncode == 0, (folder / "err").read_text()
    lines = (folder / "out").read_text().splitlines()
    assert lines[0] == "2"
    assert lines[-1] == "[6, 6]", lines
    return lines[1:-1]


@pytest.mark.parametrize(
    "use",
    [
        "double(1) >> pool",
        "double(1) @ pool",
        "double(1) > pool",
        "sky.gather(double(1), double(2)) >> pool",
        "asyncio.run(pool.run(double(1)))",
        "pool.scale(3)",
        "pool.start()",
        "future.result()",
        "next(stream)",
        "sky.Executor(pool).submit(abs, -1).result()",
    ],
)
def test_a_child_is_refused_what_its_parent_has(use: str, tmp_path: Path) -> None:
    lines = run(
        f"""
        future, stream = double(2) > pool, count(9) >> pool
        forked(lambda: said(lambda: {use}))
        assert future.result() == 4
        assert list(stream) == list(range(9))
        """,
        tmp_path,
    )
    (refused, ended) = lines
    assert refused.startswith("child refused: ")
    assert "which this one was forked from, and can be used there only; start a pool of its own here" in refused
    assert ended == "ended with 0"


@pytest.mark.parametrize("use", ["double(1) >> sky", "sky.pool()", "len(sky.dict('shared'))"])
def test_a_child_has_no_active_pool(use: str, tmp_path: Path) -> None:
    (refused, ended) = run(f"sky.dict('shared')['a'] = 1\nforked(lambda: said(lambda: {use}))", tmp_path)
    assert "those of the process it was forked from stay there" in refused
    assert ended == "ended with 0"


@pytest.mark.parametrize(
    ("how", "status"),
    [("os._exit(3)", 3), ("sys.exit(3)", 3), ("1 / 0", 1), ("pass", 0), ("os.abort()", -6), ("gc.collect()", 0)],
)
def test_a_child_ends_by_itself(how: str, status: int, tmp_path: Path) -> None:
    """It leaves the ``with`` block of its parent's pool and what runs at a program's end, and harms neither."""
    script = """
        future, stream = double(2) > pool, count(9) >> pool
        next(stream)
        child = os.fork()
        if child == 0:
            del future, stream
            {}
            sys.exit(0)
        print("ended with", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        assert future.result() == 4
        assert list(stream) == list(range(1, 9))
    """
    assert run(script.format(how), tmp_path) == [f"ended with {status}"]


def test_a_child_starts_a_pool_of_its_own(tmp_path: Path) -> None:
    lines = run(
        """
        def own():
            with sky.ComputePool(nodes=1, name="mine", panel="off") as other:
                said(lambda: (double(5) >> other, double(6) >> sky, list(count(3) >> other)))
            sys.exit(7)
        forked(own)
        """,
        tmp_path,
    )
    assert lines == ["child: (10, 12, [0, 1, 2])", "ended with 7"]


def test_processes_of_multiprocessing(tmp_path: Path) -> None:
    lines = run(
        """
        def refused():
            said(lambda: double(1) >> pool)

        def own():
            with sky.ComputePool(nodes=1, panel="off") as other:
                said(lambda: double(5) >> other)

        for work in (refused, own):
            process = context.Process(target=work)
            process.start()
            process.join()
            print(process.exitcode, flush=True)
        with ProcessPoolExecutor(2, mp_context=context) as processes:
            print(list(processes.map(abs, [-1, -2])), flush=True)
        """,
        tmp_path,
    )
    assert lines[0].startswith("child refused: pool 'mine' belongs to process")
    assert lines[1:] == ["0", "child: 10", "0", "[1, 2]"]


def test_a_fork_in_a_thread_while_the_main_thread_waits(tmp_path: Path) -> None:
    lines = run(
        """
        from concurrent.futures import ThreadPoolExecutor
        import threading, time

        @sky.compute
        def when(path):
            while not os.path.exists(path):
                time.sleep(.005)

        def fork():
            forked(lambda: said(lambda: double(1) >> pool))
            open(sys.argv[0] + ".go", "w").close()

        threading.Timer(.1, fork).start()
        when(os.path.abspath(sys.argv[0]) + ".go") >> pool
        """,
        tmp_path,
    )
    assert lines[0].startswith("child refused: ")
    assert lines[1] == "ended with 0"


def test_a_child_that_is_forked_while_records_are_written_starts_a_pool_of_its_own(tmp_path: Path) -> None:
    """The lock of the records is the parent's, and the child neither waits for it nor keeps it from others."""
    lines = run(
        """
        import threading
        from skyward_jupyter.providers import records

        write, writing, enough = records._write, threading.Event(), threading.Event()
        def slowly(record):
            writing.set()
            enough.wait(60)
            write(record)

        def own():
            records._write = write
            with sky.ComputePool(nodes=1, panel="off") as other:
                said(lambda: double(5) >> other)

        (record,), _ = records.read()
        records._write = slowly
        saving = threading.Thread(target=records.save, args=(record,))
        saving.start()
        writing.wait(60)
        process, idle = context.Process(target=own), context.Process(target=signal.pause)
        for child in (process, idle):
            child.start()
        enough.set()
        process.join()
        saving.join()
        records.save(record)
        print(process.exitcode, flush=True)
        idle.kill()
        """,
        tmp_path,
    )
    assert lines == ["child: 10", "0"]


def test_a_child_that_is_forked_while_a_thread_imports_what_it_uses(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(_WHILE_IMPORTED)
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


_WHILE_IMPORTED = """
import os, signal, sys, threading, time, warnings
import skyward as sky
warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads

class Slowly:
    def find_spec(self, name, *_):
        if name == "skyward_jupyter.api.pool":
            begun.set()
        if begun.is_set():
            time.sleep(.01)

begun = threading.Event()
sys.meta_path.insert(0, Slowly())
threading.Thread(target=lambda: sky.ComputePool).start()
begun.wait(60)
while "skyward_jupyter.api.pool" not in sys.modules:
    time.sleep(.001)
if (child := os.fork()) == 0:
    signal.alarm(60)  # one that waits for good
    sky.ComputePool
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
