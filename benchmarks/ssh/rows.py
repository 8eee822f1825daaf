"""What is measured: a row for each way to have connections, and a row for each size of a pool.

None is what was not measured. Seconds, unless it says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass


class Wrong(Exception):
    """Something else came back than was sent for: the time would mean nothing."""


@dataclass
class Connections:
    """One way to have connections to many machines.

    Attributes
    ----------
    connected, tunnelled, streamed
        Until all were logged in to; then until something had come back through a tunnel to each; then until every
        line had come of a command on each.
    stall, stream_stall
        The longest time in which the loop, or another thread, did not get to run: while connections and tunnels were
        made, and while the streams came.
    own
        The longest of all of these without what the thread waited for a processor: that is the machine's.
    processor
        What the process used in all that (seconds of one processor).
    memory
        What all that added (MiB).
    threads
        How many the process had with all of them connected.
    round_trip
        Of 200 bytes through a tunnel, the median.
    rate
        MiB a second through one tunnel, both directions together.
    """

    system: str
    nodes: int = 0
    connected: float | None = None
    tunnelled: float | None = None
    streamed: float | None = None
    stall: float | None = None
    stream_stall: float | None = None
    own: float | None = None
    processor: float | None = None
    memory: float | None = None
    threads: int | None = None
    round_trip: float | None = None
    rate: float | None = None


@dataclass
class Start:
    """A pool that starts, while calls run one after another on another pool of the same process.

    Attributes
    ----------
    connected, prepared, joined
        Since the start, until the last machine was logged in to, was ready for its template, and until its node took
        tasks.
    ready
        Until the call that starts the pool returned.
    stall, own
        The longest time until the loop had its next turn, and the longest without what its thread waited for a
        processor: that is the machine's.
    before, before_worst, during, during_worst
        Of a call on the other pool, the median and the 99th percentile: before the start, and during it.
    calls
        How many of these there were during the start.
    memory
        What the pool added to the process (MiB).
    threads
        How many the process had with the pool ready.
    broadcast
        A call on all of its nodes, the median.
    idle
        What the process used while nothing ran (percent of one processor).
    stopped
        Until the pool was stopped.
    left
        How many processes of it there still were five seconds later.
    """

    nodes: int
    connected: float = 0.0
    prepared: float = 0.0
    joined: float = 0.0
    ready: float = 0.0
    stall: float = 0.0
    own: float | None = None
    before: float = 0.0
    before_worst: float = 0.0
    during: float = 0.0
    during_worst: float = 0.0
    calls: int = 0
    memory: float = 0.0
    threads: int = 0
    broadcast: float = 0.0
    idle: float = 0.0
    stopped: float = 0.0
    left: int = 0
