"""Whether a register's history is linearizable: the search of Wing and Gong, with what Lowe made of it.

An order of the operations is looked for that keeps those apart that did not overlap, and in which each reads what was
written last. An operation that may have happened or not is in that order at any place after it began, or not at all.
Which operations were taken, and what was written last, is remembered: no such state is looked at twice.

J. M. Wing, C. Gong: Testing and verifying concurrent objects (1993). G. Lowe: Testing for linearizability (2017).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.chaos.history import NEVER, Op

#: What a register holds that nothing was written to.
ABSENT = None
#: States looked at before the search is given up.
MOST = 2_000_000


class Undecided(Exception):
    """The search took too long."""


def explain(history: Iterable[Op], first: Any = ABSENT) -> str:
    """Return why the history of one register is not linearizable; empty when it is.

    ``write`` writes its value, ``read`` has read it, and ``pop`` has read it and left nothing. `first` is what the
    register held before.
    """
    ops = sorted(_needed(list(history)), key=lambda op: op.began)
    taken, seen, best = 0, set[tuple[int, Any]](), 0
    must = sum(1 << number for number, op in enumerate(ops) if not op.maybe)
    stack: list[tuple[int, Any, Iterable[int]]] = [(taken, first, iter(_next(ops, taken, first)))]
    while stack:
        taken, _, choices = stack[-1]
        if taken & must == must:
            return ""
        for number in choices:
            after = taken | 1 << number, _written(ops[number])
            if after in seen:
                continue
            if len(seen) >= MOST:
                raise Undecided(f"{len(ops)} operations; {MOST:,} states were not enough")
            seen.add(after)
            best = max(best, after[0], key=int.bit_count)
            stack.append((*after, iter(_next(ops, *after))))
            break
        else:
            stack.pop()
    return _told(ops, best)


def _needed(ops: list[Op]) -> Iterable[Op]:
    """All but what may not have happened and nobody has seen: a read, or a write of what was never read.

    A pop writes, too, that there is nothing.
    """
    read = {op.value for op in ops if op.does != "write" and not op.maybe}
    return (op for op in ops if not op.maybe or (op.does != "read" and (_written(op) in read)))


def _written(op: Op) -> Any:
    return ABSENT if op.does == "pop" else op.value


def _next(ops: Sequence[Op], taken: int, value: Any) -> list[int]:
    """The operations that may come next, by what was taken and what the register holds.

    They began before any that is left has ended. A read of what it holds is in nobody's way, so it is taken before
    anything else is tried; what may not have happened is tried last.
    """
    found, until = list[int](), NEVER
    for number in range((~taken & taken + 1).bit_length() - 1, len(ops)):
        if taken >> number & 1:
            continue
        op = ops[number]
        if op.began > until:
            break
        found.append(number)
        until = min(until, op.ended)
    found = [number for number in found if ops[number].began <= until and _fits(ops[number], value)]
    for number in found:
        if ops[number].does == "read":
            return [number]
    return sorted(found, key=lambda number: ops[number].ended)


def _fits(op: Op, value: Any) -> bool:
    return op.does == "write" or op.maybe or op.value == value


def _told(ops: Sequence[Op], best: int) -> str:
    """The operations around the place beyond which no order goes on."""
    left = [op for number, op in enumerate(ops) if not best >> number & 1 and not op.maybe]
    stuck = min(left, key=lambda op: op.ended)
    near = [op for op in ops if op.ended >= stuck.began - 1 and op.began <= stuck.ended]
    lines = [f"  {op.began:.4f}-{op.ended:.4f} {op.client} {op.does} {op.value!r} {op.error}".rstrip() for op in near]
    return f"no order has {stuck.client}'s {stuck.does} of {stuck.value!r}; near it:\n" + "\n".join(lines[-20:])
