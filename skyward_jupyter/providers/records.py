"""The records of pools on disk: who drives which pool, and what another kernel needs to find it.

One private JSON file per pool, replaced as a whole, so that a reader sees the old one or the new one. What changes a
record does so under one lock and names the epoch it knows: of two kernels that want the same pool one gets it, and
the one that lost it cannot write over that. A file that cannot be read is complained about and never keeps the others
from being read. No record has a secret: keys and the environment of user code stay where the nodes are.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from skyward_jupyter.agent.lease import Owner, is_alive, started
from skyward_jupyter.providers.terms import Terms
from skyward_jupyter.runtime.origin import connection_file, origin
from skyward_jupyter.runtime.state import directory, location
from skyward_jupyter.wire.holds import is_held
from skyward_jupyter.wire.locks import locked
from skyward_jupyter.wire.moments import Moment, beside, noted_end

#: Counts what a reader must understand.
VERSION = 1
_LOCK = ".lock"

type Standing = Literal["ours", "held", "left", "over", "elsewhere", "remains"]


class NameTaken(Exception):
    """Another pool has the name that one was to be given."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that drives a pool.

    Attributes
    ----------
    pid, since, name
        As of `skyward_jupyter.agent.lease.Owner`.
    host, space
        Where it runs, and what tells a container there from others (Linux); process ids mean nothing elsewhere.
    kernel
        Its connection file, which a kernel keeps when it is restarted; empty for a script.
    notebook
        The path of the notebook that it is the kernel of; empty where that is not known.
    """

    pid: int
    since: float
    name: str
    host: str
    kernel: str = ""
    space: int = 0
    notebook: str = ""

    @property
    def owner(self) -> Owner:
        """It, as nodes know it."""
        return Owner(self.pid, self.since, self.name)

    @property
    def is_me(self) -> bool:
        """Whether it is this process."""
        return self.host == socket.gethostname() and self.is_near and self.pid == os.getpid() and self.owner.alive

    @property
    def is_near(self) -> bool:
        """Whether its process ids are those of this process too, if it is on this machine."""
        return self.space in (0, _space())

    @property
    def was_me(self) -> bool:
        """Whether it is this kernel before a restart, or another kernel of this notebook."""
        here = me()
        same = (self.kernel and self.kernel == here.kernel) or (self.notebook and self.notebook == here.notebook)
        return bool(same) and self.host == here.host


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """One node: its agent's address, process id and start; the id is 0 until the agent runs."""

    rank: int
    address: str
    pid: int = 0
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """Calls that wait in a kernel for a free slot.

    Attributes
    ----------
    number, parts, label
        The number of the first task, how many follow each other from there on, and what they are.
    since
        When the first was made.
    separate
        Whether they were single calls, not one run.
    """

    number: int
    parts: int
    label: str
    since: float
    separate: bool = False


@dataclass(frozen=True, slots=True)
class PoolRecord:
    """One pool.

    Attributes
    ----------
    key
        Unlike any other pool's; what its nodes know its kernel by.
    epoch
        How often it was taken over.
    size
        How many nodes it should have.
    store
        The private directory of its certificates and blobs, and of the socket through which nodes are started.
    places
        What its fleet needs to have it again.
    left
        What could not be removed when it was stopped.
    waiting
        Runs with calls that have waited in its kernel for a while: what nobody knows of once that has ended.
    ended
        How its tasks ended, as of `skyward_jupyter.actors.tally.Counted`.
    terms
        What the kernel that goes on with it keeps to; a record that lacks some of it means the usual.
    cost
        Money per hour, as text.
    began
        When it was started, on the clocks of the machine that it was started from.
    """

    key: str
    name: str
    provider: str
    cluster: str
    holder: Holder
    store: str
    created: float
    size: int = 0
    epoch: int = 0
    concurrency: int = 1
    executor: Literal["process", "thread"] = "process"
    ttl: float = 30.0
    share: bool = True
    state: str = "starting"
    cost: str = "free"
    places: str = ""
    left: tuple[str, ...] = ()
    terms: Terms = field(default_factory=Terms)
    waiting: tuple[WaitingRun, ...] = ()
    nodes: tuple[NodeRecord, ...] = field(default_factory=tuple)
    ended: tuple[tuple[int, int, int, int, int], ...] = ()
    began: Moment = field(default_factory=Moment)

    @property
    def standing(self) -> Standing:
        """Whether this process drives it, another does, nobody does any more, or it is over, all of it or not quite."""
        if self.left:
            return "remains"
        if self.holder.is_me:
            return "ours"
        if self.is_driven:
            near = self.holder.host == socket.gethostname() and self.holder.is_near
            return "held" if near else "elsewhere"
        return "left" if self._lives() else "over"

    @property
    def is_driven(self) -> bool:
        """Whether the process that drives it runs, as far as can be told from here."""
        if self.holder.host != socket.gethostname():
            return True
        return self.holder.owner.alive if self.holder.is_near else is_held(self.store)

    def _lives(self) -> bool:
        """Whether a node runs; of nodes elsewhere, or not known yet when their kernel ended, whether one may."""
        if self.provider == "local" and any(node.pid for node in self.nodes):
            return self._is_seen
        return self.ends_in > 0

    @property
    def _is_seen(self) -> bool:
        """Whether one of its nodes runs on this machine."""
        here = self.nodes if self.provider == "local" else ()
        return any(is_alive(node.pid, node.since) for node in here if node.pid)

    @property
    def has_name(self) -> bool:
        """Whether its name is its own: it runs, or somebody else may go on with it."""
        match self.standing:
            case "left":
                return not self.holder.was_me
            case standing:
                return standing in ("ours", "held", "elsewhere")

    @property
    def path(self) -> Path:
        """Its file."""
        return path_of(self.key)

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return self.began.age() if self.began.boot else max(0.0, time.time() - self.created)

    @property
    def left_for(self) -> float | None:
        """Seconds since its kernel ended, for one that is left or over; None where nobody noted that."""
        end = self._end
        return end.age() if end is not None else 0.0 if self.standing == "left" and self._is_seen else None

    @property
    def ends_in(self) -> float:
        """Seconds until the nodes of a pool that was left end themselves, if nobody takes it over.

        Nodes on this machine do not count while it sleeps.
        """
        end = self._end
        if end is None:
            gone = 0.0 if self._is_seen else time.time() - self._changed
        else:
            gone = end.awake_for() if self.provider == "local" else end.age()
        return max(0.0, self.ttl - gone)

    @property
    def _end(self) -> Moment | None:
        """When its kernel ended: a node notes that."""
        return noted_end(self.path, self.epoch)

    @property
    def _changed(self) -> float:
        """When it was written, or its kernel ended, whichever came last."""
        try:
            return self.path.stat().st_mtime
        except OSError:
            return self.created


