"""Starts of pools on machines over SSH that meet a fault: what is said, how soon, what is done twice, what is left."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import skyward as sky
from skyward_jupyter.errors import ProvisioningFailed
from tests.far import Machines
from tests.faults.conftest import World
from tests.faults.starts import phase, said, starting, steps
from tests.machines import write_key
from tests.processes import line_of, words_of

pytestmark = [pytest.mark.fault, pytest.mark.timeout(180)]

NAME = f"sshstart{os.getpid()}"

#: An installer that can be held on its way.
UV = """#!/bin/sh
case "$1" in pip)
    echo "$SSH_CONNECTION" | cut -d ' ' -f 3 >>{folder}/began
    while [ -e {folder}/hold ]; do sleep 0.05; done ;;
esac
exec {uv} "$@"
"""

KERNEL = """
import skyward as sky
provider = sky.SSH({hosts!r}, key={key!r}, known_hosts={known!r})
sky.ComputePool(provider=provider, name={name!r}, image=sky.Image(pip=["iniconfig"]), ttl=2.0).start()
"""


@sky.compute
def node() -> int:
    return sky.instance_info().node


@sky.compute
def count(mark: str, lines: int) -> list[int]:
    Path(f"{mark}.{sky.instance_info().node}").touch()
    for line in range(lines):
        print(f"line {line}")
        time.sleep(0.1)
    return list(range(lines))


class Installers:
    """The installers of packages on all machines."""

    def __init__(self, folder: Path) -> None:
        self._began = folder / "began"
        self._hold = folder / "hold"

    def hold(self) -> None:
        """Have them wait before they do anything."""
        self._hold.touch()

    def go(self) -> None:
        """Have them go on."""
        self._hold.unlink(missing_ok=True)

    @property
    def began(self) -> list[str]:
        """The addresses of the machines where one began."""
        return self._began.read_text().split() if self._began.exists() else []


@pytest.fixture(scope="module")
def _ready(machines: Machines) -> None:
    """The usual image is there: what a test makes is its own."""
    with machines.pool(f"{NAME}first", timeout=300):
        pass


@pytest.fixture
def installers(machines: Machines, kept: Path, tmp_path: Path, _ready: None) -> Iterator[Installers]:
    uv = machines.home / "tools" / "uv"
    uv.parent.mkdir(exist_ok=True)
    uv.write_text(UV.format(folder=tmp_path, uv=kept / "bin" / "uv"))
    uv.chmod(0o755)
    yield Installers(tmp_path)
    uv.unlink()


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a path of few letters: that of a socket must not be long."""
    with tempfile.TemporaryDirectory(prefix="sky") as folder:
        yield Path(folder)


@pytest.fixture
def bare(machines: Machines, installers: Installers, short: Path) -> Iterator[Path]:
    """The home of machine 1, which has nothing of ours; the two others have the usual image."""
    home = short / "bare"
    machines.move(1, home)
    yield home
    installers.go()
    machines.move(1, machines.home)


@pytest.fixture(autouse=True)
def _nothing_left(machines: Machines, world: World, installers: Installers) -> Iterator[None]:
    """After each of them: neither there nor here."""
    ports = listening()
    yield
    installers.go()
    gone(machines, world)
    assert (world.files(NAME), world.records(NAME)) == ([], [])
    world.until(lambda: not keepers() and listening() == ports, "nothing of it is left here")


def gone(machines: Machines, world: World, within: float = 20.0) -> None:
    """Wait until no machine has anything of the pool."""

    def left() -> list[object]:
        return [*machines.files(NAME), *map(str, machines.at_work())]

    try:
        world.until(lambda: not left(), "nothing is left on any machine", within)
    except AssertionError as error:
        raise AssertionError(f"{error}: {left()}") from None


def keepers() -> list[psutil.Process]:
    """The processes here that renew leases."""
    return [it for it in psutil.Process().children(recursive=True) if line_of(it).startswith("skyward: keeper")]


def listening() -> set[int]:
    """The ports of tunnels, among others, that this process listens at."""
    return {found.laddr.port for found in psutil.Process().net_connections("tcp") if found.status == psutil.CONN_LISTEN}


def test_a_machine_that_comes_up_late_is_waited_for_and_said_to_be(machines: Machines, world: World) -> None:
    machines.servers[1].stop()
    pool = machines.pool(NAME)
    with starting(pool) as started:
        world.until(lambda: said(pool, 1) == "not yet: connection refused", "it is said what is waited for")
        assert phase(pool, 1) == "connecting"
        world.until(lambda: phase(pool, 0) == "ready", "the others are ready")
        assert not started.done()
        machines.servers[1].start()
        started.result(60)
        assert node() @ pool == [0, 1, 2]


