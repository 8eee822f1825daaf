"""Which names a cell sends to which node, and what each node's session already has.

A name that a cell reads goes by itself unless the node's own cells bound it, or it has it already: values are compared
by content hash, so an unchanged one is not sent twice, and a changed one is sent again. What a cell changes *inside* a
sent value stays on its node until the notebook's value changes.

What a node's cells bound is remembered when its session is gone, until a cell binds or is sent such a name again.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from skyward_jupyter.agent.cells import CellOutcome, Holdings, fingerprint
from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook.names import Names
from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.notebook.scattering import Parts
from skyward_jupyter.notebook.traffic import Traffic
from skyward_jupyter.notebook.weighing import Weight, too_large, weigh


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
    files
        The cells of the notebook whose text it has, for tracebacks.
    gone
        Fingerprints of the names that cells had bound in sessions before this one.
    """

    session: str = ""
    sent: dict[str, str] = field(default_factory=dict)
    owned: dict[str, str | None] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    gone: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one node is sent for a cell.

    Attributes
    ----------
    send, expects, keeps
        Names to set, names it should have with their content hashes, names it should own.
    files
        Cells of the notebook that functions in `send` come from, and whose text it does not have.
    part_of
        The node itself where it gets parts of its own; -1 where all nodes get the same.
    """

    send: tuple[str, ...]
    expects: tuple[tuple[str, str], ...]
    keeps: tuple[str, ...]
    files: tuple[str, ...] = ()
    part_of: int = -1


@dataclass(frozen=True, slots=True)
class Plan:
    """Parcels by node, the values and weights they refer to, and what to tell the user before and after the cell.

    `gone` has the names that the cell reads and that went with the session of a node.
    """

    parcels: Mapping[int, Parcel]
    values: Mapping[str, object]
    weights: Mapping[str, Weight]
    parts: Parts
    traffic: Traffic
    notes: tuple[str, ...] = ()
    gone: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def values_of(self, rank: int) -> dict[str, object]:
        """What to set on a node."""
        sent = {name: self.values[name] for name in self.parcels[rank].send}
        return sent | {name: parts[rank] for name, parts in self.parts.items()}

    def digests_of(self, rank: int) -> dict[str, str]:
        """The content hash of each of those; a part has none, as it is the node's own from then on."""
        return {name: self.weights[name].digest for name in self.parcels[rank].send}


