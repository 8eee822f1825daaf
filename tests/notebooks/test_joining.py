"""Parts dealt out in turn, and what comes of the nodes as one: ``--scatter x:cyclic``, ``--concat``, `gather_lists`."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel


def test_blocks_come_back_as_one_list_in_their_order(nodes: Kernel) -> None:
    nodes.ok("items = list(range(7))")
    nodes.ok("%%sky --scatter items -o squares --concat\nsquares = [item**2 for item in items]")
    assert nodes.ok("squares == [item**2 for item in items]").text == "True"


def test_items_are_dealt_out_in_turn(nodes: Kernel) -> None:
    nodes.ok("items = list(range(8)); marks = tuple('abcdefgh')")
    shown = nodes.ok("%%sky --scatter items:cyclic,marks:cyclic -o parts\nparts = (items, marks)\nitems")
    assert shown.text == "[0] [0, 3, 6]\n[1] [1, 4, 7]\n[2] [2, 5]"
    assert nodes.ok("parts[1]").text == "([1, 4, 7], ('b', 'e', 'h'))"
    nodes.ok("%%sky -o again --concat\nagain = items")
    assert nodes.ok("again").text == "[0, 3, 6, 1, 4, 7, 2, 5]"
    nodes.ok("%%sky --scatter items:blocks\nitems")


def test_frames_and_arrays(nodes: Kernel) -> None:
    nodes.ok(
        "import numpy as np, pandas as pd\nframe = pd.DataFrame({'a': range(10)}); array = np.arange(12).reshape(6, 2)"
    )
    nodes.ok("%%sky --scatter frame --into whole --concat\nframe")
    assert nodes.ok("whole.equals(frame)").text == "True"
    nodes.ok("%%sky --scatter array:cyclic -o array2 --concat\narray2 = array")
    assert nodes.ok("array2.shape, sorted(array2[:, 0].tolist())").text == "((6, 2), [0, 2, 4, 6, 8, 10])"


def test_what_cannot_be_joined_stays_a_list(nodes: Kernel) -> None:
    shown = nodes.run("%%sky -o k --concat\nk = n")
    assert "k, which is a list in node order now, cannot be joined: the nodes have int" in shown.evalue
    assert nodes.ok("k").text == "[0, 1, 2]"
    nodes.ok("%%sky --on -1 -o k --concat\nk = n")
    assert nodes.ok("k").text == "2"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--concat", "--concat joins what -o or --into bring; add -o x"),
        ("--scatter items:cyclic,marks", "write items:cyclic,marks:cyclic"),
        ("--scatter items:round", "is split neither by blocks nor cyclic; write items:cyclic"),
        ("--scatter 2x:cyclic", "'2x' is not a name"),
    ],
)
def test_what_means_nothing_runs_nothing(nodes: Kernel, line: str, said: str) -> None:
    nodes.ok("items = list(range(8)); marks = tuple('abcdefgh')")
    assert said in nodes.run(f"%%sky {line}\nraise SystemError").evalue


def test_calls_are_gathered_into_one(nodes: Kernel) -> None:
    nodes.ok("import skyward as sky\n@sky.compute\ndef some(): return [sky.instance_info().node] * 2")
    assert nodes.ok("sky.pool().gather_lists(some())").text == "[0, 0, 1, 1, 2, 2]"
    nodes.ok("@sky.compute\ndef one(): return 1")
    assert "what the nodes returned cannot be joined" in nodes.run("sky.pool().gather_lists(one())").evalue
    assert "is a function, not a call" in nodes.run("sky.pool().gather_lists(one)").evalue
