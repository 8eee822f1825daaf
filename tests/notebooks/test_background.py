"""Cells with --bg."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notebooks.conftest import ABOUT
from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel


def test_a_run_goes_on_while_other_cells_run(nodes: Kernel) -> None:
    waiting = "while not pathlib.Path('end').exists(): time.sleep(.01)"
    started = nodes.ok(f"%%sky --bg --into run\nimport pathlib\nprint('node', n)\n{waiting}\nn * 2")
    assert "run on nodes 0-2: running" in started.text
    assert nodes.ok("run.done").text == "False"
    assert nodes.ok("import pathlib\npathlib.Path('end').touch()\nawait run").text == "[0, 2, 4]"
    assert nodes.ok("run[2].output").text == "'node 2\\n'"
    assert nodes.ok("run.result()").text == "[0, 2, 4]"
    assert nodes.ok("run").text.startswith("run on nodes 0-2: done")
    assert nodes.run("run[7]").ename == "UnknownNode"


def test_its_output_is_in_a_display_of_its_own(nodes: Kernel) -> None:
    shown = nodes.ok("%%sky --bg --into run\nprint('written')\n'valued'")
    nodes.ok("await run")
    lines = shown.displays[0]["text/plain"].splitlines()
    assert lines[0].startswith("run on nodes 0-2: done")
    assert lines[1:] == ["[0-2] written", "[0-2] 'valued'"]
    assert "<pre" in shown.displays[0]["text/html"]
    assert shown.stdout == ""


def test_a_run_without_into_is_the_cells_value(nodes: Kernel) -> None:
    nodes.ok("%%sky --bg --on 1\nn + 10")
    assert nodes.ok("await _").text == "11"


def test_names_come_out_when_it_has_ended(nodes: Kernel) -> None:
    nodes.ok("%%sky --bg -o late --into run\nlate = n")
    nodes.ok("await run")
    assert nodes.ok("late").text == "[0, 1, 2]"


def test_its_error_is_raised_where_it_is_awaited(nodes: Kernel) -> None:
    assert nodes.run("%%sky --bg --into run\n1 / 0").status == "ok"
    for code in ("await run", "run.result()"):
        shown = nodes.run(code)
        assert shown.ename == "CellFailed"
        assert "----> 2 1 / 0" in shown.traceback
    assert nodes.ok("run[1]").text == "<node 1: failed: ZeroDivisionError: division by zero>"


def test_cancel(nodes: Kernel) -> None:
    nodes.ok("%%sky --bg --into run\ntime.sleep(60)")
    nodes.ok("run.cancel()")
    shown = nodes.run("await run")
    assert shown.ename == "TaskInterrupted"
    assert shown.seconds < 30
    assert nodes.ok("run.state").text == "'cancelled'"
    assert nodes.ok("%%sky\n1").text == "[0-2] 1"
    nodes.ok(ABOUT)  # an interrupt that takes seconds, as on a busy machine, costs a session


def test_a_result_that_is_not_there_in_time(nodes: Kernel) -> None:
    nodes.ok("%%sky --bg --into run\ntime.sleep(60)")
    assert nodes.run("run.result(timeout=0.05)").ename == "TimeoutError"
    nodes.ok("run.cancel()")
    assert nodes.run("await run").seconds < 30
    nodes.ok(ABOUT)


def test_a_run_behind_another_on_its_nodes_is_queued(nodes: Kernel) -> None:
    nodes.ok("%%sky --bg --into first\nimport pathlib\nwhile not pathlib.Path('next').exists(): time.sleep(.01)")
    nodes.ok("%%sky --bg --on 1 --into second\nn")
    assert nodes.ok("first[1].state, second[1].state, second.state").text == "('running', 'queued', 'running')"
    nodes.ok("import pathlib\npathlib.Path('next').touch()\nawait second")
    assert nodes.ok("await first\nfirst[1].state, second[1].state").text == "('done', 'done')"


def test_what_it_displays_is_in_its_own_display(nodes: Kernel) -> None:
    display = "from IPython.display import HTML, display\nh = display(HTML('<i>early</i>'), display_id='one')\n"
    shown = nodes.ok(f"%%sky --bg --into run\n{display}h.update(HTML('<i>late</i>'))\ndisplay(HTML('<b>two</b>'))")
    nodes.ok("await run")
    (data,) = shown.displays
    assert data["text/html"].count("<i>late</i>") == 3
    assert "early" not in data["text/html"]
    assert "<b>two</b>" in data["text/html"]


def test_by_node_each_nodes_lines_stay_together(nodes: Kernel) -> None:
    shown = nodes.ok("%%sky --bg --group node --into run\nprint('a')\nprint('b')\nn")
    nodes.ok("await run")
    lines = shown.displays[0]["text/plain"].splitlines()[1:]
    assert lines == ["[0]", "  a", "  b", "[1]", "  a", "  b", "[2]", "  a", "  b", "[0] 0", "[1] 1", "[2] 2"]


@pytest.fixture
def slow_head(nodes: Kernel) -> Iterator[None]:
    """Stop the agent of node 0, which hands on what goes to several nodes."""
    nodes.ok("%%sky\nseen = []")
    nodes.ok("import os, signal\nhead = pool.nodes[0].pid\nos.kill(head, signal.SIGSTOP)")
    yield
    nodes.ok("os.kill(head, signal.SIGCONT)\nawait first")


@pytest.mark.usefixtures("slow_head")
def test_a_cell_for_one_node_comes_after_a_run_for_all(nodes: Kernel) -> None:
    nodes.ok("%%sky --bg --into first\nseen.append('first')")
    assert nodes.ok("%%sky --on 1\nseen.append('second'); seen").text == "['first', 'second']"


@pytest.mark.usefixtures("slow_head")
def test_runs_for_several_nodes_come_in_order(nodes: Kernel) -> None:
    nodes.ok("%%sky --bg --into first\nseen.append('first')")
    nodes.ok("%%sky --bg --on 1,2 --into second\nseen.append('second')")
    nodes.ok("%%sky --bg --on 1,2 --into third\nseen.append('third')\nseen")
    assert nodes.ok("await third").text == "[['first', 'second', 'third'], ['first', 'second', 'third']]"


def test_a_cell_waits_for_the_values_of_the_run_before_it(kernel: Kernel) -> None:
    """The pool sends payloads as to far machines."""
    kernel.ok("import skyward as sky, numpy\nfar = sky.ComputePool(nodes=2, name='far', _share=False)\nfar.start()")
    try:
        kernel.ok("big = numpy.zeros(30_000_000)\ncount = 0")
        kernel.ok("%%sky --pool far\ncount = 0")
        kernel.ok("%%sky --pool far --bg --on 1 -i big --into first\ncount += len(big)")
        assert kernel.ok("%%sky --pool far --on 1\ncount").text == "30000000"
        kernel.ok("await first")
    finally:
        kernel.ok("far.stop()")
