"""When a node says that what it keeps has all its copies."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from casty import MemberChanged

from skyward_jupyter.collections.repair import Repair


def seen(life: str, address: str = "host:1") -> Any:
    node = SimpleNamespace(address=address, incarnation=SimpleNamespace(hex=life))
    return MemberChanged(node, "alive", None)  # type: ignore[arg-type]


def test_it_does_not_rest_before_it_has_seen_the_node_that_took_the_place_of_another() -> None:
    repair = Repair()
    repair(seen("first"))
    repair(seen("other", "host:2"))
    assert repair.rests()
    assert repair.rests(("first", "other"))
    assert not repair.rests(("second", "other")), "its copies are yet to be made from here"
    repair(seen("second"))
    assert not repair.rests(("second", "other")), "they are being made"