def test_a_machine_that_knows_another_key(machines: Machines, world: World, bare: Path, installers: Installers) -> None:
    """It is told at once, whatever takes long on another machine."""
    server = machines.servers[2]
    accepted = (server.folder / "authorized_keys").read_text()
    write_key(server.folder / "other")
    (server.folder / "authorized_keys").write_text((server.folder / "other.pub").read_text())
    installers.hold()
    try:
        with starting(machines.pool(NAME, timeout=300)) as started, pytest.raises(ProvisioningFailed) as caught:
            started.result(60)
    finally:
        (server.folder / "authorized_keys").write_text(accepted)
    assert re.match(
        rf"pool '{NAME}' was not started, 1 of 3 nodes failed:\nnode 2: "
        rf"{re.escape(server.name)} accepts none of our keys for \S+; "
        rf"tried: {machines.key}; try: ssh -p \d+ \S+, and name the key that works with key=$",
        str(caught.value),
    )
    assert len(installers.began) <= 1


def test_a_machine_that_shows_another_host_key(machines: Machines, world: World, bare: Path) -> None:
    """It is told how to accept it, and that is enough."""
    server = machines.servers[2]
    with machines.pool(NAME):
        pass
    server.stop()
    server.new_host_key()
    server.start()
    with pytest.raises(
        ProvisioningFailed, match=f"was not started, 1 of 3 nodes failed:\nnode 2: .*{server.port} shows the host key"
    ) as e:
        machines.pool(NAME).start()
    command = str(e.value).partition("forget the old key with: ")[2]
    assert command.startswith("ssh-keygen")
    subprocess.run(command, shell=True, check=True, capture_output=True)
    with machines.pool(NAME) as pool:
        assert node() @ pool == [0, 1, 2]


def test_a_preparation_that_is_cut_goes_on(
    machines: Machines, world: World, bare: Path, installers: Installers
) -> None:
    installers.hold()
    pool = machines.pool(NAME)
    with starting(pool) as started:
        world.until(lambda: installers.began, "packages are installed", within=60)
        machines.servers[1].stop()
        world.until(lambda: said(pool, 1).startswith("not yet: "), "the cut is said")
        machines.servers[1].start()
        world.until(lambda: len(installers.began) == 2, "they are installed again", within=60)
        # The installer that was cut has ended: there is one.
        assert len([it for it in machines.at_work(1) if words_of(it)[2:4] == ["pip", "install"]]) == 1
        installers.go()
        started.result(90)
        assert node() @ pool == [0, 1, 2]
        done = steps(pool, 1)
    # What was sent is not sent again.
    assert {step: done.count(step) for step in done} == {
        **dict.fromkeys(("look", "python", "venv", "packages"), 2),
        **dict.fromkeys(("upload", "check", "files"), 1),
    }


def test_a_machine_that_dies_while_it_is_prepared_and_stays_away(
    machines: Machines, world: World, bare: Path, installers: Installers
) -> None:
    """The start fails in its time, and says why; what is on the dead machine is removed by the next one."""
    installers.hold()
    with starting(machines.pool(NAME, timeout=20)) as started:
        world.until(lambda: installers.began, "packages are installed")
        machines.servers[1].stop()
        for process in machines.at_work(1):
            with contextlib.suppress(psutil.NoSuchProcess):  # the one before it took it along
                process.kill()
        with pytest.raises(ProvisioningFailed) as caught:
            started.result(90)
    assert re.search(
        rf"node 1 of pool '{NAME}' was not ready after 20 s:\nnode 1 \({re.escape(machines.servers[1].name)}\) "
        r"was at: .+ \(not yet: connection refused\)",
        str(caught.value),
    )
    assert [path.is_relative_to(bare) for path in machines.files(NAME)] == [True]
    assert not machines.processes(NAME)
    assert machines.names[1] in world.records(NAME)[0].read_text()
    machines.servers[1].start()
    installers.go()
    with machines.pool(NAME, timeout=120) as pool:
        assert node() @ pool == [0, 1, 2]


@pytest.fixture
def small_disk(machines: Machines, installers: Installers, short: Path) -> Iterator[Path]:
    """The home of machine 1, on a disk of its own; made larger with `mount -o remount`."""
    home = short / "small"
    home.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", home], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    machines.move(1, home)
    yield home
    machines.move(1, machines.home)
    subprocess.run(["umount", "-l", home], check=True)


