"""Which names a cell sends to which node, and what each node's session already has.

A name that a cell reads goes by itself unless the node's own cells bound it, or it has it already: values are compared
by content hash, so an unchanged one is not sent twice, and a changed one is sent again. What a cell changes *inside* a
sent value stays on its node until the notebook's value changes.
"""

from __future__ import annotations

import difflib
import io
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cloudpickle
import xxhash

from skyward_jupyter.agent.cells import CellOutcome, Holdings, fingerprint
from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook.names import Names
from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.wire.blame import explain
from skyward_jupyter.wire.byvalue import by_value


@dataclass(slots=True)
class Held:
    """What one node's session has.

    Attributes
    ----------
    session
        The session's identity; empty before its first cell.
    sent
        Content hashes of the names the notebook set there.
    owned
        Fingerprints of the names its cells bound.
    """

    session: str = ""
    sent: dict[str, str] = field(default_factory=dict)
    owned: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one node is sent for a cell: names to set, names it should have, names it should own."""

    send: tuple[str, ...]
    expects: tuple[tuple[str, str], ...]
    keeps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Parcels by node, the values and content hashes they refer to, and what to tell the user."""

    parcels: Mapping[int, Parcel]
    values: Mapping[str, object]
    digests: Mapping[str, str]
    notes: tuple[str, ...] = ()


class Ledger:
    """What the sessions of one pool have, as far as the notebook knows."""

    def __init__(self) -> None:
        self._nodes: dict[int, Held] = {}
        self._functions: dict[str, frozenset[str]] = {}
        self._told: dict[str, tuple[int, str | None]] = {}
        self._returned: dict[str, int] = {}

    def held(self, rank: int) -> Held:
        """What the node's session has."""
        return self._nodes.setdefault(rank, Held())

    def learn(self, rank: int, holdings: Holdings) -> None:
        """Another kernel filled the node's session: what its cells bound there is the node's own."""
        self._nodes[rank] = Held(holdings.session, dict(holdings.sent), dict(holdings.owned))
        self._functions.update(holdings.functions)

    def forget(self, rank: int) -> tuple[str, ...]:
        """The node's session is gone; returns the names its cells had bound."""
        gone = self._nodes.pop(rank, Held())
        return tuple(sorted(gone.owned))

    def returned(self, name: str, value: object) -> None:
        """The notebook's `name` is now what the nodes' own values are, brought here."""
        self._returned[name] = id(value)

    def reads(self, names: Names) -> tuple[str, ...]:
        """What a cell reads, including what functions that earlier cells defined on the nodes read."""
        found = dict.fromkeys(names.reads)
        queue = list(found)
        while queue:
            for name in sorted(self._functions.get(queue.pop(), ())):
                if name not in found:
                    found[name] = None
                    queue.append(name)
        return tuple(found)

    def record(self, rank: int, outcome: CellOutcome, parcel: Parcel, digests: Mapping[str, str], names: Names) -> None:
        """Note what a cell left behind in a node's session."""
        held = self.held(rank)
        if held.session and held.session != outcome.session:
            self.forget(rank)
            held = self.held(rank)
        held.session = outcome.session
        for name in parcel.send:
            held.sent[name] = digests[name]
            held.owned.pop(name, None)
        for name, text in outcome.bound.items():
            held.sent.pop(name, None)
            held.owned[name] = text
        for name in outcome.deleted:
            held.sent.pop(name, None)
            held.owned.pop(name, None)
        self._functions.update({name: reads for name, reads in names.functions.items() if name in outcome.bound})

    def plan(
        self, names: Names, explicit: Iterable[str], notebook: Mapping[str, object], ranks: Iterable[int], limit: int
    ) -> Plan:
        """Decide what to send; raises UsageError or NotPicklable, naming the name, before anything is sent."""
        explicit = tuple(dict.fromkeys(explicit))
        for name in explicit:
            if name not in notebook:
                raise UsageError(_absent(name, notebook))
        ranks = tuple(ranks)
        reads = [name for name in self.reads(names) if name not in explicit]
        needed = [
            name for name in reads if name in notebook and any(name not in self.held(rank).owned for rank in ranks)
        ]
        digests: dict[str, str] = {}
        with by_value():
            for name in (*explicit, *needed):
                known = name in explicit or any(name in self.held(rank).sent for rank in ranks)
                digests[name] = weigh(name, notebook[name], None if known else limit).digest
        self._refuse_large(needed, explicit, notebook, digests, ranks, limit)
        parcels = {rank: self._parcel(self.held(rank), reads, explicit, digests) for rank in ranks}
        values = {name: notebook[name] for name in digests}
        return Plan(parcels, values, digests, tuple(self._notes(reads, notebook, ranks)))

    def _parcel(
        self, held: Held, reads: Iterable[str], explicit: tuple[str, ...], digests: Mapping[str, str]
    ) -> Parcel:
        own = tuple(name for name in reads if name in held.owned)
        wanted = [name for name in (*explicit, *reads) if name in digests and name not in own]
        has = {name for name in wanted if held.sent.get(name) == digests[name]}
        send = tuple(name for name in wanted if name not in has)
        return Parcel(send, tuple((name, digests[name]) for name in wanted if name in has), own)

    def _refuse_large(
        self,
        needed: Iterable[str],
        explicit: tuple[str, ...],
        notebook: Mapping[str, object],
        digests: Mapping[str, str],
        ranks: tuple[int, ...],
        limit: int,
    ) -> None:
        """A name over the limit that some node had before goes again only when it is asked for."""
        for name in needed:
            changed = any(
                name not in self.held(rank).owned and self.held(rank).sent.get(name) != digests[name] for rank in ranks
            )
            if changed and name not in explicit:
                weigh(name, notebook[name], limit)

    def _notes(self, reads: Iterable[str], notebook: Mapping[str, object], ranks: tuple[int, ...]) -> Iterable[str]:
        for name in reads:
            owners = [rank for rank in ranks if name in self.held(rank).owned]
            if not owners or name not in notebook or self._returned.get(name) == id(notebook[name]):
                continue
            text = fingerprint(notebook[name])
            others = [rank for rank in owners if text is None or self.held(rank).owned[name] != text]
            told = id(notebook[name]), text
            if others and self._told.get(name) != told:
                self._told[name] = told
                yield (
                    f"{name}: {spoken(others)} {'has its' if len(others) == 1 else 'have their'} own value, bound by a "
                    f"%%sky cell, and this cell uses it; the notebook has another: -i {name} sends that one"
                )


