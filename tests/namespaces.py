"""Bare machines that tests log in to: namespaces with a root file system, a network address and an sshd of their own.

Each is as a fresh Debian is: no Python, no uv, nothing of this machine's files. It reaches the network through this
machine, and its disk is memory of a size that the test chooses. A machine starts in well under a second, can be killed
and started again at the same address, and its link can be pulled.

It takes root, namespaces, and Debian's debootstrap, which makes the root file system once; it is kept under /tmp for
the next time. Machines die with the process that started them; what of their network one that was killed has left is
removed by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import itertools
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from skyward_jupyter.ssh.connection import Connection
from skyward_jupyter.ssh.hosts import Host, parse
from skyward_jupyter.ssh.image import here
from skyward_jupyter.ssh.keeper import Watch, unwatched
from skyward_jupyter.ssh.known import Ledger
from tests.machines import found, write_key

#: The home of root on each of them.
HOME = "/root"
#: What the root file system has beside the base: changes its name, so that an old one is not used.
_PACKAGES = ("ca-certificates", "iproute2", "openssh-server", "procps")
_ROOT_VERSION = 1
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_STARTS_WITHIN = 20.0
_TOOLS = ("debootstrap", "ip", "nft", "setpriv", "sshd", "unshare")
#: Bridges of ours, by the process that made them.
_BRIDGE = "skyt"


def python_of(base: Path) -> str:
    """The setup of a machine that shares `base`, a directory with a Python, and has it on its PATH for every user."""
    name = f"python{here()}"
    return f"ln -s {base}/bin/{name} /usr/local/bin/{name}; chmod 755 {HOME}"


@functools.cache
def missing() -> str:
    """Why there can be no such machine here; "" when there can."""
    if os.geteuid() != 0:
        return "bare machines take root"
    if absent := [tool for tool in _TOOLS if not found(tool)]:
        return f"bare machines take {', '.join(absent)}"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "true"], capture_output=True, check=False
    )
    if tried.returncode:
        return f"no namespaces here: {tried.stderr.decode().strip()}"
    return ""


def root() -> Path:
    """The root file system that machines start with; made when it is not there, which takes a minute."""
    suite = _os_release()["VERSION_CODENAME"]
    base = Path(tempfile.gettempdir()) / f"skyward-test-root-{suite}-{_ROOT_VERSION}"
    with base.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not base.exists():
            partial = base.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            _make_root(partial, suite)
            partial.rename(base)
    return base


def _make_root(place: Path, suite: str) -> None:
    site = subprocess.check_output(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)"], text=True)
    mirror = next((line.split()[0] for line in site.splitlines() if line.split()[-1] == suite), "")
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", suite, str(place)]
    made = subprocess.run([*command, mirror] if mirror else command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, f"debootstrap failed: {made.stdout[-2000:]}{made.stderr[-2000:]}"
    # A password that nobody has: sshd lets nobody in whose account is locked.
    setup = "useradd -m -s /bin/bash -p '*' user && usermod -p '*' root && rm -f /etc/ssh/ssh_host_* && apt-get clean"
    subprocess.run(["chroot", place, "sh", "-c", setup], check=True, capture_output=True)


class Network:
    """The network between the machines of one test, and from them to where this machine can go."""

    def __init__(self) -> None:
        _sweep()
        self.bridge = f"{_BRIDGE}{os.getpid()}"
        self.number = _free_network()
        self.gateway = f"10.{self.number}.0.1"
        self._members = itertools.count(10)
        self._table = f"skyward_test_{os.getpid()}"
        _ip(
            f"link add {self.bridge} type bridge",
            f"address add {self.gateway}/16 dev {self.bridge}",
            f"link set {self.bridge} up",
        )
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        rules = f"add table ip {self._table}; "
        rules += f"add chain ip {self._table} out {{ type nat hook postrouting priority 100; }}; "
        rules += f'add rule ip {self._table} out ip saddr 10.{self.number}.0.0/16 oifname != "{self.bridge}" masquerade'
        subprocess.run([found("nft"), rules], check=True, capture_output=True)

    def member(self) -> tuple[str, str]:
        """An address that is free, and the hardware address that goes with it: always the same, so that no neighbour
        remembers another one."""
        number = next(self._members)
        high, low = divmod(number, 250)
        return f"10.{self.number}.{high}.{low + 2}", f"02:5b:{self.number:02x}:00:{high:02x}:{low + 2:02x}"

    def close(self) -> None:
        """Remove it."""
        _remove(self.bridge, self._table)


class BareMachine:
    """A machine of its own.

    Attributes
    ----------
    address
        Where its sshd listens, at port 22, and where all its other ports are.
    key
        The file of the private key that it accepts, for the users ``root`` and ``user``.
    disk
        How much can be written to it, as ``mount`` takes it.
    shared
        Directories of this machine that it has at the same place, to read only.
    setup
        What it runs each time before its sshd starts.
    """

    def __init__(
        self, network: Network, folder: Path, *, disk: str = "2G", shared: tuple[Path, ...] = (), setup: str = ""
    ) -> None:
        self.network = network
        self.folder = folder
        self.disk = disk
        self.shared = shared
        self.setup = setup
        self.address, self._mac = network.member()
        number = self.address.split(".")
        self.link = f"skyv{network.number}x{number[2]}x{number[3]}"
        self.key = folder / "id_ed25519"
        self._root = root()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        write_key(self.key)
        write_key(folder / "host_key")
        (folder / "config").write_text(f"Host *\n  UserKnownHostsFile {folder}/known_hosts\n  IdentityAgent none\n")

    def host(self, user: str = "root", **said: str) -> Host:
        """It, to connect to with its key; nothing of the user's own ~/.ssh counts."""
        return parse(f"{user}@{self.address}", **{"key": str(self.key), "config": str(self.folder / "config"), **said})

    def ledger(self) -> Ledger:
        """A ledger of the machine's own."""
        return Ledger(self.folder / "ledger")

    def accept(self, key: Path) -> None:
        """Accept another private key from the next start on."""
        self.key.with_suffix(".pub").write_bytes(key.with_suffix(".pub").read_bytes())

    def connection(self, user: str = "root", watch: Watch = unwatched, **said: str) -> Connection:
        """A connection that is not open yet."""
        return Connection(self.host(user, **said), self.ledger(), watch)

    @property
    def log(self) -> str:
        """What its sshd has said."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Its first process, as it is known here; 0 when it does not run."""
        if self._process is None:
            return 0
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self._process.pid).children():
                return child.pid
        return 0

    def start(self) -> None:
        """Start it, with an empty disk; returns when its sshd answers."""
        script = self.folder / "boot"
        script.write_text(self._boot())
        # It dies with the thread that starts it, which is that of the tests.
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--uts", "--ipc"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--fork", "--kill-child", "sh", "-e", str(script)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._until(lambda: self.pid, "its first process runs")
        _ip(
            f"link add {self.link} type veth peer name eth0 netns {self.pid} address {self._mac}",
            f"link set {self.link} master {self.network.bridge}",
            f"link set {self.link} up",
            # Nobody need ask who has the address, and wait a second when nobody answers yet.
            f"neigh replace {self.address} lladdr {self._mac} dev {self.network.bridge} nud reachable",
        )
        self._until(self._answers, "its sshd answers")

    def kill(self) -> None:
        """Kill it with everything on it; what was on its disk is gone."""
        if self._process is None:
            return
        if pid := self.pid:
            os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._process = None
        # It goes with the last socket on it, which may take a while.
        subprocess.run([found("ip"), "link", "del", self.link], check=False, capture_output=True)

    def link_down(self) -> None:
        """Pull its link: nothing comes or goes, and nobody is told."""
        _ip(f"link set {self.link} down")

    def link_up(self) -> None:
        """Plug it in again."""
        _ip(f"link set {self.link} up")

    def processes(self) -> list[psutil.Process]:
        """What runs on it, its first process left out."""
        with contextlib.suppress(psutil.Error):
            return psutil.Process(self.pid).children(recursive=True)
        return []

    def run(self, command: str) -> str:
        """Run a command on it as root, past its sshd; returns what it printed."""
        inside = ["nsenter", "--target", str(self.pid), "--all", f"--root=/proc/{self.pid}/root"]
        return subprocess.check_output([*inside, f"--wd=/proc/{self.pid}/root", "sh", "-c", command], text=True)

    def _until(self, condition: Callable[[], object], what: str) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _STARTS_WITHIN
        while not condition():
            assert self._process.poll() is None, f"{self.address} ended before {what}: {self.log}"
            assert time.monotonic() < deadline, f"{self.address}: not in time: {what}: {self.log}"
            time.sleep(0.005)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.address, 22), timeout=0.2) as sock:
            return sock.recv(4) == b"SSH-"
        return False

    def _boot(self) -> str:
        """What its first process does: make the file systems, wait for the network, then keep an sshd running."""
        top = shlex.quote(str(self.folder / "top"))
        certificates = os.environ.get("SSL_CERT_FILE") or _CERTIFICATES
        shares = "\n".join(
            f"mkdir -p root{path}; mount --bind {path} root{path}; mount -o remount,bind,ro root{path}"
            for path in map(str, self.shared)
        )
        return f"""
mount --make-rprivate /
mkdir -p {top}
mount -t tmpfs -o size={self.disk} machine {top}
cd {top}
mkdir upper work root
mount -t overlay -o lowerdir={self._root},upperdir=upper,workdir=work machine root
mount -t proc proc root/proc
mount -t sysfs -o ro sys root/sys 2>/dev/null || true
mount -t tmpfs -o mode=755,size=64k dev root/dev
for name in null zero full random urandom tty; do
    touch root/dev/$name; mount --bind /dev/$name root/dev/$name
done
mkdir root/dev/pts root/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 pts root/dev/pts
ln -s pts/ptmx root/dev/ptmx
ln -s /proc/self/fd root/dev/fd
mount -t tmpfs -o mode=1777 shm root/dev/shm
mount -t tmpfs -o mode=755 run root/run
{shares}
cp -L /etc/resolv.conf root/etc/resolv.conf
cp -L {shlex.quote(certificates)} root{_CERTIFICATES}
for home in root home/user; do
    mkdir -p root/$home/.ssh; cp {self.folder}/id_ed25519.pub root/$home/.ssh/authorized_keys
done
chown -R 1000:1000 root/home/user
cp {self.folder}/host_key root/etc/ssh/host_key
cat > root/etc/ssh/sshd_config <<END
HostKey /etc/ssh/host_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
MaxStartups 500
PidFile none
Subsystem sftp internal-sftp
END
mkdir -p root/run/sshd
cd root
mkdir -p .old
pivot_root . .old
cd /
umount -l /.old
hostname machine-{self.address.replace(".", "-")}
echo "127.0.0.1 localhost $(hostname)" > /etc/hosts
ip link set lo up
while ! ip link show eth0 >/dev/null 2>&1; do sleep 0.01; done
ip address add {self.address}/16 dev eth0
ip link set eth0 up
ip route add default via {self.network.gateway}
{self.setup}
set +e
while :; do /usr/sbin/sshd -D -e; sleep 0.2; done
"""


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}


