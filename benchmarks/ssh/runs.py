"""Measures each thing in a process of its own, beside servers that are there for it alone."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.ssh.rows import Connections, Start
from benchmarks.ssh.servers import Servers, serving

NO_TUNNEL, OURS, PEER = "no tunnel", "skyward, one loop", "Paramiko, threads"
SYSTEMS = (NO_TUNNEL, OURS, PEER)
POOL, WARM = "pool", "warm"
WHAT = (*SYSTEMS, POOL, WARM)


def installed() -> list[str]:
    """The ways to have connections that can be measured; says which is left out."""
    found = [system for system in SYSTEMS if system != PEER or importlib.util.find_spec("paramiko")]
    if PEER not in found:
        print("Paramiko is not installed and left out (make bench-ssh installs it)")
    return found


def connections(system: str, nodes: int) -> Connections:
    """Measure connections to so many machines."""
    # An empty home: what a login shell reads there is not what is measured.
    with tempfile.TemporaryDirectory() as home, serving(nodes, Path(home)) as servers:
        return Connections(**_measured(system, servers))


def pool(nodes: int, home: Path) -> Start:
    """Measure a pool of so many machines with this home."""
    with serving(nodes, home) as servers:
        return Start(**_measured(POOL, servers))


def warm(home: Path) -> Start:
    """Have a pool make the image in this home."""
    with serving(1, home) as servers:
        return Start(**_measured(WARM, servers))


@contextmanager
def at_home(home: Path | None) -> Iterator[Path]:
    """A home for machines; one that is given stays, with the image in it."""
    with tempfile.TemporaryDirectory() as folder:
        found = home or Path(folder)
        found.mkdir(parents=True, exist_ok=True)
        yield found


def _measured(what: str, servers: Servers) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as state:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.ssh", "--measure", what],
            input=json.dumps(asdict(servers)),
            env={**os.environ, "SKYWARD_STATE_DIR": state},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def be(what: str) -> None:
    """Be that process: the servers come as input, the row goes out."""
    servers = Servers(**json.load(sys.stdin))
    print(json.dumps(asdict(_row(what, servers))))


def _row(what: str, servers: Servers) -> Connections | Start:
    # Only what is measured is imported: the rest would weigh, too.
    if what in SYSTEMS:
        row = Connections(what, len(servers.addresses))
        _way(what)(servers, row)
        return row
    from benchmarks.ssh import pools

    start = Start(len(servers.addresses))
    if what == POOL:
        pools.measure(servers, start)
    else:
        pools.warm(servers)
    return start


def _way(system: str) -> Callable[[Servers, Connections], None]:
    match system:
        case "skyward, one loop":
            from benchmarks.ssh import loop

            return loop.measure
        case "Paramiko, threads":
            from benchmarks.ssh import threads

            return threads.measure
    from benchmarks.ssh.tunnel import use

    return lambda servers, row: use(servers.echo, row)
