"""Which names go to which node."""

from __future__ import annotations

import linecache
import re
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from skyward_jupyter.agent.cells import CellOutcome, Holdings, fingerprint
from skyward_jupyter.errors import NotPicklable, UsageError
from skyward_jupyter.notebook.gone import Gone
from skyward_jupyter.notebook.names import names_of
from skyward_jupyter.notebook.sending import Ledger, Plan
from skyward_jupyter.notebook.weighing import weigh

LIMIT = 100_000


class Nodes:
    """Two nodes, as a ledger sees them."""

    def __init__(self) -> None:
        self.ledger = Ledger()

    def plan(
        self, code: str, notebook: Mapping[str, object], send: tuple[str, ...] = (), nodes: int = 2, **more: Any
    ) -> Plan:
        return self.ledger.plan(names_of(code), send, notebook, range(nodes), LIMIT, **more)

    def run(
        self, code: str, notebook: Mapping[str, object], *, bound: Mapping[str, object] | None = None, **more: Any
    ) -> Plan:
        how = {key: more.pop(key) for key in ("parts", "cells") if key in more}
        plan = self.plan(code, notebook, more.pop("send", ()), **how)
        prints = {name: fingerprint(value) for name, value in (bound or {}).items()}
        for rank in more.pop("ranks", (0, 1)):
            outcome = CellOutcome(more.get("session", f"s{rank}"), bound=prints, deleted=more.get("deleted", ()))
            self.ledger.record(rank, outcome, plan, names_of(code))
        return plan


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


def test_only_what_is_read_and_known_here_goes(nodes: Nodes) -> None:
    plan = nodes.plan("y = x + len(z)", {"x": 1, "y": 2, "other": 3})
    assert plan.parcels[0].send == ("x",)
    assert plan.values == {"x": 1}


def test_an_unchanged_value_goes_once_and_a_changed_one_again(nodes: Nodes) -> None:
    data = list(range(1000))
    assert nodes.run("data", {"data": data}).parcels[0].send == ("data",)
    again = nodes.run("data", {"data": data})
    assert again.parcels[0].send == ()
    assert again.parcels[0].expects == (("data", again.weights["data"].digest),)
    data.append(1)
    assert nodes.plan("data", {"data": data}).parcels[1].send == ("data",)


def test_names_that_a_cell_bound_belong_to_the_nodes(nodes: Nodes) -> None:
    nodes.run("x = 1", {}, bound={"x": 1})
    plan = nodes.plan("x", {"x": 1})
    assert plan.parcels[0].send == ()
    assert plan.parcels[0].keeps == ("x",)
    assert plan.notes == ()


def test_another_value_here_is_said_once_and_names_i(nodes: Nodes) -> None:
    nodes.run("x = 1", {}, bound={"x": 1})
    (note,) = nodes.plan("x", {"x": 2}).notes
    assert "x: nodes 0-1 have their own value" in note
    assert "-i x" in note
    assert nodes.plan("x", {"x": 2}).notes == ()
    assert len(nodes.plan("x", {"x": 3}).notes) == 1


def test_the_list_that_o_brought_is_no_other_value(nodes: Nodes) -> None:
    nodes.run("x = 1", {}, bound={"x": 1})
    values = [1, 1]
    nodes.ledger.returned("x", values)
    assert nodes.plan("x", {"x": values}).notes == ()


def test_i_sends_what_the_nodes_own_and_takes_it_back(nodes: Nodes) -> None:
    nodes.run("x = 1", {}, bound={"x": 1})
    plan = nodes.run("x", {"x": 2}, send=("x",))
    assert plan.parcels[0].send == ("x",)
    assert nodes.plan("x", {"x": 3}).parcels[0].send == ("x",)


def test_a_deleted_name_is_nobodys(nodes: Nodes) -> None:
    nodes.run("x = 1", {}, bound={"x": 1})
    nodes.run("del x", {}, deleted=("x",))
    assert nodes.plan("x", {"x": 5}).parcels[0].send == ("x",)


def test_nodes_differ(nodes: Nodes) -> None:
    nodes.run("x = 1", {"x": 7}, bound={"x": 1}, ranks=(0,))
    plan = nodes.plan("x", {"x": 7})
    assert plan.parcels[0].send == ()
    assert plan.parcels[1].send == ("x",)
    assert "node 0 has its own value" in plan.notes[0]


def test_what_another_kernel_left_in_a_session_is_the_nodes_own_or_was_sent(nodes: Nodes) -> None:
    here = {"own": 3, "same": [1], "changed": 2, "read": 5}
    sent = {"same": weigh("same", [1], None).digest, "changed": weigh("changed", 1, None).digest}
    left = Holdings("s0", sent, {"own": fingerprint(1), "f": None}, {"f": frozenset({"read"})})
    nodes.ledger.learn(0, left)
    plan = nodes.plan("f(own, same, changed)", here, nodes=1)
    assert set(plan.parcels[0].send) == {"changed", "read"}
    assert dict(plan.parcels[0].expects) == {"same": sent["same"]}
    assert set(plan.parcels[0].keeps) == {"own", "f"}
    assert plan.notes[0].startswith("own: node 0 has its own value")


def test_parts_are_the_nodes_own_from_then_on(nodes: Nodes) -> None:
    here = {"x": [1, 2, 3]}
    plan = nodes.run("x", here, parts={"x": {0: [1, 2], 1: [3]}})
    assert [plan.values_of(rank) for rank in (0, 1)] == [{"x": [1, 2]}, {"x": [3]}]
    assert plan.digests_of(0) == {}
    assert plan.parcels[0] != plan.parcels[1]
    again = nodes.plan("x", here)
    assert again.parcels[0].send == ()
    assert again.parcels[0].keeps == ("x",)
    assert nodes.ledger.owned() == {"x"}


