"""Says what went with the sessions of nodes: whenever one turns out to be gone, and in every cell that misses it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.notebook.sending import Held, Plan

_AGAIN = "run those cells again"
_HERE = "this cell uses the notebook's"


class Gone:
    """What one cell has said of it; it says nothing twice."""

    def __init__(self) -> None:
        self._said: defaultdict[int, set[str]] = defaultdict(set)

    def of_sessions(self, held: Mapping[int, Held]) -> list[str]:
        """Return sentences about the sessions of these nodes, which had this and are gone."""
        bound = {rank: tuple(sorted(was.owned)) for rank, was in held.items() if was.owned}
        bare = [rank for rank, was in held.items() if was.session and not was.owned]
        for rank, names in bound.items():
            self._said[rank].update(names)
        said = _sentences(bound, _AGAIN)
        if bare:
            said.append(
                f"{spoken(bare)}: the process that ran earlier cells there has ended, with what they changed there"
            )
        return said

    def of_plan(self, plan: Plan, ranks: Iterable[int]) -> list[str]:
        """Return sentences about names that a cell reads, and that these nodes had before their sessions were gone."""
        here: dict[int, tuple[str, ...]] = {}
        absent: dict[int, tuple[str, ...]] = {}
        for rank in ranks:
            names = [name for name in plan.gone.get(rank, ()) if name not in self._said[rank]]
            here[rank] = tuple(name for name in names if name in plan.values)
            absent[rank] = tuple(name for name in names if name not in plan.values)
            self._said[rank].update(names)
        return [*_sentences(absent, _AGAIN), *_sentences(here, _HERE)]


def _sentences(gone: Mapping[int, Collection[str]], then: str) -> list[str]:
    nodes: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for rank, names in gone.items():
        if names:
            nodes[tuple(names)].append(rank)
    what = "what earlier cells bound there went with the process that ran them"
    return [f"{spoken(ranks)}: {what} ({', '.join(names)}); {then}" for names, ranks in nodes.items()]
