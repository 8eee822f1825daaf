"""The checks of histories: what may happen passes, and what may not is found."""

from __future__ import annotations

import itertools
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.checks import problems
from tests.chaos.history import NEVER, Op, Recorder, gathered, load, save
from tests.chaos.registers import explain


def op(does: str, value: Any, began: float, ended: float = NEVER, kind: str = "dict", client: str = "a") -> Op:
    return Op(client, kind, "x", does, value, began, ended)


GOOD = {
    "nothing": [],
    "one after the other": [op("write", 1, 0, 1), op("read", 1, 2, 3), op("write", 2, 4, 5), op("read", 2, 6, 7)],
    "read before it is confirmed": [op("write", 1, 0, 9), op("read", None, 1, 2), op("read", 1, 3, 4)],
    "two at once, either last": [op("write", 1, 0, 9), op("write", 2, 0, 9), op("read", 2, 3, 4), op("read", 1, 5, 6)],
    "raised, and was not made": [op("write", 1, 0, 1), op("write", 2, 2), op("read", 1, 3, 4)],
    "raised, and was made later": [op("write", 1, 0, 1), op("write", 2, 2), op("read", 1, 3, 4), op("read", 2, 5, 6)],
    "popped": [op("write", 1, 0, 1), op("pop", 1, 2, 3), op("read", None, 4, 5)],
    "popped by one of two": [op("write", 1, 0, 1), op("pop", 1, 2, 5), op("pop", None, 2, 5), op("read", None, 6, 7)],
    "a pop that raised, and was made": [op("write", 1, 0, 1), op("pop", None, 2), op("read", None, 6, 7)],
    "removed": [op("write", 1, 0, 1), op("write", None, 2, 3), op("read", None, 4, 5)],
}
BROKEN = {
    "an older value": [op("write", 1, 0, 1), op("write", 2, 2, 3), op("read", 1, 4, 5)],
    "lost": [op("write", 1, 0, 1), op("read", None, 2, 3)],
    "back again": [op("write", 1, 0, 9), op("read", 1, 1, 2), op("read", None, 3, 4)],
    "confirmed, overwritten by an older one, as a repeated write does": [
        op("write", "old", 0, 9),
        op("read", "old", 1, 2, client="b"),
        op("write", "new", 3, 4, client="b"),
        op("read", "new", 5, 6, client="b"),
        op("read", "old", 10, 11, client="b"),
    ],
    "popped by both": [op("write", 1, 0, 1), op("pop", 1, 2, 5), op("pop", 1, 2, 5)],
    "popped, and there": [op("write", 1, 0, 1), op("pop", 1, 2, 3), op("read", 1, 4, 5)],
    "never written": [op("write", 1, 0, 1), op("read", 3, 2, 3)],
    "read before it began": [op("read", 1, 0, 1), op("write", 1, 2, 3)],
    "the order of two readers differs": [
        op("write", 1, 0, 9),
        op("write", 2, 0, 9),
        op("read", 1, 1, 2),
        op("read", 2, 3, 4),
        op("read", 1, 5, 6),
        op("read", 2, 7, 8),
    ],
    "made twice": [op("write", 1, 0), op("read", 1, 1, 2), op("write", 2, 3, 4), op("read", 1, 5, 6)],
}


@pytest.mark.parametrize("name", GOOD)
def test_what_may_be_is_linearizable(name: str) -> None:
    assert explain(GOOD[name]) == ""


@pytest.mark.parametrize("name", BROKEN)
def test_what_may_not_be_is_told(name: str) -> None:
    assert "no order has" in explain(BROKEN[name])


def brute(ops: list[Op]) -> bool:
    """Whether any order of any of the operations is one, tried one by one."""
    sure = [one for one in ops if not one.maybe]
    maybe = [one for one in ops if one.maybe]
    return any(
        _fits(order)
        for count in range(len(maybe) + 1)
        for some in itertools.combinations(maybe, count)
        for order in itertools.permutations([*sure, *some])
    )


def _fits(order: tuple[Op, ...]) -> bool:
    value = None
    for place, one in enumerate(order):
        if any(later.ended < one.began for later in order[place + 1 :]):
            return False
        if one.does != "write" and not one.maybe and one.value != value:
            return False
        if one.does != "read":
            value = None if one.does == "pop" else one.value
    return True


@pytest.mark.parametrize("seed", range(300))
def test_it_agrees_with_trying_every_order(seed: int) -> None:
    rng = random.Random(seed)
    ops = []
    for _ in range(rng.randint(2, 6)):
        began = rng.randint(0, 12) + rng.random()
        ended = began + rng.random() * 5 if rng.random() < 0.8 else NEVER
        ops.append(op(rng.choice(["write", "read", "pop"]), rng.choice([None, 1, 2]), began, ended))
    assert (explain(ops) == "") == brute(ops)


def run_of(rng: random.Random, count: int) -> list[Op]:
    """What eight clients of a register that is one would have seen."""
    free, value, ops = [0.0] * 8, None, []
    moments = sorted((free_at + rng.random() * 0.01, client) for client in range(8) for free_at in [0.0])
    at = 0.0
    for number in range(count):
        at += rng.random() * 0.002
        client = rng.randrange(8)
        began = max(free[client], at - rng.random() * 0.01)
        at = max(at, began)
        ended = at + rng.random() * 0.01
        free[client] = ended + 1e-6
        if rng.random() < 0.4:
            value = number
            ops.append(op("write", number, began, NEVER if rng.random() < 0.05 else ended, client=str(client)))
        else:
            ops.append(op("read", value, began, ended, client=str(client)))
    assert moments
    return ops


