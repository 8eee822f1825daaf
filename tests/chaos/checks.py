"""What a history of the six collections must be like, whatever was broken meanwhile.

A dict and a set are linearizable for each key, a counter keeps between what was confirmed and what was begun, an item
of a queue is got once and at most those are lost that were being handed over, a lock has one holder with a larger token
each time and is given to nobody on an old word, and whoever passes a barrier does so with as many as it is for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from tests.chaos import registers
from tests.chaos.history import Op

#: Seconds by which somebody may write down that a lock was got after another did who got it later.
STALE = 0.1


def problems(history: Iterable[Op], killed: int = 0) -> list[str]:
    """Return what is wrong with a history, a sentence each; `killed` processes may have taken an item along."""
    ops: dict[tuple[str, str], list[Op]] = defaultdict(list)
    for op in history:
        ops[op.kind, op.name].append(op)
    found = []
    for (kind, name), own in ops.items():
        check = _CHECKS[kind]
        found += [f"{kind} {name!r}: {text}" for text in check(own, killed)]
    return found


def register(ops: Sequence[Op], _killed: int = 0) -> Iterator[str]:
    """One key of a dict, or one member of a set."""
    try:
        if text := registers.explain(ops):
            yield text
    except registers.Undecided as error:
        yield f"undecided: {error}"


def counter(ops: Sequence[Op], _killed: int = 0) -> Iterator[str]:
    """Reads lie between what was confirmed before and what was begun, and never go back."""
    adds = [op for op in ops if op.does == "increment"]
    reads = sorted((op for op in ops if op.does == "value" and not op.maybe), key=lambda op: op.ended)
    highest, among = 0, iter(reads)
    ended: Op | None = next(among, None)
    for read in sorted(reads, key=lambda op: op.began):
        while ended is not None and ended.ended < read.began:
            highest, ended = max(highest, ended.value), next(among, None)
        least = sum(op.value for op in adds if op.ended < read.began)
        most = sum(op.value for op in adds if op.began < read.ended)
        if not least <= read.value <= most:
            yield f"{read.client} read {read.value} at {read.began:.4f}: {least} were confirmed, {most} begun"
        if read.value < highest:
            yield f"{read.client} read {read.value} at {read.began:.4f}, after {highest} was read"


def queue(ops: Sequence[Op], killed: int = 0) -> Iterator[str]:
    """Items are got once; those that were confirmed and never got are no more than calls that may have taken one.

    From a queue that is only taken from at the end nothing is lost at all.
    """
    puts = {op.value: op for op in ops if op.does == "put"}
    gets = [op for op in ops if op.does == "get" and not op.maybe and op.value is not None]
    for item, times in Counter(op.value for op in gets).items():
        if times > 1:
            who = ", ".join(op.client for op in gets if op.value == item)
            yield f"{item!r} was got {times} times, by {who}"
    for op in gets:
        if op.value not in puts:
            yield f"{op.client} got {op.value!r}, which nobody put"
        elif op.ended < puts[op.value].began:
            yield f"{op.client} got {op.value!r} before it was put"
    maybe = sum(op.does == "get" and op.maybe for op in ops)
    lost = {item for item, op in puts.items() if not op.maybe} - {op.value for op in gets}
    drained = [op.client for op in ops if op.does == "drained"]
    if all(op.client in drained for op in ops if op.does == "get"):
        killed = 0
    if drained and len(lost) > maybe + killed:
        yield (
            f"{len(lost)} items were put and never got, and {maybe} calls and {killed} killed processes may have taken "
            f"one: {sorted(lost)[:10]}"
        )


def lock(ops: Sequence[Op], _killed: int = 0) -> Iterator[str]:
    """Of those who released it without an error no two had it at once, and later holders have larger tokens."""
    holds = sorted((op for op in ops if op.does == "hold"), key=lambda op: op.began)
    got = sorted((op for op in ops if op.does == "acquire" and not op.maybe and op.value), key=lambda op: op.ended)
    for token, times in Counter(op.value for op in got).items():
        if times > 1:
            yield f"token {token} was given {times} times"
    highest, among = 0, iter(got)
    ended: Op | None = next(among, None)
    for op in sorted(got, key=lambda op: op.began):
        while ended is not None and ended.ended < op.began:
            highest, ended = max(highest, ended.value), next(among, None)
        if op.value < highest:
            yield f"{op.client} got token {op.value} after token {highest}"
    largest = Op("", "lock", "", "acquire", 0, 0.0, 0.0)
    for op in got:
        if op.value < largest.value and op.ended - largest.ended > STALE:
            yield (
                f"{op.client} got token {op.value} at {op.ended:.4f}, when {largest.client} had got token "
                f"{largest.value} at {largest.ended:.4f}"
            )
        largest = max(largest, op, key=lambda op: op.value)
    sure = [op for op in holds if not op.maybe]
    for first, second in pairwise(sure):
        if second.began < first.ended:
            yield (
                f"{first.client} had it (token {first.value}) until {first.ended:.4f}, and {second.client} (token "
                f"{second.value}) from {second.began:.4f}"
            )


def barrier(ops: Sequence[Op], _killed: int = 0) -> Iterator[str]:
    """Those who passed did so in groups of as many as it is for, all there at one moment; `value` is that number.

    One who did not pass may have been in a group, at any time since it came.
    """
    left = sorted((op for op in ops if not op.maybe), key=lambda op: op.ended)
    maybe = sorted((op for op in ops if op.maybe), key=lambda op: op.began)
    while left:
        first, parties = left[0], left[0].value
        there = [op for op in (*left, *maybe) if op.began < first.ended][:parties]
        if len(there) < parties:
            came = sum(op.began < first.ended for op in ops)
            yield (
                f"{first.client} passed at {first.ended:.4f}, when {len(there)} of {parties} had come who did not pass "
                f"before, and {came} in all"
            )
        taken = set(map(id, there))
        left, maybe = ([op for op in some if id(op) not in taken] for some in (left, maybe))


_CHECKS: dict[str, Callable[[Sequence[Op], int], Iterator[str]]] = {
    "dict": register,
    "set": register,
    "counter": counter,
    "queue": queue,
    "lock": lock,
    "barrier": barrier,
}
