"""Node numbers as people write and read them: ``0,2,4-6``, ``-1`` and ``1::2`` in, ``[0,2,4-6]`` out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from skyward_jupyter.errors import UnknownNode, UsageError

#: The words that ``--on`` takes beside node numbers.
WORDS = ("all", "any", "head")
_SLICE = re.compile(r"(-?\d+)?:(-?\d+)?(?::(-?\d+)?)?")
_FROM_THE_END = re.compile(r"-\d+")
#: What looks like an option and is node numbers: -1, -2:, -3:-1,0
COUNTED = re.compile(r"-\d[\d:,-]*")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which nodes a cell runs on.

    Attributes
    ----------
    kind
        Every node, one that is free, the head, or those of `ranks`.
    ranks
        Node numbers in ascending order, for ``ranks`` only.
    counted
        Places among the nodes there are, as of a list: ``-1``, the last one, and slices; for ``ranks`` only.
    single
        Whether it names one node, so that a value that comes out is not a list.
    """

    kind: Literal["all", "any", "head", "ranks"]
    ranks: tuple[int, ...] = ()
    single: bool = False
    counted: tuple[int | slice, ...] = ()


ALL = Selection("all")


def parse(text: str, option: str = "--on") -> Selection:
    """The selection that TEXT means after `option`; raises UsageError when it means none."""
    match text:
        case "all":
            return ALL
        case "any" | "head":
            return Selection(text, single=True)
    ranks: set[int] = set()
    counted: list[int | slice] = []
    for part in map(str.strip, text.split(",")):
        if found := _SLICE.fullmatch(part):
            counted.append(_slice(found, f"{option} {text}"))
        elif _FROM_THE_END.fullmatch(part):
            counted.append(int(part))
        else:
            ranks.update(_range(part, f"{option} {text}", option))
    single = text.strip().removeprefix("-").isdecimal()
    return Selection("ranks", tuple(sorted(ranks)), single, tuple(counted))


def _slice(found: re.Match[str], said: str) -> slice:
    start, stop, step = (int(part) if part else None for part in found.groups())
    if step == 0:
        raise UsageError(f"{said}: a step of 0 goes nowhere; write every second node as ::2")
    return slice(start, stop, step)


def _range(part: str, said: str, option: str) -> range:
    first, dash, last = part.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        advice = f"give all, any, head, numbers as in {option} 0,2,4-6, or places as in -1 or 1::2"
        raise UsageError(f"{said}: {part!r} is no node number; {advice}")
    low, high = int(first), int(last or first)
    if high < low:
        raise UsageError(f"{said}: {part} runs backwards; write {high}-{low}")
    return range(low, high + 1)


def selected(selection: Selection, present: Sequence[int]) -> list[int]:
    """The nodes of those present that are named, ascending.

    Raises
    ------
    UnknownNode
        One of them is not there.
    UsageError
        A slice has none of them.
    """
    size = len(present)
    for rank in selection.ranks:
        if rank >= size:
            raise UnknownNode(rank, size)
    found = set(selection.ranks)
    for place in selection.counted:
        match place:
            case int():
                if place < -size:
                    raise UnknownNode(place, size)
                found.add(present[place])
            case _:
                found.update(_of_slice(place, present))
    return sorted(found)


def _of_slice(places: slice, present: Sequence[int]) -> Sequence[int]:
    if not (found := present[places]):
        ends = [str(one) if one is not None else "" for one in (places.start, places.stop)]
        said = ":".join(ends if places.step is None else [*ends, str(places.step)])
        raise UsageError(f"{said} has none of the nodes, which are {compact(present)}; nothing was run")
    return found


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
