"""Names in and out without -i and -o: --scatter, %sky push, %sky pull; what is said of large ones; %sky logs."""

from __future__ import annotations

import re

import pytest

from tests.notebooks.conftest import ABOUT
from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel


def test_each_node_gets_its_part(nodes: Kernel) -> None:
    nodes.ok("import numpy as np\nimport pandas as pd\nitems = list(range(7))\nframe = pd.DataFrame({'a': range(7)})")
    shown = nodes.ok("%%sky --scatter items,frame -o parts\nparts = frame.a.tolist()\nitems")
    assert shown.text == "[0] [0, 1, 2]\n[1] [3, 4]\n[2] [5, 6]"
    assert shown.stderr == ""
    assert nodes.ok("sum(parts, []) == items, len(items)").text == "(True, 7)"
    kept = nodes.ok("%%sky\nlen(items), type(frame).__name__")
    assert kept.text == "[0] (3, 'DataFrame')\n[1-2] (2, 'DataFrame')"
    assert kept.stderr == ""
    assert nodes.ok("%%sky -i items\nlen(items)").text == "[0-2] 7"


def test_parts_for_some_nodes_and_none_for_others(nodes: Kernel) -> None:
    nodes.ok("pair = ('a', 'b')")
    assert nodes.ok("%%sky --scatter pair --on 0,2\npair").text == "[0] ('a',)\n[2] ('b',)"
    shown = nodes.ok("%%sky --scatter pair\npair")
    assert shown.text == "[0] ('a',)\n[1] ('b',)\n[2] ()"
    assert shown.stderr == "--scatter pair: 2 items for 3 nodes, so node 2 gets an empty part\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--scatter table", "table is of type dict"),
        ("--scatter nothing_here", "this notebook has no name nothing_here"),
        ("--scatter few,many", "few has 1 items, many has 2 items"),
        ("--scatter few -i few", "few goes either whole, with -i, or in parts, with --scatter"),
        ("--scatter locks", "locks[0] (a _thread.lock) cannot be sent"),
    ],
)
def test_what_cannot_be_scattered(nodes: Kernel, line: str, said: str) -> None:
    nodes.ok("import threading\ntable = {1: 2}\nfew = [1]\nmany = [1, 2]\nlocks = [threading.Lock()]")
    shown = nodes.run(f"%%sky {line}\nprint('ran')")
    assert said in shown.evalue
    assert shown.traceback == f"{shown.ename}: {shown.evalue}"
    assert shown.stdout == ""


def test_parts_go_again_when_a_session_has_ended(nodes: Kernel) -> None:
    nodes.ok("three = [10, 20, 30]\nbefore = 1")
    nodes.ok("%%sky\npid = (before, os.getpid())[1]")
    nodes.ok("%%sky --on 1\nimport threading\nthreading.Timer(0.05, os._exit, [0]).start()")
    gone = "import os, asyncio\npids = %sky pid\nwhile os.path.exists(f'/proc/{pids[1]}'):\n"
    nodes.ok(f"{gone}    await asyncio.sleep(0.01)")
    shown = nodes.ok("%%sky --scatter three\nthree, before")
    assert shown.text == "[0] ([10], 1)\n[1] ([20], 1)\n[2] ([30], 1)"
    nodes.ok(ABOUT)


def test_push_and_pull(nodes: Kernel) -> None:
    nodes.ok("limit = 5\nlabels = ['a']")
    pushed = nodes.ok("%sky push limit labels").stdout
    assert re.fullmatch(r"limit \(\d+ bytes\), labels \(\d+ bytes\) on nodes 0-2\n", pushed)
    nodes.ok("%%sky\nlimit += n\nother = -n")
    assert nodes.ok("%sky pull limit, other").stdout == "limit, other of nodes 0-2, a list in node order each\n"
    assert nodes.ok("limit, other").text == "([5, 6, 7], [0, -1, -2])"
    nodes.ok("%sky pull limit --on 1")
    assert nodes.ok("limit").text == "6"
    nodes.ok("%sky push limit --on 0,2")
    assert nodes.ok("%sky limit").text == "[0-2] 6"


def test_what_was_pulled_can_be_sent_elsewhere(nodes: Kernel) -> None:
    nodes.ok("%%sky --on head\nfound_there = 'found'")
    nodes.ok("%sky pull found_there --on head")
    assert nodes.ok("%%sky\nfound_there").text == "[0-2] 'found'"


