"""``--scatter``: a sequence split into parts, one for each node.

Parts keep the type of the whole and differ in length by at most one, the longer ones first. They are consecutive, and
put together in node order the whole again; or, ``cyclic``, dealt out in turn, so that what is slow is spread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook.ranks import spoken

#: For each name, the part of each node.
type Parts = Mapping[str, Mapping[int, object]]


def layouts(written: Sequence[str]) -> dict[str, bool]:
    """The names that are written, and whether each is dealt out in turn; raises UsageError when they do not agree."""
    found = {name: how == "cyclic" for name, _, how in (one.partition(":") for one in written)}
    if len(set(found.values())) > 1:
        mixed = ",".join(f"{name}:cyclic" for name in found)
        raise UsageError(
            f"--scatter {','.join(written)}: some are dealt out in turn and some are not, so their parts would not fit "
            f"each other; write {mixed}, or scatter them in cells of their own"
        )
    return found


def scattered(
    names: Sequence[str], notebook: Mapping[str, object], ranks: Sequence[int], *, cyclic: bool = False
) -> Parts:
    """The parts of each name; raises UsageError where there are none to give."""
    lengths = {name: _length(name, notebook[name]) for name in names}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {length} items" for name, length in lengths.items())
        raise UsageError(
            f"--scatter {','.join(names)}: {said}, so their parts would not fit each other; make them as long as each "
            "other, or scatter them in cells of their own"
        )
    return {name: _parts(name, notebook[name], lengths[name], ranks, cyclic=cyclic) for name in names}


def told(names: Sequence[str], parts: Parts) -> list[str]:
    """What to say when some nodes get nothing."""
    if not names:
        return []
    of_one = parts[names[0]]
    empty = [rank for rank, part in of_one.items() if not len(part)]  # type: ignore[arg-type]
    if not empty:
        return []
    count = len(of_one) - len(empty)
    have = f"{count} item{'s' if count != 1 else ''} for {len(of_one)} nodes"
    each = "an empty part" if len(empty) == 1 else "empty parts"
    return [f"--scatter {','.join(names)}: {have}, so {spoken(empty)} {'gets' if len(empty) == 1 else 'get'} {each}"]


def _length(name: str, value: Any) -> int:
    kind = type(value).__name__
    if isinstance(value, Mapping | set | frozenset):
        raise UsageError(
            f"--scatter {name}: {name} is of type {kind}, which has no order to split it by; {_listed(name)}"
        )
    try:
        return len(value)
    except TypeError:
        advice = f"; {_listed(name)}" if hasattr(value, "__iter__") else ", send it whole with -i"
        raise UsageError(f"--scatter {name}: {name} is of type {kind}, which is no sequence{advice}") from None


def _parts(name: str, value: Any, length: int, ranks: Sequence[int], *, cyclic: bool) -> dict[int, object]:
    rows = getattr(value, "iloc", value)
    size, more = divmod(length, len(ranks))
    parts: dict[int, object] = {}
    start = 0
    for place, rank in enumerate(ranks):
        stop = start + size + (place < more)
        try:
            parts[rank] = rows[place :: len(ranks)] if cyclic else rows[start:stop]
        except (TypeError, KeyError, IndexError) as error:
            reason = f"{name} is of type {type(value).__name__}, which cannot be split by position ({error})"
            raise UsageError(f"--scatter {name}: {reason}; {_listed(name)}") from None
        start = stop
    return parts


def _listed(name: str) -> str:
    return f"make it a list first: {name} = list({name})"