class Ledger:
    """What the sessions of one pool have, as far as the notebook knows."""

    def __init__(self) -> None:
        self._nodes: dict[int, Held] = {}
        self._functions: dict[str, frozenset[str]] = {}
        self._told: dict[str, tuple[int, str | None]] = {}
        self._returned: dict[str, int] = {}
        self._reused: set[str] = set()

    def held(self, rank: int) -> Held:
        """What the node's session has."""
        return self._nodes.setdefault(rank, Held())

    def owned(self) -> set[str]:
        """The names that the cells of some node bound."""
        return {name for held in self._nodes.values() for name in held.owned}

    def has(self, name: str) -> bool:
        """Whether some node has this name, bound there or sent."""
        return any(name in held.owned or name in held.sent for held in self._nodes.values())

    def learn(self, rank: int, holdings: Holdings) -> None:
        """Another kernel filled the node's session: what its cells bound there is the node's own."""
        self._nodes[rank] = Held(holdings.session, dict(holdings.sent), dict(holdings.owned))
        self._functions.update(holdings.functions)

    def forget(self, rank: int) -> Held:
        """The node's session is gone; returns what it had."""
        had = self._nodes.pop(rank, Held())
        self._nodes[rank] = Held(gone=had.gone | had.owned)
        return had

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

    def lacks(self, name: str, names: Names, ranks: Iterable[int]) -> bool:
        """Return whether a cell reads a name that some of its nodes do not own."""
        return name in self.reads(names) and any(name not in self.held(rank).owned for rank in ranks)

    def record(self, rank: int, outcome: CellOutcome, plan: Plan, names: Names) -> None:
        """Note what a cell left behind in a node's session."""
        held = self.held(rank)
        if held.session and held.session != outcome.session:
            self.forget(rank)
            held = self.held(rank)
        held.session = outcome.session
        for name, digest in plan.digests_of(rank).items():
            held.sent[name] = digest
            held.owned.pop(name, None)
        held.files.update(plan.parcels[rank].files)
        for name in plan.parts:
            held.sent.pop(name, None)
            held.owned[name] = None
        for name, text in outcome.bound.items():
            held.sent.pop(name, None)
            held.owned[name] = text
        for name in outcome.deleted:
            held.sent.pop(name, None)
            held.owned.pop(name, None)
        for name in (*plan.digests_of(rank), *plan.parts, *outcome.bound, *outcome.deleted):
            held.gone.pop(name, None)
        self._functions.update({name: reads for name, reads in names.functions.items() if name in outcome.bound})

    def plan(
        self,
        names: Names,
        explicit: Iterable[str],
        notebook: Mapping[str, object],
        ranks: Iterable[int],
        limit: int,
        parts: Parts | None = None,
        cells: re.Pattern[bytes] | None = None,
    ) -> Plan:
        """Decide what to send; raises UsageError or NotPicklable, naming the name, before anything is sent.

        Parameters
        ----------
        explicit
            Names that go although the nodes have their own.
        parts
            Names of which each node gets a part.
        cells
            What names of the notebook's cells look like in pickled code.
        """
        explicit = tuple(dict.fromkeys(explicit))
        check_here("-i", explicit, notebook)
        ranks = tuple(ranks)
        parts = parts or {}
        reads = [name for name in self.reads(names) if name not in explicit and name not in parts]
        needed = [
            name for name in reads if name in notebook and any(name not in self.held(rank).owned for rank in ranks)
        ]
        weights: dict[str, Weight] = {}
        for name in (*explicit, *needed):
            known = name in explicit or any(name in self.held(rank).sent for rank in ranks)
            weights[name] = weigh(name, notebook[name], None if known else limit, cells)
        of_parts = {name: sum(weigh(name, parts[name][rank], None).size for rank in ranks) for name in parts}
        self._refuse_large(needed, explicit, notebook, weights, ranks, limit)
        parcels = {rank: self._parcel(rank, reads, explicit, weights, split=bool(parts)) for rank in ranks}
        values = {name: notebook[name] for name in weights}
        traffic = self._traffic(parcels, weights, of_parts)
        gone = {rank: self._gone(rank, reads, notebook) for rank in ranks}
        return Plan(parcels, values, weights, parts, traffic, tuple(self._notes(reads, notebook, ranks)), gone)

    def _gone(self, rank: int, reads: Iterable[str], notebook: Mapping[str, object]) -> tuple[str, ...]:
        """The names that went with the node's session, unless the notebook has the same."""
        gone = self.held(rank).gone
        return tuple(
            name
            for name in reads
            if name in gone
            and (name not in notebook or gone[name] is None or gone[name] != fingerprint(notebook[name]))
        )

    def _parcel(
        self, rank: int, reads: Iterable[str], explicit: tuple[str, ...], weights: Mapping[str, Weight], *, split: bool
    ) -> Parcel:
        held = self.held(rank)
        own = tuple(name for name in reads if name in held.owned)
        wanted = [name for name in (*explicit, *reads) if name in weights and name not in own]
        has = {name for name in wanted if held.sent.get(name) == weights[name].digest}
        send = tuple(name for name in wanted if name not in has)
        expects = tuple((name, weights[name].digest) for name in wanted if name in has)
        files = {file for name in send for file in weights[name].files} - held.files
        return Parcel(send, expects, own, tuple(sorted(files)), rank if split else -1)

    def _traffic(
        self, parcels: Mapping[int, Parcel], weights: Mapping[str, Weight], of_parts: Mapping[str, int]
    ) -> Traffic:
        sent = {name for parcel in parcels.values() for name in parcel.send}
        reused = {name for parcel in parcels.values() for name, _ in parcel.expects} - sent
        sizes = {name: weights[name].size for name in sent} | dict(of_parts)
        kept = {weights[name].digest: weights[name].size for name in reused}
        traffic = Traffic.of(sizes, kept, self._reused)
        if traffic.large:
            self._reused.update(kept)
        return traffic

    def _refuse_large(
        self,
        needed: Iterable[str],
        explicit: tuple[str, ...],
        notebook: Mapping[str, object],
        weights: Mapping[str, Weight],
        ranks: tuple[int, ...],
        limit: int,
    ) -> None:
        """A name over the limit that some node had before goes again only when it is asked for."""
        for name in needed:
            changed = any(
                name not in self.held(rank).owned and self.held(rank).sent.get(name) != weights[name].digest
                for rank in ranks
            )
            if changed and name not in explicit and weights[name].size > limit:
                raise too_large(name, notebook[name], limit)

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


def check_here(option: str, names: Iterable[str], notebook: Mapping[str, object]) -> None:
    """Raise UsageError when the notebook has no such name."""
    for name in names:
        if name not in notebook:
            raise UsageError(_absent(option, name, notebook))


def _absent(option: str, name: str, notebook: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, list(notebook), n=2)
    advice = f"did you mean {' or '.join(close)}?" if close else "bind it in a cell without %%sky first"
    return f"{option} {name}: this notebook has no name {name}; {advice}"
