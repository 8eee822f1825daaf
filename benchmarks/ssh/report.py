"""The rows as tables on a terminal, as JSON and as a page of the docs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from benchmarks.report import aligned, machine, markdown
from benchmarks.ssh import stream
from benchmarks.ssh.rows import Connections, Start

VERSIONS = ("skyward-jupyter", "casty", "asyncssh", "paramiko")

PAGE = """\
# Many machines over SSH

How time, memory and the loop's delay grow with the number of machines. Measured on {date} with {cpus} processors
({system}), Python {python}, {versions}.

The machines are addresses of OpenSSH servers on loopback. **They, and every process of every node, share these
{cpus} processors** with what is measured, where real machines have their own: most of the seconds and the stalls of
many nodes are waiting for a processor.

## Connections

All on one event loop in one thread, beside a thread for each connection with [Paramiko](https://www.paramiko.org).
Every machine is logged in to, answers through a tunnel, and then runs a command that writes {lines} lines, in bursts,
with pauses of 2 seconds in all, as a machine does that is being prepared; every line must come. A stall is the longest
time in which the loop (with Paramiko: another thread) did not get to run: while logging in and tunnelling, and while
the lines came; own is the longest without what it waited for a processor that another process had. A round trip of 200
bytes and the throughput are those of one tunnel.

{connections}

## Pools

`ComputePool(provider=sky.SSH(...))` starts with a node on each machine while trivial calls run one after another,
without a pause, on a local pool of two nodes: all on the same loop, in the same thread. The machines share a home in
which a pool of one node has made the image before, so this is the start on machines that were used before. Connected,
prepared (its template may start) and joined are when the last node was so far. The stall is the longest time until the
loop had its next turn; own is as above. Memory and threads are the kernel's; idle is what it uses of one processor with
both pools ready and nothing to do; left are the processes that the stopped pool still has.

{pools}

Every row is a process of its own. The numbers, and this page, come from
`make bench-ssh ARGS="--record docs/benchmarks-ssh.md"`.
"""

type Column[R] = tuple[str, Callable[[R], str]]


def _in(unit: str, digits: int, factor: float = 1.0) -> Callable[[float | None], str]:
    def written(value: float | None) -> str:
        return "-" if value is None else f"{value * factor:,.{digits}f} {unit}".rstrip()

    return written


_seconds, _milliseconds, _trip = _in("s", 2), _in("ms", 0, 1e3), _in("ms", 2, 1e3)
_mib, _rate, _percent, _count = _in("MiB", 0), _in("MiB/s", 0), _in("%", 1), _in("", 0)

CONNECTIONS: tuple[Column[Connections], ...] = (
    ("", lambda row: row.system),
    ("nodes", lambda row: str(row.nodes)),
    ("connect", lambda row: _seconds(row.connected)),
    ("tunnels", lambda row: _seconds(row.tunnelled)),
    ("streams", lambda row: _seconds(row.streamed)),
    ("stall", lambda row: _milliseconds(row.stall)),
    ("in streams", lambda row: _milliseconds(row.stream_stall)),
    ("own", lambda row: _milliseconds(row.own)),
    ("processor", lambda row: _seconds(row.processor)),
    ("memory", lambda row: _mib(row.memory)),
    ("threads", lambda row: _count(row.threads)),
    ("round trip", lambda row: _trip(row.round_trip)),
    ("throughput", lambda row: _rate(row.rate)),
)
POOLS: tuple[Column[Start], ...] = (
    ("nodes", lambda row: str(row.nodes)),
    ("connected", lambda row: _seconds(row.connected)),
    ("prepared", lambda row: _seconds(row.prepared)),
    ("joined", lambda row: _seconds(row.joined)),
    ("ready", lambda row: _seconds(row.ready)),
    ("stall", lambda row: _milliseconds(row.stall)),
    ("own", lambda row: _milliseconds(row.own)),
    ("call before p50, p99", lambda row: _both(row.before, row.before_worst)),
    ("call during p50, p99", lambda row: _both(row.during, row.during_worst)),
    ("memory", lambda row: _mib(row.memory)),
    ("threads", lambda row: str(row.threads)),
    ("broadcast", lambda row: _milliseconds(row.broadcast)),
    ("idle", lambda row: _percent(row.idle)),
    ("stop", lambda row: _seconds(row.stopped)),
    ("left", lambda row: str(row.left)),
)


def _both(typical: float, worst: float) -> str:
    return f"{typical * 1e3:.2f}, {_milliseconds(worst)}"


def cells[R](columns: tuple[Column[R], ...], rows: list[R]) -> list[list[str]]:
    """Return a table's cells, header first."""
    return [[name for name, _ in columns], *([written(row) for _, written in columns] for row in rows)]


def text[R](columns: tuple[Column[R], ...], rows: list[R]) -> str:
    """Return a table for a terminal."""
    return aligned(cells(columns, rows), "<" + ">" * (len(columns) - 1))


def texts(found: dict[str, Any]) -> str:
    """Return the tables of a `document` for a terminal."""
    connections, pools = rows(found)
    there = [text(CONNECTIONS, connections)] * bool(connections) + [text(POOLS, pools)] * bool(pools)
    return "".join(f"\n{table}\n" for table in there)


def document(connections: list[Connections], pools: list[Start]) -> dict[str, Any]:
    """Return everything that was measured, as JSON's types."""
    return {
        "machine": machine(VERSIONS),
        "connections": [asdict(row) for row in connections],
        "pools": [asdict(row) for row in pools],
    }


def rows(found: dict[str, Any]) -> tuple[list[Connections], list[Start]]:
    """Return the rows of a `document`."""
    return [Connections(**row) for row in found["connections"]], [Start(**row) for row in found["pools"]]


def page(found: dict[str, Any]) -> str:
    """Return a `document` as a page in Markdown."""
    on = found["machine"]
    connections, pools = rows(found)
    return PAGE.format(
        date=on["date"],
        cpus=on["cpus"],
        system=on["system"],
        python=on["python"],
        versions=", ".join(f"{name} {number}" for name, number in on["versions"].items()),
        lines=stream.COUNT,
        connections=_table(CONNECTIONS, connections),
        pools=_table(POOLS, pools),
    )


def _table[R](columns: tuple[Column[R], ...], found: list[R]) -> str:
    return markdown(cells(columns, found), "<" + ">" * (len(columns) - 1)) if found else "Not measured."
