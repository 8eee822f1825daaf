"""``%sky`` lines: statements, near misses of commands, help, interrupt and restart."""

from __future__ import annotations

import pytest

from tests.notebooks.conftest import ABOUT
from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel


def test_a_statement_runs_on_every_node_and_leaves_its_names(nodes: Kernel) -> None:
    shown = nodes.ok("%sky import math as m")
    assert (shown.displays, shown.stdout, shown.stderr) == ([], "", "")
    nodes.ok("%sky x = 3; y = 4")
    assert nodes.ok("%%sky\nm.hypot(x, y)").text == "[0-2] 5.0"
    assert nodes.run("x").ename == "NameError"
    assert nodes.ok("%sky z = n; z").text == "[0] 0\n[1] 1\n[2] 2"
    assert nodes.ok("nothing = %sky del z\nnothing is None").text == "True"
    assert nodes.ok("%sky !echo there").stdout == "[0-2] there\n"
    assert "line 1\n    %sky x = = 3" in nodes.run("%sky x = = 3").traceback


def test_a_figure_of_an_expression_is_shown(nodes: Kernel) -> None:
    nodes.ok("%sky import matplotlib.pyplot as plt")
    shown = nodes.ok("got = %sky plt.plot([1, 2])")
    assert any("image/png" in data for data in shown.displays)


@pytest.mark.parametrize(
    "line", ["statsu", "statsu big", "stats", "stopp", "restrat 1", "interupt", "hlep", "logz -n 5"]
)
def test_a_word_that_looks_like_a_command_runs_nowhere(nodes: Kernel, line: str) -> None:
    done = "import skyward as sky\nsum(node.done for node in sky.pool().nodes)"
    before = nodes.ok(done).text
    shown = nodes.run(f"%sky {line}")
    assert shown.ename == "UsageError"
    assert "did you mean %sky " in shown.evalue
    assert nodes.ok(done).text == before


def test_a_name_that_looks_like_a_command_is_a_name_where_there_is_one(nodes: Kernel) -> None:
    nodes.ok("%%sky --on 1\nstatsu = 7")
    assert nodes.ok("%%sky --on 0,2\nstatsu = 8").status == "ok"
    assert nodes.ok("%sky statsu").text == "[0,2] 8\n[1] 7"
    nodes.ok("%sky del statsu")
    assert "did you mean %sky status?" in nodes.run("%sky statsu").evalue
    nodes.ok("stats = 5")
    assert nodes.ok("%sky stats").text == "[0-2] 5"
    nodes.ok("%sky status_of_mine = 1")
    assert nodes.ok("%sky status_of_mine + 1").text == "[0-2] 2"
    nodes.ok("del stats")


def test_help_is_shown_and_nothing_runs(nodes: Kernel) -> None:
    assert "--timeout S" in nodes.ok("%%sky --help").stdout
    assert "--timeout S" in nodes.ok("%%sky --on 0 -h\nran = True").stdout
    assert "'ran' is not defined" in nodes.run("%sky ran").evalue
    for line in ("%sky help restart", "%sky restart --help", "%sky restart 1 -h", "%sky --help restart"):
        shown = nodes.ok(line).stdout
        assert shown.startswith("%sky restart [NODES] [options]: ")
        assert "--pool NAME" in shown
    assert nodes.ok("%sky n").text == "[0] 0\n[1] 1\n[2] 2"
    assert "%sky EXPRESSION" in nodes.ok("%sky help").stdout
    assert "did you mean %sky help status?" in nodes.run("%sky help stats").evalue


SLEEP = "%%sky --bg --into {}\nimport time\nprint('begun', flush=True)\ntime.sleep(600)"


def _begun(kernel: Kernel, name: str, code: str = SLEEP) -> None:
    kernel.ok(code.format(name))
    waits = f"any('begun' not in {name}[rank].output for rank in {name}.nodes)"
    kernel.ok(f"import asyncio\nwhile {waits}: await asyncio.sleep(0.01)")


def test_interrupt_stops_what_runs_and_says_what(nodes: Kernel) -> None:
    assert "nothing runs" in nodes.ok("%sky interrupt").stdout
    _begun(nodes, "run")
    nodes.ok(
        "import skyward as sky, time\n@sky.compute\ndef slow():\n    time.sleep(600)\nfuture = slow() > sky.pool()"
    )
    said = nodes.ok("%sky interrupt").stdout
    assert "'import time' on nodes 0-2: interrupted" in said
    assert "'slow'" in said
    assert nodes.ok("run.state").text == "'cancelled'"
    assert nodes.run("future.result(5)").ename in ("TaskInterrupted", "CancelledError")
    assert nodes.ok("%sky n").text == "[0] 0\n[1] 1\n[2] 2"


def test_interrupt_of_one_run_leaves_the_others(nodes: Kernel) -> None:
    nodes.ok(
        "import skyward as sky, time\n@sky.compute\ndef slow():\n    time.sleep(600)\nfuture = slow() > sky.pool()"
    )
    _begun(nodes, "run")
    assert "nope: pool " in nodes.run("%sky interrupt nope").evalue
    assert "interrupted" in nodes.ok("%sky interrupt run").stdout
    assert nodes.ok("(run.state, future.done())").text == "('cancelled', False)"
    number = nodes.ok("sky.pool().runs[0].id").text
    assert "that run has ended (cancelled); those that run are" in nodes.run("%sky interrupt run").evalue
    assert f"run {number}, 'slow'" in nodes.ok(f"%sky interrupt {number}").stdout
    assert nodes.ok("future.done()").text == "True"


