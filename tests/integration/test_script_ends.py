"""However a script ends while its pool lives: what it writes to stderr is its own, and nothing of what we do inside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_HEAD = """
import asyncio, os, signal, sys, threading, time
import skyward as sky

@sky.compute
def double(x):
    return 2 * x

@sky.compute
def fail():
    raise ValueError("on the node")

@sky.compute
def last():
    import time
    time.sleep(60)

def interrupt(after=0.3):
    threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT)).start()

pool = sky.ComputePool(nodes=1, panel="off")
"""

#: How scripts end: the last line that is the script's own on stderr, and the script.
ENDS = {
    "pool never stopped": (
        "",
        """
pool.start()
double(1) >> pool
""",
    ),
    "calls run": (
        "",
        """
pool.start()
fs = [last() > pool for _ in range(3)]
double
""",
    ),
    "exits with calls": (
        "",
        """
pool.start()
f = last() > pool
sys.exit(3)
""",
    ),
    "exits inside with": (
        "",
        """
with pool:
    f = last() > pool
    sys.exit(3)
""",
    ),
    "fails inside with": (
        "KeyError: 'mine'",
        """
with pool:
    f = last() > pool
    raise KeyError('mine')
""",
    ),
    "fails at top level": (
        "KeyError: 'mine'",
        """
pool.start()
f = last() > pool
raise KeyError('mine')
""",
    ),
    "failing calls nobody asks": (
        "",
        """
with pool:
    fs = [fail() > pool for _ in range(5)]
    time.sleep(0.5)
""",
    ),
    "failing calls, pool left": (
        "",
        """
pool.start()
fs = [fail() > pool for _ in range(5)]
time.sleep(0.5)
""",
    ),
    "a failing group nobody asks": (
        "",
        """
with pool:
    f = sky.gather(fail(), fail()) > pool
    time.sleep(0.5)
""",
    ),
    "a broadcast that fails unheard": (
        "",
        """
with pool:
    t = threading.Thread(target=lambda: fail() @ pool, daemon=True)
    threading.excepthook = lambda _: None
    t.start()
    time.sleep(0.5)
""",
    ),
    "interrupted": (
        "KeyboardInterrupt",
        """
interrupt(1.5)
with pool:
    last() >> pool
""",
    ),
    "interrupted, pool left": (
        "KeyboardInterrupt",
        """
pool.start()
interrupt()
last() >> pool
""",
    ),
    "interrupted between calls": (
        "KeyboardInterrupt",
        """
pool.start()
interrupt()
while True:
    fs = [double(n) > pool for n in range(50)]
    double(1) >> pool
""",
    ),
    "interrupted while it sleeps": (
        "KeyboardInterrupt",
        """
pool.start()
f = last() > pool
interrupt()
time.sleep(60)
""",
    ),
    "a thread exits": (
        "",
        """
pool.start()
f = last() > pool
threading.Timer(0.3, os._exit, (0,)).start()
time.sleep(60)
""",
    ),
    "a thread waits": (
        "",
        """
pool.start()
threading.Thread(target=lambda: last() >> pool, daemon=True).start()
time.sleep(0.5)
""",
    ),
    "a stream is left": (
        "",
        """
pool.start()
@sky.compute
def count():
    yield from range(10**6)
items = iter(count() >> pool)
next(items)
""",
    ),
    "loop exits inside async with": (
        "",
        """
async def main():
    async with pool:
        await asyncio.sleep(0.1)
        sys.exit(3)
asyncio.run(main())
""",
    ),
    "loop ends, pool left": (
        "",
        """
async def main():
    await pool.start_async()
    global t
    t = [asyncio.ensure_future(pool.run(last())) for _ in range(3)]
    await asyncio.sleep(0.3)
asyncio.run(main())
""",
    ),
    "loop stopped in the middle": (
        "",
        """
loop = asyncio.new_event_loop()
loop.run_until_complete(pool.start_async())
t = loop.create_task(pool.run(last()))
t._log_destroy_pending = False
loop.run_until_complete(asyncio.sleep(0.3))
loop.close()
""",
    ),
    "awaited call cancelled": (
        "",
        """
async def main():
    async with pool:
        with __import__('contextlib').suppress(TimeoutError):
            await asyncio.wait_for(pool.run(last()), 0.3)
asyncio.run(main())
""",
    ),
    "run interrupted": (
        "KeyboardInterrupt",
        """
async def main():
    async with pool:
        interrupt()
        await pool.run(last())
asyncio.run(main())
""",
    ),
    "run interrupted, gathered": (
        "KeyboardInterrupt",
        """
async def main():
    async with pool:
        interrupt()
        await asyncio.gather(*(pool.run(last()) for _ in range(20)))
asyncio.run(main())
""",
    ),
    "failing call awaited too late": (
        "",
        """
async def main():
    async with pool:
        f = fail() > pool
        await asyncio.sleep(0.3)
asyncio.run(main())
""",
    ),
    "events nobody reads": (
        "",
        """
pool.start()
events = pool.events()
double(1) >> pool
next(iter(events))
""",
    ),
    "an executor's jobs fail": (
        "",
        """
with pool, sky.Executor(pool) as e:
    fs = [e.submit(int, 'x') for _ in range(5)]
""",
    ),
    "an executor is left": (
        "",
        """
pool.start()
e = sky.Executor(pool)
f = e.submit(int, 'x')
""",
    ),
    "start interrupted": (
        "KeyboardInterrupt",
        """
interrupt(0.02)
pool.start()
time.sleep(1)
""",
    ),
    "stopped twice": (
        "",
        """
pool.start()
f = last() > pool
pool.stop()
pool.stop()
""",
    ),
    "stopped by a thread": (
        "",
        """
pool.start()
f = last() > pool
t = threading.Thread(target=pool.stop)
t.start()
t.join()
""",
    ),
    "a callback raises": (
        "",
        """
import logging
logging.getLogger('concurrent.futures').disabled = True
with pool:
    f = double(1) > pool
    f.add_done_callback(lambda _: 1 / 0)
    f.result()
""",
    ),
}

#: What is ours, or asyncio's about what is ours.
_OURS = ("never retrieved", "was destroyed", "never awaited", "Exception ignored", "exception in callback", "failed:")


@pytest.mark.parametrize("how", ENDS)
def test_it_ends_without_a_word_of_ours(tmp_path: Path, how: str) -> None:
    own, body = ENDS[how]
    script = tmp_path / "script.py"
    script.write_text(_HEAD + body)
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    lines = ran.stderr.strip().splitlines()
    assert not [line for line in lines if any(word.lower() in line.lower() for word in _OURS)], ran.stderr
    assert (lines[-1] if lines else "") == own, ran.stderr
    if not own:
        assert not lines, ran.stderr
    assert ran.returncode in (0, 1, 3, -2, 130), ran
