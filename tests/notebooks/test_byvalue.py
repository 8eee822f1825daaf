"""Functions and classes of the notebook on the nodes: what they use of the notebook means there what it means here."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

USES = """
import skyward as sky, dataclasses, functools
@sky.compute
def leaves(): quit(3)
@sky.compute
def mentions(): return 'x' if display else (exit, quit, get_ipython)
@sky.compute
def shows():
    from IPython.display import HTML
    display(HTML('<b>x</b>'))
@sky.compute
def says():
    !echo hello
    caught = !echo caught
    return list(caught)
@sky.compute
def times():
    %timeit -n 1 -r 1 1
@sky.compute
def asks(): return type(shell).__name__
@sky.compute
def captures(): return pool
@functools.cache
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
@dataclasses.dataclass(slots=True)
class Point:
    x: int
    def up(self): return dataclasses.replace(self, x=self.x + 1)
@sky.compute
def up(point): return point.up()
shell = get_ipython()
pool = sky.pool()
"""


@pytest.fixture
def uses(nodes: Kernel) -> Kernel:
    nodes.ok(USES)
    return nodes


def test_names_of_ipython(uses: Kernel) -> None:
    assert uses.ok("mentions() >> pool").text == "'x'"
    left = uses.run("leaves() >> pool")
    assert (left.ename, left.evalue.splitlines()[0]) == ("RemoteError", "SystemExit: 3")
    assert uses.ok("asks() >> pool").text == "'SessionShell'"
    assert uses.ok("%%sky --on 0\ntype(shell).__name__").text.endswith("'SessionShell'")


def test_display_commands_and_magics_in_a_function(uses: Kernel) -> None:
    assert uses.ok("shows() >> pool").displays[0]["text/html"] == "<b>x</b>"
    said = uses.ok("says() >> pool")
    assert "hello" in said.stdout
    assert said.text == "['caught']"
    assert "per loop" in uses.ok("times() >> pool").stdout


def test_a_pool_stays_in_the_notebook(uses: Kernel) -> None:
    refused = uses.run("captures() >> pool")
    assert refused.ename == "NotPicklable"
    assert refused.evalue == (
        "pool (used by captures) (a skyward_jupyter.api.pool.ComputePool) cannot be sent to a node: a pool stays in "
        "the notebook or program that started it; start the calls there, and have this one return what they need"
    )
    cell = uses.run("%%sky -i pool\npool")
    assert "a pool stays in the notebook" in cell.traceback


def test_a_cached_function(uses: Kernel) -> None:
    assert uses.ok("sky.compute(fib)(80) >> pool").text == "23416728348467685"
    assert uses.ok("%%sky --on 0\nfib(80)").text.endswith("23416728348467685")


def test_an_instance_with_slots_comes_back_from_calls_and_cells(uses: Kernel) -> None:
    assert uses.ok("(up(Point(1)) >> pool) == Point(2)").text == "True"
    uses.ok("%%sky --on 0 -o back\nback = Point(4).up()")
    assert uses.ok("back == Point(5), type(back) is Point, back.up()").text == "(True, True, Point(x=6))"