def test_the_cells_that_functions_come_from_go_once(nodes: Nodes) -> None:
    cell = "<ipython-input-7-0123456789ab>"
    linecache.cache[cell] = 1, None, ["def f(): return 1\n"], cell
    here: dict[str, Any] = {}
    exec(compile("def f(): return 1\ndef g(): return 2", cell, "exec"), {"__name__": "__main__"}, here)
    cells = re.compile(rb"<ipython-input-\d+-[0-9a-f]+>")
    assert nodes.run("f()", here, cells=cells).parcels[0].files == (cell,)
    assert nodes.run("g()", here, cells=cells).parcels[0].files == ()
    nodes.ledger.forget(0)
    assert [nodes.plan("g()", here, cells=cells).parcels[rank].files for rank in (0, 1)] == [(cell,), ()]


def test_a_new_session_has_nothing(nodes: Nodes) -> None:
    nodes.run("x = y", {"y": 1}, bound={"x": 1})
    assert set(nodes.ledger.forget(0).owned) == {"x"}
    plan = nodes.plan("x, y", {"y": 1})
    assert plan.parcels[0].send == ("y",)
    assert plan.parcels[0].keeps == ()
    assert plan.parcels[1].send == ()


def test_what_went_with_a_session_is_missed_until_it_is_there_again(nodes: Nodes) -> None:
    here = {"same": 1, "other": 2}
    nodes.run("absent = same = other = 1", {}, bound={"absent": 1, "same": 1, "other": 1})
    nodes.ledger.forget(0)
    nodes.ledger.forget(0)
    plan = nodes.plan("absent, same, other, unknown", here)
    assert plan.gone == {0: ("absent", "other"), 1: ()}
    went = "node 0: what earlier cells bound there went with the process that ran them"
    assert Gone().of_plan(plan, (0, 1)) == [
        f"{went} (absent); run those cells again",
        f"{went} (other); this cell uses the notebook's",
    ]
    nodes.run("other", here, ranks=(0,), session="new")
    assert nodes.plan("absent, other", here).gone[0] == ("absent",)
    nodes.run("absent = 2", {}, bound={"absent": 2}, ranks=(0,), session="new")
    assert nodes.plan("absent, other", here).gone[0] == ()


def test_a_cell_says_once_what_went_with_a_session(nodes: Nodes) -> None:
    nodes.run("x = 1", {}, bound={"x": 1})
    said = Gone()
    (sentence,) = said.of_sessions({rank: nodes.ledger.forget(rank) for rank in (0, 1)})
    assert sentence.startswith("nodes 0-1: what earlier cells bound there went")
    assert said.of_plan(nodes.plan("x", {}), (0, 1)) == []
    assert len(Gone().of_plan(nodes.plan("x", {}), (0, 1))) == 1
    assert Gone().of_sessions({0: nodes.ledger.forget(0)}) == []


def test_also_of_a_session_whose_cells_had_bound_nothing_it_is_said(nodes: Nodes) -> None:
    nodes.run("x.append(1)", {"x": []})
    assert Gone().of_sessions({1: nodes.ledger.forget(1)}) == [
        "node 1: the process that ran earlier cells there has ended, with what they changed there"
    ]


def test_a_function_of_the_nodes_brings_what_it_reads(nodes: Nodes) -> None:
    nodes.run("def f(): return rate", {"rate": 1}, bound={"f": object()})
    assert nodes.plan("f()", {"rate": 2}).parcels[0].send == ("rate",)


def test_what_cannot_be_pickled_is_named_with_its_path(nodes: Nodes) -> None:
    with pytest.raises(NotPicklable, match=r"model\['a'\]\[1\]"):
        nodes.plan("model", {"model": {"a": [1, threading.Lock()]}})


def test_a_large_value_goes_only_when_it_is_asked_for(nodes: Nodes) -> None:
    big = bytearray(2 * LIMIT)
    with pytest.raises(UsageError, match=r"big \(200 kB\) is over 100 kB.*-i big"):
        nodes.plan("big", {"big": big})
    assert nodes.run("big", {"big": big}, send=("big",)).parcels[0].send == ("big",)
    assert nodes.run("big", {"big": big}).parcels[0].send == ()
    big[0] = 1
    with pytest.raises(UsageError, match="-i big"):
        nodes.plan("big", {"big": big})


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (np.zeros(100_000), r" \(800 kB\)"),
        (pd.DataFrame({"a": np.zeros(100_000)}), r" \(800 kB\)"),
        (pd.Series(np.zeros(100_000)), r" \(800 kB\)"),
        (b"x" * 2 * LIMIT, r" \(200 kB\)"),
        (list(range(100_000)), ""),
    ],
    ids=["array", "frame", "series", "bytes", "list"],
)
def test_the_refusal_says_the_size_where_it_is_known(nodes: Nodes, value: object, size: str) -> None:
    with pytest.raises(UsageError, match=f"^big{size} is over 100 kB"):
        nodes.plan("big", {"big": value})


def test_i_of_a_name_that_is_not_here(nodes: Nodes) -> None:
    with pytest.raises(UsageError, match="no name modle; did you mean model"):
        nodes.plan("1", {"model": 1}, ("modle",))


def test_weights() -> None:
    assert weigh("a", b"x" * 1000, None).size >= 1000
    assert weigh("a", [1, 2], None).digest == weigh("b", [1, 2], None).digest
    assert weigh("a", [1, 2], None).digest != weigh("a", [1, 3], None).digest
    assert weigh("threading", threading, None).size == 0
