"""Node numbers as people write and read them: ``0,2,4-6`` in, ``[0,2,4-6]`` out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from skyward_jupyter.errors import UnknownNode, UsageError

#: The words that ``--on`` takes beside node numbers.
WORDS = ("all", "any", "head")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which nodes a cell runs on.

    Attributes
    ----------
    kind
        Every node, one that is free, the head, or those of `ranks`.
    ranks
        Node numbers in ascending order, for ``ranks`` only.
    single
        Whether it names one node, so that a value that comes out is not a list.
    """

    kind: Literal["all", "any", "head", "ranks"]
    ranks: tuple[int, ...] = ()
    single: bool = False


ALL = Selection("all")


def parse(text: str, option: str = "--on") -> Selection:
    """The selection that TEXT means after `option`; raises UsageError when it means none."""
    match text:
        case "all":
            return ALL
        case "any" | "head":
            return Selection(text, single=True)
    ranks: set[int] = set()
    for part in text.split(","):
        ranks.update(_range(part.strip(), f"{option} {text}", option))
    return Selection("ranks", tuple(sorted(ranks)), single=text.strip().isdecimal())


def _range(part: str, said: str, option: str) -> range:
    first, dash, last = part.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        advice = f"give all, any, head, or numbers as in {option} 0,2,4-6"
        raise UsageError(f"{said}: {part!r} is no node number; {advice}")
    low, high = int(first), int(last or first)
    if high < low:
        raise UsageError(f"{said}: {part} runs backwards; write {high}-{low}")
    return range(low, high + 1)


def check(selection: Selection, size: int) -> None:
    """Raise UnknownNode when the selection names a node that a pool of `size` nodes does not have."""
    for rank in selection.ranks:
        if rank >= size:
            raise UnknownNode(rank, size)


def compact(ranks: Iterable[int]) -> str:
    """Node numbers with runs joined: ``0,2,4-6``."""
    ordered = sorted(set(ranks))
    runs: list[list[int]] = []
    for rank in ordered:
        if runs and rank == runs[-1][-1] + 1:
            runs[-1].append(rank)
        else:
            runs.append([rank])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def label(ranks: Iterable[int]) -> str:
    """The label of something that came from these nodes: ``[0,2,4-6]``."""
    return f"[{compact(ranks)}]"


def spoken(ranks: Iterable[int]) -> str:
    """These nodes in a sentence: ``node 3``, ``nodes 0,2,4-6``."""
    ordered = sorted(set(ranks))
    return f"node{'s' if len(ordered) != 1 else ''} {compact(ordered)}"