@pytest.mark.parametrize("seed", range(5))
def test_long_histories_are_decided_soon(seed: int) -> None:
    rng = random.Random(seed)
    ops = run_of(rng, 600)
    began = time.monotonic()
    assert explain(ops) == ""
    reads = [place for place, one in enumerate(ops) if one.does == "read" and one.value is not None and place > 300]
    place = reads[len(reads) // 2]
    broken = [*ops[:place], Op(**{**_fields(ops[place]), "value": -1}), *ops[place + 1 :]]
    assert explain(broken)
    assert time.monotonic() - began < 30


def _fields(one: Op) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Op.__slots__}


def test_counters() -> None:
    def of(*reads: Op) -> list[str]:
        adds = [op("increment", 2, 0, 1, "counter"), op("increment", 3, 2, 5, "counter")]
        return problems([*adds, op("increment", 10, 6, NEVER, "counter"), *reads])

    assert of(op("value", 2, 1.5, 1.8, "counter"), op("value", 5, 5.5, 5.9, "counter")) == []
    assert of(op("value", 15, 7, 8, "counter"), op("value", 15, 9, 10, "counter")) == []
    assert "2 were confirmed" in of(op("value", 0, 1.5, 1.8, "counter"))[0]
    assert "5 begun" in of(op("value", 6, 5.5, 5.9, "counter"))[0]
    assert "after 15 was read" in of(op("value", 15, 7, 8, "counter"), op("value", 5, 9, 10, "counter"))[0]


def test_queues() -> None:
    puts = [op("put", number, 0, 1, "queue") for number in range(3)]
    over = [op("drained", None, 9, 9, "queue", client="last")]

    def got(item: Any, began: float = 2, ended: float = 3) -> Op:
        return op("get", item, began, ended, "queue")

    assert problems([*puts, *map(got, range(3)), got(None), *over]) == []
    assert problems([*puts, got(0), got(1), got(None, 2, NEVER), *over]) == []
    assert problems([*puts, got(0), got(1), *over], killed=1) == []
    assert "got 2 times" in problems([*puts, *map(got, range(3)), got(1), *over])[0]
    assert "1 items were put and never got" in problems([*puts, got(0), got(1), *over])[0]
    assert "which nobody put" in problems([*puts, *map(got, range(4)), *over])[0]
    kept = [*puts, *(Op("last", "queue", "x", "get", item, 8, 8.5) for item in range(2))]
    kept.append(Op("last", "queue", "x", "drained", None, 9, 9))
    assert "1 items were put and never got" in problems(kept, killed=5)[0]
    assert "before it was put" in problems([op("put", 7, 5, 6, "queue"), got(7)])[0]


def test_locks() -> None:
    def had(token: int, began: float, ended: float) -> list[Op]:
        return [op("acquire", token, began - 1, began, "lock"), op("hold", token, began, ended, "lock")]

    assert problems([*had(1, 1, 2), *had(2, 3, 4)]) == []
    assert problems([*had(1, 1, NEVER), *had(2, 3, 4)]) == []
    assert "from 1.5000" in problems([*had(1, 1, 2), *had(2, 1.5, 4)])[0]
    assert "token 1 was given 2 times" in problems([*had(1, 1, 2), *had(1, 3, 4)])[0]
    stale = [*had(1, 1, 2), *had(3, 5, 6), op("acquire", 2, 1.5, 9, "lock"), op("hold", 2, 9, NEVER, "lock")]
    assert "got token 2 at 9.0000, when a had got token 3 at 5.0000" in problems(stale)[0]
    assert "got token 2 after token 5" in problems([*had(5, 1, 2), *had(2, 9, 10)])[0]


def test_barriers() -> None:
    def came(began: float, ended: float = NEVER) -> Op:
        return op("wait", 3, began, ended, "barrier", client=f"{began}")

    assert problems([came(0, 5), came(1, 5), came(4, 5)]) == []
    assert problems([came(0, 5), came(1), came(4, 5)]) == []
    assert problems([came(0), came(1)]) == []
    assert problems([*(came(n, 5.1) for n in range(5)), came(6, 7), came(6.1, 7), came(6.2, 7), came(4.5)]) == []
    assert "when 2 of 3 had come" in problems([came(0, 3), came(1, 5), came(4, 5)])[0]
    assert "1 of 3" in " ".join(problems([came(0, 5), came(1, 5), came(4, 5), came(4.5, 5)]))
    late = "the second group is one short, though enough have come in all"
    assert (
        "2 of 3 had come who did not pass"
        in problems([came(0, 1), came(0, 1), came(0, 1), came(2, 3), came(2.1, 3)])[0]
    ), late


def test_a_history_outlives_who_wrote_it(tmp_path: Path) -> None:
    recorder = Recorder(str(tmp_path), "one")
    recorder.end(recorder.begin("dict", "x", "write", 1))
    recorder.end(recorder.begin("dict", "x", "read"), 1, got=True)
    recorder.raised(recorder.begin("dict", "x", "write", 2), ValueError("no"))
    recorder.begin("dict", "x", "write", 3)
    with (tmp_path / "one.ops").open("a") as file:
        file.write('[9, "ended", 5')
    found = gathered(tmp_path)
    assert [(one.does, one.value, one.maybe) for one in found] == [
        ("write", 1, False),
        ("read", 1, False),
        ("write", 2, True),
        ("write", 3, True),
    ]
    assert load(save(found, tmp_path / "kept" / "history")) == found
