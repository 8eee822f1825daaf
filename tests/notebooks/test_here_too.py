"""``%%sky --local``: the cell runs in the notebook as well, beside the nodes."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

#: Whether the cell runs in the notebook.
IS_HERE = "type(get_ipython()).__name__ == 'ZMQInteractiveShell'"


def test_it_runs_there_and_here_with_a_label_of_its_own(nodes: Kernel) -> None:
    nodes.ok("x = 1")
    shown = nodes.ok("%%sky --local\nx = x + 1\nprint('x is', x)\nx")
    assert sorted(shown.stdout.splitlines()) == ["[0-2] x is 2", "[here] x is 2"]
    assert shown.text == "[here] 2\n[0-2] 2"
    assert nodes.ok("x").text == "2"
    assert nodes.ok("%sky x").text == "[0-2] 2"


def test_both_begin_with_the_same_values_at_the_same_time(nodes: Kernel) -> None:
    nodes.ok("count = 10")
    nodes.ok("%%sky --local\nimport time\nbegan = time.time()\ncount += 1\ntime.sleep(1)\nended = time.time()")
    nodes.ok("there = %sky (began, ended, count)")
    assert nodes.ok("all(began < e and b < ended and c == 11 for b, e, c in there), count").text == "(True, 11)"


def test_a_value_of_one_place_is_not_sent_over_that_of_another(nodes: Kernel) -> None:
    nodes.ok(f"%%sky --local\nwho = 'here' if {IS_HERE} else 'there'")
    shown = nodes.ok("%%sky\nwho")
    assert (shown.text, shown.stderr) == ("[0-2] 'there'", "")
    assert nodes.ok("who").text == "'here'"


def test_what_comes_out_is_of_the_nodes(nodes: Kernel) -> None:
    shown = nodes.ok(f"%%sky --local -o out --into last\nout = -1 if {IS_HERE} else n\nout")
    assert "out: the values of the nodes, by -o, have taken the place of the one that was bound here" in shown.stderr
    assert nodes.ok("out, last").text == "([0, 1, 2], [0, 1, 2])"


def test_an_error_here_fails_the_cell_which_the_nodes_have_run(nodes: Kernel) -> None:
    shown = nodes.run(f"%%sky --local\nran = True\nif {IS_HERE}:\n    raise KeyError('k')")
    assert (shown.ename, shown.status) == ("KeyError", "error")
    assert "[here] KeyError: 'k'" in shown.traceback
    assert "Cell In[" in shown.traceback
    assert "----> 4" in shown.traceback
    assert "skyward_jupyter" not in shown.traceback
    assert nodes.ok("%sky ran").text == "[0-2] True"


def test_an_error_there_fails_it_too(nodes: Kernel) -> None:
    shown = nodes.run(f"%%sky --local\nmine = 1\nassert {IS_HERE}")
    assert shown.ename == "CellFailed"
    assert "[0-2] AssertionError" in shown.traceback
    assert "[here]" not in shown.traceback
    assert nodes.ok("mine").text == "1"


def test_errors_of_both_are_shown(nodes: Kernel) -> None:
    shown = nodes.run("%%sky --local\n1 / 0")
    assert shown.ename == "CellFailed"
    assert "[here] ZeroDivisionError: division by zero" in shown.traceback
    assert "[0-2] ZeroDivisionError: division by zero" in shown.traceback


def test_nothing_runs_here_when_nothing_runs_there(nodes: Kernel) -> None:
    assert nodes.run("%%sky --local --on 9\nalone = True").ename == "UnknownNode"
    assert nodes.run("alone").ename == "NameError"
    assert "leave one out" in nodes.run("%%sky --local --bg\n1").evalue


@pytest.mark.parametrize("wait", ["time.sleep(600)", "await asyncio.sleep(600)"])
def test_an_interrupt_stops_both(nodes: Kernel, wait: str) -> None:
    shown = nodes.run(
        f"%%sky --local\nimport asyncio, time\nif {IS_HERE}:\n    print('go', flush=True)\n{wait}",
        interrupt_at="[here] go",
    )
    assert shown.ename == "KeyboardInterrupt"
    assert shown.seconds < 10
    assert "[here] KeyboardInterrupt" in shown.traceback
    assert "the cell was interrupted on nodes 0-2" in shown.traceback
    assert nodes.ok("%sky n").text == "[0] 0\n[1] 1\n[2] 2"


def test_an_interrupt_stops_the_nodes_when_only_they_go_on(nodes: Kernel) -> None:
    shown = nodes.run(
        f"%%sky --local\nimport time\nif not {IS_HERE}:\n    print('go', flush=True)\n    time.sleep(600)",
        interrupt_at="[0-2] go",
    )
    assert (shown.ename, "[here]" in shown.traceback) == ("KeyboardInterrupt", False)
    assert nodes.ok("%sky n").text == "[0] 0\n[1] 1\n[2] 2"


def test_await_displays_and_blocking(nodes: Kernel) -> None:
    shown = nodes.ok("%%sky --local\nimport asyncio\nawait asyncio.sleep(0.01)\ndisplay('d')\n'end';")
    assert [data["text/plain"] for data in shown.displays] == ["[here]", "'d'", "[0-2]", "'d'"]
    assert "[here] timed" in nodes.ok("%%time\n%%sky --local\nprint('timed')").stdout
    refused = nodes.run("%%time\n%%sky --local\nimport asyncio\nawait asyncio.sleep(0)")
    assert "is to be a cell of its own" in refused.evalue
