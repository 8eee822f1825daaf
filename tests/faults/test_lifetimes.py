"""Nothing is left: after stop, after the end of the process, after its kill."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import skyward as sky
from tests.faults.conftest import World

SCRIPT = """
import sys, time
import skyward as sky

@sky.compute
def fill(n):
    return bytes(n)

pool = sky.ComputePool(nodes=2, name={name!r}, ttl={ttl})
pool.start()
big = fill(2_000_000) >> pool
print("ready", flush=True)
sys.stdin.readline()
{then}
"""


def heard(script: subprocess.Popen[str]) -> str:
    """The next line that a script prints."""
    assert script.stdout is not None
    return script.stdout.readline()


def _script(world: World, name: str, then: str, ttl: float = 1.0) -> subprocess.Popen[str]:
    made = world.script(SCRIPT.format(name=name, ttl=ttl, then=then))
    assert made.stdin is not None
    assert heard(made) == "ready\n"
    world.until(lambda: len(world.processes(name)) == 4, "both nodes have their slots")
    made.stdin.write("go on\n")
    made.stdin.flush()
    return made


def test_stop_leaves_nothing(world: World) -> None:
    name = f"stop-{os.getpid()}"
    pool = sky.ComputePool(nodes=2, name=name).start()
    world.until(lambda: len(world.processes(name)) == 4, "both nodes have their slots")
    pool.stop()
    world.until(lambda: world.gone(name), "nothing is left after stop")
    pool.stop()


def test_the_end_of_the_process_leaves_nothing(world: World) -> None:
    name = f"exit-{os.getpid()}"
    script = _script(world, name, "", ttl=600)
    assert script.wait(20) == 0
    world.until(lambda: world.gone(name), "nothing is left after a normal exit")


def test_an_exception_at_the_top_leaves_nothing(world: World) -> None:
    name = f"raise-{os.getpid()}"
    script = _script(world, name, "raise SystemExit(3)", ttl=600)
    assert script.wait(20) == 3
    world.until(lambda: world.gone(name), "nothing is left")


def test_kill_9_leaves_nothing_after_the_ttl(world: World) -> None:
    name = f"kill-{os.getpid()}"
    script = _script(world, name, "time.sleep(600)", ttl=1.0)
    template = script.pid
    os.kill(script.pid, signal.SIGKILL)
    script.wait(20)
    world.until(lambda: world.gone(name), "nothing is left after kill -9 and the ttl", within=30)
    assert not list(Path("/dev/shm").glob(f"skyward-{template}-*"))


def test_nodes_live_through_their_ttl(world: World) -> None:
    """They are there for whoever attaches, and only then go."""
    name = f"ttl-{os.getpid()}"
    script = _script(world, name, "time.sleep(600)", ttl=3.0)
    killed = time.monotonic()
    os.kill(script.pid, signal.SIGKILL)
    script.wait(20)
    world.until(lambda: len(world.processes(name)) == 4, "both nodes have their slots")
    world.until(lambda: world.gone(name), "nothing is left after the ttl", within=30)
    assert time.monotonic() - killed > 2.0


def test_a_blocked_owner_keeps_its_pool(world: World) -> None:
    """Life is the process, not its attention."""
    name = f"busy-{os.getpid()}"
    then = "import hashlib\nend = time.time() + 4\nwhile time.time() < end: sum(range(10**6))\n"
    then += "print(len(fill(3) @ pool), [view.state.value for view in pool.nodes], flush=True)"
    script = _script(world, name, then, ttl=0.5)
    assert heard(script) == "2 ['idle', 'idle']\n"
    assert script.wait(20) == 0


def test_killed_kernel_and_template_are_swept_by_the_next_pool(world: World) -> None:
    """Even the files of a kernel that died together with its template are removed, by whoever starts next."""
    name = f"both-{os.getpid()}"
    then = "from skyward_jupyter.fleets.launcher import launcher\nprint(launcher().pid, flush=True)\ntime.sleep(600)"
    script = _script(world, name, then)
    template = int(heard(script))
    assert world.files(name)
    os.kill(script.pid, signal.SIGKILL)
    script.wait(20)
    os.kill(template, signal.SIGKILL)
    world.until(lambda: not world.processes(name), "agents and slots end with their template")
    # From here on they are nobody's: another pool that starts on this machine, of another test too, removes them.
    with sky.ComputePool(nodes=1, name=f"next-{os.getpid()}"):
        world.until(lambda: not world.files(name), "its files are removed")


def test_interrupted_start_leaves_nothing(world: World) -> None:
    name = f"cut-{os.getpid()}"
    text = f"""
import os, signal, threading
import skyward as sky
pool = sky.ComputePool(nodes=8, name={name!r})
threading.Timer(0.12, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    pool.start()
    print("started")
    pool.stop()
except KeyboardInterrupt:
    print("interrupted")
"""
    script = world.script(text)
    out, _ = script.communicate(timeout=30)
    assert out.strip() in ("started", "interrupted")
    world.until(lambda: world.gone(name), "nothing is left of a pool whose start was interrupted")