@cache
def _me(pid: int, name: str, notebook: str) -> Holder:
    return Holder(pid, started(pid), name, socket.gethostname(), connection_file(), _space(), notebook)


@cache
def _space() -> int:
    """What tells this process's container from others of its machine; 0 where nothing does."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def me() -> Holder:
    """This process, as the holder of pools."""
    mine = origin()
    return _me(os.getpid(), mine.name, mine.notebook)


def path_of(key: str) -> Path:
    """The file of the pool of this key."""
    return location() / f"{key}.json"


def read() -> tuple[list[PoolRecord], list[str]]:
    """Every record, oldest first, and a sentence about each file that is none."""
    records, damaged = [], []
    for path in directory().glob("*.json"):
        try:
            records.append(_parsed(path.read_text()))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            damaged.append(f"{path} is no record of a pool ({type(error).__name__}: {error}); remove it")
    return sorted(records, key=lambda record: record.created), damaged


def find(key: str) -> PoolRecord | None:
    """The record of this key; None when there is none that can be read."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        return _parsed(path_of(key).read_text())
    return None


def names() -> set[str]:
    """The names of pools that are not this process's to give again: those that run, or that others left."""
    if not location().is_dir():
        return set()
    return {record.name for record in read()[0] if record.has_name}


def add(record: PoolRecord, *, alone: bool = False) -> None:
    """Write the record of a pool that starts.

    Raises
    ------
    NameTaken
        It is to be alone with its name, and another pool has it.
    """
    with locked(directory() / _LOCK):
        if alone and record.name in names():
            raise NameTaken(record.name)
        _write(record)


def save(record: PoolRecord) -> bool:
    """Write what changed; False, and nothing is written, when someone took the pool over meanwhile.

    One that was removed stays away.
    """
    with locked(directory() / _LOCK):
        if not _is_current(record):
            return False
        if record.path.exists():
            _write(record)
        return True


def remove(record: PoolRecord) -> bool:
    """Remove a record; False, and it stays, when someone took the pool over meanwhile."""
    with locked(directory() / _LOCK):
        if not _is_current(record):
            return False
        record.path.unlink(missing_ok=True)
        beside(record.path).unlink(missing_ok=True)
        return True


def is_current(record: PoolRecord) -> bool:
    """Whether nobody took the pool over since this record was read or written."""
    with locked(directory() / _LOCK):
        return _is_current(record)


def claim(key: str, holder: Holder, *, force: bool = False) -> PoolRecord | None:
    """Write `holder` as the one who drives a pool, and return the new record.

    None, and nothing is written, when there is no such pool, or another living process drives it and there is no
    `force`.
    """
    with locked(directory() / _LOCK):
        known = find(key)
        if known is None or (known.is_driven and not known.holder.is_me and not force):
            return None
        taken = replace(known, holder=holder, epoch=known.epoch + 1)
        _write(taken)
        return taken


def _is_current(record: PoolRecord) -> bool:
    known = find(record.key)
    return known is None or known.epoch <= record.epoch


def _parsed(text: str) -> PoolRecord:
    fields = json.loads(text)
    version = fields.pop("version")
    if version != VERSION:
        raise ValueError(f"it is of version {version}, this is {VERSION}")
    fields["holder"] = Holder(**fields["holder"])
    fields["began"] = Moment(**fields.get("began", {}))
    fields["terms"] = Terms(**_with_names(fields.get("terms", {})))
    fields["waiting"] = tuple(WaitingRun(**run) for run in fields.get("waiting", ()))
    fields["nodes"] = tuple(NodeRecord(**node) for node in fields["nodes"])
    fields["ended"] = tuple(tuple(map(int, counted)) for counted in fields.get("ended", ()))
    fields["left"] = tuple(fields.get("left", ()))
    return PoolRecord(**fields)


def _with_names(terms: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples."""
    preload = terms.get("preload")
    return {**terms, "preload": tuple(preload)} if isinstance(preload, list) else terms


def _write(record: PoolRecord) -> None:
    made, partial = tempfile.mkstemp(dir=directory(), prefix=f".{record.key}-")
    try:
        with os.fdopen(made, "w") as file:
            json.dump({"version": VERSION, **asdict(record)}, file, indent=1)
        Path(partial).rename(record.path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
