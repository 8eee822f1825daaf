"""The directories of pools: which are in use is told by their locks, and one that cannot be filled is not left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import skyward as sky
from skyward_jupyter.api import others
from skyward_jupyter.fleets import store
from skyward_jupyter.wire.holds import is_held
from tests.faults.conftest import World
from tests.faults.test_lifetimes import heard

#: A container as far as process ids go, which begin behind a number in it; it has our files.
INSIDE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]
INSIDE += ['echo "$0" > /proc/sys/kernel/ns_last_pid && "$@"; exit $?']

SCRIPT = """
import os, pathlib, sys
import skyward as sky
from skyward_jupyter.fleets import store
store._MEMORY = pathlib.Path({memory!r})

@sky.compute
def back(data):
    return data

with sky.ComputePool(nodes=1, name={name!r}) as pool:
    data = bytearray(os.urandom(1_000_000))
    assert back(data) >> pool == data
    print(pool._inner.hub.fleet.store, flush=True)
    sys.stdin.readline()
    assert back(data) >> pool == data
    assert sky.compute(os.urandom)(2_000_000) >> pool
print("well", flush=True)
"""


@sky.compute
def back(data: bytearray) -> bytearray:
    return data


type Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture(params=["its own records", "our records"])
def start(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Runs a script in a container: it says where its pool's directory is, and waits. We share memory with it alone."""
    memory = Path(tempfile.mkdtemp(prefix="test-", dir="/dev/shm"))
    monkeypatch.setattr(store, "_MEMORY", memory)
    # No process has this number here.
    number = next(pid for pid in range(20_000, 32_000) if not any(psutil.pid_exists(pid + more) for more in range(20)))
    inside = [*INSIDE, str(number)]
    if os.getuid() != 0 or subprocess.run([*inside, "true"], check=False).returncode != 0:
        pytest.skip("needs root, for a namespace of process ids")
    state = {} if request.param == "our records" else {"SKYWARD_STATE_DIR": str(tmp_path / "state")}
    with contextlib.ExitStack() as stack:

        def start() -> subprocess.Popen[str]:
            text = SCRIPT.format(name=f"inside-{os.getpid()}", memory=str(memory))
            script = [sys.executable, "-c", text]
            pipe, env = subprocess.PIPE, {**os.environ, **state}
            made = subprocess.Popen([*inside, *script], stdin=pipe, stdout=pipe, text=True, env=env)
            stack.enter_context(made)
            stack.callback(made.kill)
            return made

        yield start
    assert not list(memory.iterdir())
    memory.rmdir()


def may_end(script: subprocess.Popen[str]) -> None:
    assert script.stdin is not None
    script.stdin.write("\n")
    script.stdin.close()


def test_a_start_in_another_container_leaves_a_pool_that_lives(start: Start) -> None:
    data = bytearray(os.urandom(1_000_000))
    with sky.ComputePool(nodes=1) as pool:
        ours = Path(pool._inner.hub.fleet.store)
        container = start()
        theirs = Path(heard(container).strip())
        assert not psutil.pid_exists(int(theirs.name.split("-")[1]))
        assert (ours / "certificates").is_dir()  # one that was removed is made again, without these
        assert back(data) >> pool == data
        with sky.ComputePool(nodes=1):
            assert (theirs / "certificates").is_dir()
        found, _ = others.read()
        assert not {it.store for it in others.sweep(found)} & {str(ours), str(theirs)}
        may_end(container)
        assert heard(container) == "well\n"
        assert back(data) >> pool == data
        assert (ours / "certificates").is_dir()
    assert not theirs.exists()
    assert not ours.exists()


def test_what_a_container_left_is_removed_by_the_next_start(start: Start, world: World) -> None:
    container = start()
    theirs = Path(heard(container).strip())
    container.kill()
    container.wait(20)
    world.until(lambda: not is_held(theirs), "all in it have ended")
    with sky.ComputePool(nodes=1):
        assert not theirs.exists()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("needs root, to mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, free: int = 0) -> Path:
    """Leave so many bytes free there; returns what takes the room."""
    about = os.statvfs(place)
    room = about.f_bavail * about.f_frsize - free
    taken = place / "taken"
    taken.write_bytes(bytes(room))
    return taken


@pytest.mark.parametrize("free", [0, 4096, 12288], ids=["full", "a page", "three pages"])
def test_a_start_without_room_leaves_nothing(
    small: Path, monkeypatch: pytest.MonkeyPatch, world: World, free: int
) -> None:
    monkeypatch.setattr(store, "_MEMORY", small)
    monkeypatch.setattr(store, "disk", lambda: small)
    taken = fill(small, free)
    for _ in range(2):
        with pytest.raises(sky.ProvisioningFailed, match=f"{small} .*0 of 0 MB free.*make room") as caught:
            sky.ComputePool(nodes=1, name=f"full-{os.getpid()}").start()
        assert str(small) in str(caught.value)
        assert [it.name for it in small.iterdir()] == ["taken"]
    assert not world.processes(f"full-{os.getpid()}")
    assert not world.records(f"full-{os.getpid()}")
    taken.unlink()
    with sky.ComputePool(nodes=1, name=f"full-{os.getpid()}") as pool:
        assert back(bytearray(10)) >> pool == bytearray(10)
    assert not list(small.iterdir())


def test_where_one_place_is_full_the_other_is_used(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "shared_memory", lambda: small)
    (tmp_path / "disk").mkdir()
    monkeypatch.setattr(store, "disk", lambda: tmp_path / "disk")
    fill(small)
    with sky.ComputePool(nodes=1) as pool:
        assert Path(pool._inner.hub.fleet.store).parent == tmp_path / "disk"
        assert back(bytearray(10)) >> pool == bytearray(10)
    assert [it.name for it in small.iterdir()] == ["taken"]
    assert not list((tmp_path / "disk").iterdir())


FORKS = """
import os, sys, time
import skyward as sky
pool = sky.ComputePool(nodes=1, name={name!r}, ttl=1).start()
if os.fork() == 0:
    os.setsid()
    time.sleep(1000)
print(pool._inner.hub.fleet.store, flush=True)
sys.stdin.readline()
"""


def test_a_forked_child_holds_nothing_of_its_parents_pools(world: World) -> None:
    name = f"forks-{os.getpid()}"
    script = world.script(FORKS.format(name=name))
    place = Path(heard(script).strip())
    (child,) = [it for it in psutil.Process(script.pid).children() if "template" not in it.name()]
    os.kill(script.pid, signal.SIGKILL)
    world.until(lambda: not world.processes(name), "the nodes have ended")
    world.until(lambda: not place.exists(), "the template has removed the directory")
    assert child.is_running()
    child.kill()
