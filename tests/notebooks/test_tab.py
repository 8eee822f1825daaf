"""Tab and Shift+Tab inside ``%%sky`` cells: a node's session is asked, for a moment, beside the cell that it runs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.notebooks.conftest import environment
from tests.notebooks.kernel import Kernel, kernel_in

pytestmark = pytest.mark.kernel

BOUND = """%%sky
import fractions as fr
only_there = 'text'
nested = {'key one': 1, 'other': {'inner': 2}}
class Thing:
    colour = 'red'
    @property
    def evaluated(self):
        touched.append(1)
touched = []
things = [Thing()]
thing = Thing()
"""


@pytest.fixture(scope="module")
def bound(nodes: Kernel) -> Kernel:
    """A kernel with names that only its nodes have."""
    nodes.ok(BOUND)
    nodes.complete("%%sky\nonly_")
    return nodes


@pytest.mark.parametrize(
    ("code", "offered"),
    [
        ("%%sky\nfr.Frac", ["Fraction"]),
        ("%%sky\nonly_", ["only_there"]),
        ("%%sky --on 2 --group node\n\nx = 1\nprint(only_there.capi", ["capitalize"]),
        ("%%sky\nthing.col", ["colour"]),
        ("%%sky\nnested['", ["key one", "other"]),
        ("%%sky\nnested['other']['in", ["inner"]),
        ("%sky only_there.capi", ["capitalize"]),
        ("%sky only_", ["only_there"]),
        ("%sky help restar", ["restart"]),
        ("%sky restart ", ["0", "1", "2"]),
        ("%sky on --gr", ["--group"]),
    ],
)
def test_tab_knows_the_names_of_the_nodes(bound: Kernel, code: str, offered: list[str]) -> None:
    assert _offered(bound, code, offered) == offered


def _offered(kernel: Kernel, code: str, expected: list[str]) -> list[str]:
    """What Tab offers, once a node of a busy machine has answered in time."""
    return _until(lambda: kernel.complete(code), lambda found: found == expected)


def _explained(kernel: Kernel, code: str, part: str) -> str:
    """What Shift+Tab shows, once a node of a busy machine has answered in time."""
    return _until(lambda: kernel.explain(code), lambda found: part in found)


def _until[T](ask: Callable[[], T], expected: Callable[[T], bool]) -> T:
    deadline = time.monotonic() + 20
    while not expected(found := ask()) and time.monotonic() < deadline:
        time.sleep(0.1)  # each request leaves messages that nobody reads until the next cell
    return found


def test_tab_knows_the_notebooks_names_and_the_codes_beside_them(bound: Kernel) -> None:
    bound.ok("only_here = 1")
    expected = ["only_here", "only_mine", "only_there"]
    assert _offered(bound, "%%sky\nonly_mine = 1\nonly_", expected) == expected
    assert _offered(bound, "only_", ["only_here"]) == ["only_here"]
    bound.ok("del only_here")


def test_nothing_is_evaluated_and_nothing_counts_as_a_task(bound: Kernel) -> None:
    done = "import skyward as sky\nsum(node.done for node in sky.pool().nodes), len(sky.pool().timeline)"
    before = bound.ok(done).text
    assert "evaluated" in bound.complete("%%sky\nthing.ev")
    bound.complete("%%sky\nthing.evaluated.")
    bound.explain("%%sky\nthing.evaluated")
    assert bound.ok(done).text == before
    assert bound.ok("%%sky --on 0\ntouched").text == "[]"


def test_it_is_quick(bound: Kernel) -> None:
    took = [bound.seconds_of(lambda: bound.complete("%%sky\nfr.")) for _ in range(21)]
    assert statistics.median(took) < 0.15


BUSY = "import time\nmade_now = 1\nprint('begun', flush=True)\nfor turn in range(10**9): time.sleep(0.01)"


def test_a_session_answers_beside_the_cell_that_it_runs(bound: Kernel) -> None:
    bound.ok(f"%%sky --bg --into run\n{BUSY}")
    assert _offered(bound, "%%sky\nmade_n", ["made_now"]) == ["made_now"]
    took = [bound.seconds_of(lambda: bound.complete("%%sky\nonly_")) for _ in range(10)]
    assert _offered(bound, "%%sky\nonly_", ["only_there"]) == ["only_there"]
    assert statistics.median(took) < 0.5  # of which most is waiting for a processor on a busy machine
    assert "Init signature: fr.Fraction(" in _explained(bound, "%%sky\nfr.Fraction", "Init")
    assert bound.ok("run.state").text == "'running'"
    turn = "%%sky --on 0\nturn"
    bound.ok("%sky interrupt")
    assert int(bound.ok(turn).text) > 0


def test_beside_a_cell_no_object_is_asked_for_its_text_and_nothing_is_written(bound: Kernel) -> None:
    bound.ok(
        "%%sky\nclass Told:\n    def __repr__(self):\n        print('asked')\n        return 'told'\n"
        "    def __dir__(self):\n        print('listed')\n        return ['colour']\ntold = Told()"
    )
    bound.ok(f"%%sky --bg --into run\n{BUSY}")
    assert _offered(bound, "%%sky\ntold.", ["colour"]) == ["colour"]
    assert "told" not in bound.explain("%%sky\ntold")
    bound.ok("%sky interrupt")
    said = bound.ok("print(run[0].output)").stdout
    assert "begun" in said
    assert "asked" not in said
    assert "listed" not in said


def test_code_that_never_says_what_it_has_is_given_up(bound: Kernel) -> None:
    bound.ok("%%sky\nclass Endless:\n    def __dir__(self):\n        while True: pass\nendless = Endless()")
    bound.ok(f"%%sky --bg --into run\n{BUSY}")
    assert bound.complete("%%sky --on 0\nendless.col") == []
    assert _offered(bound, "%%sky --on 0\nonly_", ["only_there"]) == ["only_there"]
    bound.ok("%sky interrupt")
    assert bound.ok("%sky n").text == "[0] 0\n[1] 1\n[2] 2"


def test_code_that_takes_long_to_say_what_it_has_holds_nothing_up(bound: Kernel) -> None:
    bound.ok(
        "%%sky\nimport time\nclass Slow:\n    def __dir__(self):\n        time.sleep(2)\n        return ['slowly']\n"
        "    def __getattr__(self, name):\n        raise AttributeError(name)\nslow = Slow()"
    )
    assert "slowly" not in bound.complete("%%sky --on 0\nslow.")
    assert bound.seconds_of(lambda: bound.complete("%%sky --on 0\nslow.")) < 1
    assert bound.ok("%sky n").text == "[0] 0\n[1] 1\n[2] 2"
    assert _offered(bound, "%%sky --on 0\nonly_", ["only_there"]) == ["only_there"]


def test_shift_tab_explains_what_the_nodes_have(bound: Kernel) -> None:
    for code, part in (("fr.Fraction", "Init signature: fr.Fraction("), ("only_there", "String form:")):
        assert part in _explained(bound, f"%%sky\n{code}", part)
    assert bound.explain("only_there") == ""
    bound.ok("only_here = 1.5")
    assert "float" in bound.explain("%%sky\nonly_here")
    assert bound.explain("%%sky\nneither") == ""


def test_plain_cells_that_run_there_are_completed_there(bound: Kernel) -> None:
    assert bound.complete("only_t") == []
    bound.ok("%sky on")
    assert _offered(bound, "only_t", ["only_there"]) == ["only_there"]
    bound.ok("%sky off")
    assert bound.complete("only_t") == []


def test_a_fresh_session_and_no_pool_leave_it_to_the_notebook(bound: Kernel) -> None:
    bound.ok("%sky restart")
    assert "only_there" not in bound.complete("%%sky\nonly_")
    bound.ok(BOUND)
    assert _offered(bound, "%%sky\nonly_t", ["only_there"]) == ["only_there"]


def test_the_first_tab_of_a_kernel_is_answered_before_jedi_is_there(tmp_path: Path) -> None:
    with kernel_in(tmp_path, environment(tmp_path)) as fresh:
        fresh.ok("only_here = {'a': 1}")
        left_out = "'jedi' in str(get_ipython().Completer.disable_matchers)"
        assert fresh.ok(left_out).text == "False"
        assert fresh.complete("only_h") == ["only_here"]
        assert fresh.ok(left_out).text == "True"
        assert fresh.complete("only_here.val") == ["values"]
        assert _until(lambda: fresh.complete("only_h") and fresh.ok(left_out).text, lambda said: said == "False")
        assert fresh.complete("mine = [1]\nmine.appen") == ["append"]
        assert fresh.ok("%unload_ext skyward\nget_ipython().Completer.disable_matchers").text == "[]"
