"""What user code starts and lets go of ends with its slot, whatever it did to get away, and whoever was killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

import skyward as sky
from skyward_jupyter.fleets.launcher import launcher
from tests.faults.conftest import World
from tests.faults.test_lifetimes import heard

#: Starts processes that get away from a slot in every way there is; it returns their ids.
CODE = """
import os, pathlib, subprocess, sys, time

def _told(path):
    # A daemon that says what it was told, in `path`, once it is ready for that.
    code = "import pathlib, signal, sys; p = pathlib.Path(sys.argv[1]);"
    code += "signal.signal(signal.SIGTERM, lambda *_: (p.with_suffix('.told').touch(), sys.exit()));"
    code += "p.touch(); signal.pause()"
    return [sys.executable, "-c", code, path]

def _daemon(act):
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write, str(os.getpid()).encode())
            os.closerange(0, 256)
            act()
        os._exit(0)
    os.waitpid(child, 0)
    pid = int(os.read(read, 20))
    os.close(read), os.close(write)
    return pid

def get_away(folder, name):
    new = {"start_new_session": True, "stdin": -3, "stdout": -3, "stderr": -3}
    path = os.path.join(folder, name)
    stubborn = "trap '' TERM HUP INT; while :; do sleep 1; done"
    pids = [
        subprocess.Popen(["sleep", "1000"], **new).pid,
        subprocess.Popen(["/bin/sleep", "1000"], env={}, **new).pid,
        subprocess.Popen(["sh", "-c", stubborn], **new).pid,
        subprocess.Popen(_told(path), **new).pid,
        _daemon(lambda: time.sleep(1000)),
        _daemon(lambda: os.execve("/bin/sleep", ["sleep", "1000"], {})),
    ]
    shell = "nohup setsid sh -c 'sleep 1000 & echo $$ $!; exec >&-; wait' 2>/dev/null"
    with subprocess.Popen(["sh", "-c", f"{shell} &"], stdout=subprocess.PIPE, text=True) as started:
        pids += map(int, started.stdout.readline().split())
    while not pathlib.Path(path).exists():
        time.sleep(0.01)
    return pids
"""
exec(CODE)
leave = sky.compute(get_away)  # type: ignore[name-defined] # noqa: F821

SCRIPT = """
import sys
import skyward as sky
from skyward_jupyter.fleets.launcher import launcher
{code}
leave = sky.compute(get_away)
pool = sky.ComputePool(nodes=2, name={name!r}, ttl=1).start()
print(launcher().pid, *leave({folder!r}, "0") >> pool, flush=True)
sys.stdin.readline()
"""


@sky.compute
def end_itself(number: int) -> None:
    os.kill(os.getpid(), number) if number else os._exit(3)


@sky.compute
def slot() -> int:
    return os.getpid()


def living(pids: list[int]) -> list[str]:
    """Those that run, as ``ps`` shows them."""
    found = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{pid} {process.cmdline()}")
        except psutil.NoSuchProcess:
            continue
    return found


def ended(world: World, pids: list[int], folder: Path, name: str = "0") -> None:
    """All have ended soon, and the one that listens was asked to."""
    world.until(lambda: not living(pids), f"all of {pids} have ended")
    assert (folder / f"{name}.told").exists()


def test_stop(tmp_path: Path) -> None:
    with sky.ComputePool(nodes=2) as pool:
        pids = [pid for rank in range(2) for pid in leave(str(tmp_path), str(rank)) >> pool]
        assert len(living(pids)) == len(pids) == 16
    # Nothing is waited for: it is so once the pool has stopped.
    assert not living(pids)
    assert {"0.told", "1.told"} <= set(os.listdir(tmp_path))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, 0], ids=["killed", "crashed", "gone"])
def test_a_slot_that_dies(world: World, tmp_path: Path, number: int) -> None:
    """Only what it started goes; what another slot started, in a pool beside it too, stays."""
    worker = sky.Worker(concurrency=2)
    with sky.ComputePool(nodes=1) as beside, sky.ComputePool(nodes=1, worker=worker) as pool:
        others = leave(str(tmp_path), "beside") >> beside
        pids = leave(str(tmp_path), "0") >> pool
        owner = psutil.Process(pids[0]).ppid()
        while owner in [it.pid for it in world.slots(pool.name, 0)]:
            with pytest.raises(sky.SlotDied):
                end_itself(number) >> pool
        ended(world, pids, tmp_path)
        assert len(living(others)) == len(others)
    assert not living(others)


def test_a_node_that_is_killed(world: World, tmp_path: Path) -> None:
    with sky.ComputePool(nodes=1) as pool:
        pids = leave(str(tmp_path), "0") >> pool
        (pid,) = [view.pid for view in pool.nodes]
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        ended(world, pids, tmp_path)
        assert slot() >> pool


def test_a_smaller_pool(world: World, tmp_path: Path) -> None:
    with sky.ComputePool(nodes=2) as pool:
        kept, going = leave(str(tmp_path), "0") @ pool
        pool.scale(1)
        ended(world, going, tmp_path)
        assert len(living(kept)) == len(kept)


def test_a_killed_template(world: World, tmp_path: Path) -> None:
    with sky.ComputePool(nodes=2) as pool:
        pids = leave(str(tmp_path), "0") >> pool
        os.kill(launcher().pid, signal.SIGKILL)
        ended(world, pids, tmp_path)
        world.until(lambda: pool.state == "ready", "the pool is whole again", within=60)
        again = leave(str(tmp_path), "1") >> pool
        assert len(living(again)) == len(again)


@pytest.mark.parametrize("and_template", [False, True], ids=["kernel", "kernel and template"])
def test_a_killed_kernel(world: World, tmp_path: Path, and_template: bool) -> None:
    name = f"away-{os.getpid()}"
    script = world.script(SCRIPT.format(code=CODE, name=name, folder=str(tmp_path)))
    template, *pids = map(int, heard(script).split())
    assert len(living(pids)) == len(pids) == 8
    log = Path(os.readlink(f"/proc/{template}/fd/2"))
    assert log.exists()
    os.kill(script.pid, signal.SIGKILL)
    if and_template:
        os.kill(template, signal.SIGKILL)
    ended(world, [template, *pids], tmp_path)
    world.until(lambda: not world.processes(name) and not log.exists(), "neither a process nor the log is left")


def test_a_guard_that_is_killed_is_replaced(world: World, tmp_path: Path) -> None:
    with sky.ComputePool(nodes=1) as pool:
        template = psutil.Process(launcher().pid)

        def guards() -> list[psutil.Process]:
            return [it for it in template.children() if it.name().startswith("skyward: guard")]

        (first,) = guards()
        first.kill()
        world.until(lambda: first not in guards() and guards(), "there is another one")
        pids = leave(str(tmp_path), "0") >> pool
        template.kill()
        ended(world, pids, tmp_path)
        world.until(lambda: pool.state == "ready", "the pool is whole again", within=60)


def test_nothing_of_a_template_is_left_once_it_has_ended(world: World, tmp_path: Path) -> None:
    name = f"quiet-{os.getpid()}"
    script = world.script(SCRIPT.format(code=CODE, name=name, folder=str(tmp_path)))
    template, *pids = map(int, heard(script).split())
    family = psutil.Process(template).children(recursive=True)
    assert script.stdin is not None
    script.stdin.close()
    assert script.wait(20) == 0
    ended(world, [template, *pids, *(it.pid for it in family)], tmp_path)