@dataclass(frozen=True, slots=True)
class Weight:
    """Content hash and size in bytes of a value as it would travel."""

    digest: str
    size: int


class _TooLarge(Exception):
    pass


class _Scale(io.RawIOBase):
    """A file that hashes and counts what is written to it, up to a limit."""

    def __init__(self, limit: int | None) -> None:
        self.hash = xxhash.xxh3_128()
        self.size = 0
        self.limit = limit

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self.size += view.nbytes
        if self.limit is not None and self.size > self.limit:
            raise _TooLarge
        self.hash.update(view)
        return view.nbytes

    def aside(self, buffer: Any) -> bool:
        try:
            view = buffer.raw()
        except BufferError:
            return True
        self.write(view)
        return False


def weigh(name: str, value: object, limit: int | None) -> Weight:
    """Hash `value` as it would be pickled; refuses one that is larger than `limit` bytes or cannot be pickled."""
    if isinstance(value, types.ModuleType) and not _by_value(value):
        return Weight(f"module {value.__name__}", 0)
    scale = _Scale(limit)
    try:
        cloudpickle.Pickler(scale, protocol=5, buffer_callback=scale.aside).dump(value)
    except _TooLarge:
        raise UsageError(
            f"{name} is over {_bytes(limit or 0)}, the limit for a name that goes to the nodes by itself: send it with "
            f"-i {name}, make it on the nodes, or raise the limit with %config Sky.size_limit = {10 * (limit or 1)}"
        ) from None
    except Exception:
        raise explain(name, value) from None
    return Weight(scale.hash.hexdigest(), scale.size)


def _by_value(module: types.ModuleType) -> bool:
    return module.__name__.partition(".")[0] in {
        name.partition(".")[0] for name in cloudpickle.list_registry_pickle_by_value()
    }


def _absent(name: str, notebook: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, list(notebook), n=2)
    advice = f"did you mean {' or '.join(close)}?" if close else "bind it in a cell without %%sky first"
    return f"-i {name}: this notebook has no name {name}; {advice}"


def _bytes(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes"
