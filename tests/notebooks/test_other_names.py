"""Options of ``%%sky`` and ``%sky`` as users of other libraries write them."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("--targets 0,2", "[0] 0\n[2] 2"),
        ("-t -1", "2"),
        ("--on -1", "2"),
        ("--on 1::2", "1"),
        ("--on ::2", "[0] 0\n[2] 2"),
        ("--targets -2:", "[1] 1\n[2] 2"),
        ("--nodes 2 --on -1", "1"),
    ],
)
def test_nodes_by_place(nodes: Kernel, where: str, said: str) -> None:
    assert nodes.ok(f"%%sky {where}\nn").text == said


def test_the_value_of_the_last_node_is_no_list(nodes: Kernel) -> None:
    nodes.ok("%%sky --on -1 -o last\nlast = n")
    assert nodes.ok("last").text == "2"
    nodes.ok("%%sky --on -1: -o lasts\nlasts = n")
    assert nodes.ok("lasts").text == "[2]"
    nodes.ok("%sky pull n --targets -1")
    assert nodes.ok("n").text == "2"
    nodes.ok("del n")


def test_commands_take_places(nodes: Kernel) -> None:
    assert nodes.ok("%sky logs -1 -n 1").stdout.startswith("node 2:")
    assert "fresh sessions on node 2" in nodes.ok("%sky restart -1").stdout
    nodes.ok("%%sky\nfrom skyward import instance_info\nn = instance_info().node")


def test_what_no_node_is_at_runs_nothing(nodes: Kernel) -> None:
    assert "5: has none of the nodes, which are 0-2" in nodes.run("%%sky --on 5:\nn").evalue
    assert "no node -4: this pool has 3" in nodes.run("%%sky --on -4\nn").evalue


@pytest.mark.parametrize("flag", ["--noblock", "-a"])
def test_a_cell_that_goes_on(nodes: Kernel, flag: str) -> None:
    nodes.ok(f"%%sky {flag} --into going\nn * 10")
    assert nodes.ok("await going").text == "[0, 10, 20]"


def test_values_of_options_complete_under_each_name(nodes: Kernel) -> None:
    assert {"all", "any", "head"} <= set(nodes.complete("%%sky --targets "))
    assert "--on" not in nodes.complete("%%sky --targets 0 --o")
    assert "--bg" in nodes.complete("%%sky --b")