def test_a_full_disk(machines: Machines, world: World, small_disk: Path) -> None:
    with pytest.raises(ProvisioningFailed) as caught:
        machines.pool(NAME, timeout=300).start()
    why = str(caught.value)
    assert f"1 of 3 nodes failed:\nnode 1: {machines.names[1]} could not be made ready, at the" in why
    assert "MiB are free there: make room on that disk\n    $ " in why
    assert "uv pip install" in why
    assert Path(why.rpartition("All of it is in ")[2]).read_text()
    gone(machines, world)
    subprocess.run(["mount", "-o", "remount,size=800m", small_disk], check=True)
    with machines.pool(NAME, timeout=300) as pool:
        assert node() @ pool == [0, 1, 2]


def test_a_package_that_is_nowhere_is_said_once(
    machines: Machines, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    image = sky.Image(pip=["no-such-package-of-ours-at-all>=3"])
    given_up: list[sky.events.NodeGivenUp] = []
    pool = machines.pool(NAME, image=image, panel="lines", timeout=300)
    pool.on(sky.events.NodeGivenUp, given_up.append)
    with pytest.raises(ProvisioningFailed) as caught:
        pool.start()
    why = str(caught.value)
    assert re.search(r"nodes failed:\nnode \d.*: \S+ could not be made ready, at the step 'packages': `", why)
    assert re.search(r"\n    \$ \S+/uv pip install .*\n    (.*\n)*.*no-such-package-of-ours-at-all", why)
    assert Path(why.rpartition("All of it is in ")[2]).read_text()
    assert why.count("could not be made ready") == 1
    assert "no-such-package" not in capfd.readouterr().err
    assert given_up


def test_a_kernel_that_is_killed_while_machines_are_prepared_leaves_nothing_there(
    machines: Machines, world: World, bare: Path, installers: Installers
) -> None:
    """No installer goes on, no directory stays, though nobody tells the machines."""
    installers.hold()
    provider = machines.provider()
    text = KERNEL.format(hosts=list(provider.hosts), key=provider.key, known=provider.known_hosts, name=NAME)
    kernel = world.script(text)
    # One of the two that share a home waits for the other.
    world.until(lambda: len(set(installers.began)) == 2, "packages are installed", within=60)
    assert len(machines.files(NAME)) == 3
    killed = time.monotonic()
    kernel.kill()
    kernel.wait(20)
    assert machines.at_work()
    gone(machines, world, within=90)
    assert time.monotonic() - killed > 5
    # Nor here, once there is another pool of this name.
    installers.go()
    with machines.pool(NAME) as pool:
        assert node() @ pool == [0, 1, 2]


@pytest.mark.parametrize("cluster", [True, False])
def test_one_link_that_is_down_is_shown_and_costs_nothing(
    machines: Machines, world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str], cluster: bool
) -> None:
    """The other machines hear from its node, or nobody could tell whether it is dead: what runs there goes on."""
    provider = machines.provider(cluster=cluster)
    with machines.pool(NAME, provider=provider, ttl=60.0, worker=sky.Worker(concurrency=2)) as pool:
        pids = [view.pid for view in pool.nodes]
        running = [count(f"{tmp_path}/mark", 240).with_retries(0) > pool for _ in range(3)]
        world.until(lambda: len(list(tmp_path.glob("mark.*"))) == 3, "they run")
        machines.servers[1].stop()
        world.until(lambda: phase(pool, 1) != "ready", "it is shown")
        assert re.fullmatch(r"not reachable since \d\d:\d\d:\d\d \(.+\)", phase(pool, 1))
        assert [phase(pool, number) for number in (0, 2)] == ["ready", "ready"]
        broke = time.monotonic()
        # Longer than the kernel's own connection takes to give the node up; what is new goes elsewhere meanwhile.
        world.until(lambda: time.monotonic() - broke > 16 or phase(pool, 1) == "connecting", "some time has passed")
        assert {node() >> pool for _ in range(6)} == {0, 2}
        machines.servers[1].start()
        world.until(lambda: phase(pool, 1) == "ready", "it is whole again", within=60)
        assert [run.result(60) for run in running] == [list(range(240))] * 3
        assert [view.pid for view in pool.nodes] == pids
    lines = [line for line in capfd.readouterr().out.splitlines() if "line " in line]
    assert len(lines) == 720