def _ip(*commands: str) -> None:
    subprocess.run([found("ip"), "-batch", "-"], input="\n".join(commands), text=True, check=True, capture_output=True)


def _free_network() -> int:
    """The second number of addresses that nobody has here."""
    said = json.loads(subprocess.check_output([found("ip"), "-json", "address"]))
    taken = {one["local"].split(".")[1] for link in said for one in link["addr_info"] if one["local"].startswith("10.")}
    start = os.getpid() % 100
    return next(100 + (start + step) % 100 for step in range(100) if str(100 + (start + step) % 100) not in taken)


def _sweep() -> None:
    """Remove the networks of processes that are gone."""
    for link in Path("/sys/class/net").glob(f"{_BRIDGE}*"):
        pid = link.name.removeprefix(_BRIDGE)
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            _remove(link.name, f"skyward_test_{pid}")


def _remove(bridge: str, table: str) -> None:
    members = [link.name for link in Path(f"/sys/class/net/{bridge}/brif").glob("*")]
    for link in (*members, bridge):
        subprocess.run([found("ip"), "link", "del", link], check=False, capture_output=True)
    subprocess.run([found("nft"), "delete", "table", "ip", table], check=False, capture_output=True)


type MakeMachine = Callable[..., BareMachine]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test that needs bare machines waits until their root file system is made."""
    for item in items:
        if "bare_machine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(400))


@pytest.fixture
def bare_machine(tmp_path: Path) -> Iterator[MakeMachine]:
    """Starts bare machines on one network, with the arguments of `BareMachine` but for network and folder."""
    if why := missing():
        pytest.skip(why)
    with making(tmp_path) as make:
        yield make


@contextlib.contextmanager
def making(folder: Path) -> Iterator[MakeMachine]:
    """The same for as long as a test wants."""
    network = Network()
    made: list[BareMachine] = []

    def make(*, disk: str = "2G", shared: tuple[Path, ...] = (), setup: str = "", started: bool = True) -> BareMachine:
        machine = BareMachine(network, folder / f"machine-{len(made)}", disk=disk, shared=shared, setup=setup)
        made.append(machine)
        if started:
            machine.start()
        return machine

    try:
        yield make
    finally:
        for machine in made:
            machine.kill()
        network.close()