def test_names_of_a_failed_cell_can_be_pulled(nodes: Kernel) -> None:
    assert nodes.run("%%sky\nbatch = [1, n]\nif n == 1:\n    culprit = batch\n1 / (n - 1)").status == "error"
    nodes.ok("%sky pull batch")
    assert nodes.ok("batch").text == "[[1, 0], [1, 1], [1, 2]]"
    missing = nodes.run("%sky pull culprit")
    assert missing.evalue == (
        "culprit, nodes 0,2: has no such name: the cell, or one before it, must bind it there; node 1 can: --on 1"
    )
    nodes.ok("%sky pull culprit --on 1")
    assert nodes.ok("culprit").text == "[1, 1]"


@pytest.mark.parametrize(
    ("line", "ename", "said"),
    [
        ("push", "UsageError", "%sky push needs names: %sky push x y"),
        ("push not_here", "UsageError", "%sky push not_here: this notebook has no name not_here"),
        ("push limit --on 7", "UnknownNode", "there is no node 7"),
        ("pull limit --pool nope", "NoPool", "there is no pool 'nope'"),
        ("pull limit --at 1", "UsageError", "%sky pull has no option --at"),
        ("logs 9", "UnknownNode", "there is no node 9"),
        ("logs --flow", "UsageError", "%sky logs has no option --flow; did you mean --follow or --pool?"),
        ("logs -n none", "UsageError", "LINES is a whole number of at least 1"),
    ],
)
def test_one_sentence_that_says_what_to_do(nodes: Kernel, line: str, ename: str, said: str) -> None:
    shown = nodes.run(f"%sky {line}")
    assert (shown.status, shown.ename) == ("error", ename)
    assert said in shown.evalue
    assert shown.traceback == f"{ename}: {shown.evalue}"


def test_a_large_value_is_told_once_sent_and_once_reused(nodes: Kernel) -> None:
    nodes.ok("import numpy as np\nlarge = np.zeros(1_500_000)\nsmall = 3")
    assert nodes.ok("%%sky\nlarge.size, small").text == "[0-2] (1500000, 3)\nsent 2 names (12 MB)"
    assert nodes.ok("%%sky\nlarge.size, small").text == "[0-2] (1500000, 3)\nreused 2 names (12 MB)"
    assert nodes.ok("%%sky\nlarge.size, small").text == "[0-2] (1500000, 3)"
    nodes.ok("large[0] = 1")
    assert "sent" not in nodes.ok("%%sky --quiet\nlarge.size").text


def test_a_value_over_the_limit_is_named_with_its_size(nodes: Kernel) -> None:
    nodes.ok("%config Skyward.size_limit = 1000\nimport numpy as np\nhuge = np.zeros(1000)")
    refused = nodes.run("%%sky\nhuge.size")
    assert refused.evalue.startswith("huge (8 kB) is over 1 kB, the limit for a name that goes to the nodes by itself")
    assert nodes.ok("%%sky --scatter huge\nhuge.size").text == "[0] 334\n[1-2] 333"
    nodes.ok("%config Skyward.size_limit = 256 * 2**20")


def test_logs(nodes: Kernel) -> None:
    nodes.ok("%%sky\nimport sys\nprint('epoch', n)\nsys.stderr.write('careful\\n')\nprint('\\r10%\\r20%')")
    shown = nodes.ok("%sky logs 1 -n 3").stdout.splitlines()
    assert re.fullmatch(r"node 1: idle, pid \d+", shown[0])
    found = [re.fullmatch(r"  \d\d:\d\d:\d\d  (\w+) +(.*)", line) for line in shown[1:]]
    assert sorted(line.groups() for line in found if line) == [
        ("stderr", "careful"),
        ("stdout", "20%"),
        ("stdout", "epoch 1"),
    ]
    everything = nodes.ok("%sky logs -n 1000").stdout
    assert [line for line in everything.splitlines() if line.startswith("node ")][2].startswith("node 2: ")
    assert "  node    joined" in everything


def test_tab_offers_names_where_they_are(nodes: Kernel) -> None:
    nodes.ok("%%sky\nonly_there = 1")
    nodes.ok("only_here = 1")
    assert "only_here" in nodes.complete("%sky push only_")
    assert nodes.complete("%sky pull only_") == ["only_there"]
    assert nodes.complete("%%sky --scatter only_") == ["only_here"]
    assert nodes.complete("%sky pull only_there --on ") == ["all", "any", "head", "0", "1", "2"]