def test_what_ignores_an_interrupt_loses_its_process(nodes: Kernel) -> None:
    stubborn = (
        "%%sky --bg --into {} --on 1\nimport signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print('begun', flush=True)\ntime.sleep(600)"
    )
    _begun(nodes, "run", stubborn)
    assert "did not stop when interrupted, so its process on node 1 was ended" in nodes.ok("%sky interrupt").stdout
    nodes.ok(ABOUT)


def test_restart_gives_fresh_sessions_and_says_what_went(nodes: Kernel) -> None:
    nodes.ok("sent = 5")
    nodes.ok("%%sky\nmodel = sent, n")
    pids = nodes.ok("import os\npids = %sky __import__('os').getpid()\npids == sorted(set(pids), key=pids.index)")
    assert pids.text == "True"
    said = nodes.ok("%sky restart 1").stdout
    assert "fresh sessions on node 1 in " in said
    assert "node 1: gone is " in said
    assert "model" in said
    assert "sent again as soon as a cell reads it: sent" in said
    assert (
        nodes.ok("now = %sky __import__('os').getpid()\n[a == b for a, b in zip(pids, now)]").text
        == "[True, False, True]"
    )
    assert "'model' is not defined (on node 1 of 3)" in nodes.run("%sky model").evalue
    assert nodes.ok("%%sky --on 1\nsent").text == "5"
    said = nodes.ok("%sky restart").stdout
    assert "fresh sessions on nodes 0-2" in said
    assert "nodes 0,2: gone is " in said
    assert "'model' is not defined (on nodes 0-2 of 3)" in nodes.run("%sky model").evalue
    nodes.ok(ABOUT)


def test_restart_ends_what_runs_and_waits_in_the_sessions(nodes: Kernel) -> None:
    stuck = (
        "%%sky --bg --into {}\nimport signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print('begun', flush=True)\nwhile True: pass"
    )
    _begun(nodes, "stuck", stuck)
    nodes.ok("%%sky --bg --into waits\nwaited = True")
    said = nodes.ok("%sky restart")
    assert said.seconds < 5
    assert "was ended on nodes 0-2" in said.stdout
    assert "the session of the node was restarted, with what ran in it" in nodes.ok(
        "print(stuck.nodes[0].reason)"
    ).stdout.replace("node 0", "the node")
    assert nodes.ok("(stuck.done, waits.done)").text == "(True, True)"
    assert "'waited' is not defined" in nodes.run("%sky waited").evalue
    nodes.ok(ABOUT)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%sky restart 9", "there is no node 9"),
        ("%sky --nodes 3", "options come after a command, as in %sky start --nodes 3"),
        ("%sky restart x", "'x' is no node number"),
        ("%sky restart 0 1", "takes one word at most"),
        ("%sky restart --all", "has no option --all"),
        ("%sky interrupt a b", "takes one run at most"),
        ("%sky interrupt --pool nope", "there is no pool 'nope'"),
    ],
)
def test_one_sentence_that_says_what_to_do(nodes: Kernel, line: str, said: str) -> None:
    assert said in nodes.run(line).evalue


def test_restarts_one_after_the_other_lose_no_node(nodes: Kernel) -> None:
    nodes.ok("%%sky --bg --into last\nimport time\ntime.sleep(600)")
    for _ in range(5):
        assert "fresh sessions on nodes 0-2" in nodes.ok("%sky restart").stdout
        assert nodes.ok("%sky 1").text == "[0-2] 1"
    nodes.ok(ABOUT)


def test_nodes_themselves_are_restarted_as_often_as_wanted_and_collections_stay(nodes: Kernel) -> None:
    nodes.ok("import skyward as sky\nkept = sky.dict('kept', consistency='strong')\nfor i in range(20): kept[i] = i")
    agents = "agents = %sky __import__('os').getppid()"
    nodes.ok(f"{agents}\nbefore = [node.pid for node in sky.pool().nodes]")
    for _ in range(5):  # more often than lost nodes are replaced within an hour
        assert "node 1 started anew in " in nodes.ok("%sky restart 1 --node").stdout
    changed = "[node.pid != pid for node, pid in zip(sky.pool().nodes, before)]"
    assert nodes.ok(changed).text == "[False, True, False]"
    _begun(nodes, "run")
    said = nodes.ok("%sky restart --node").stdout
    assert "nodes 0-2 started anew in " in said
    assert "was ended on nodes 0-2" in said
    assert nodes.ok(changed).text == "[True, True, True]"
    assert nodes.ok("len(kept), sum(kept[i] for i in range(20)), run.done").text == "(20, 190, True)"
    nodes.ok(ABOUT)
    assert nodes.ok("%sky n").text == "[0] 0\n[1] 1\n[2] 2"
