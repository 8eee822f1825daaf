"""The name `pool` in the notebook, the active pool, and ``%sky use``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebooks.conftest import environment
from tests.notebooks.kernel import Kernel, kernel_in

pytestmark = pytest.mark.kernel

FREE = "the name pool now stands for pool {}: f() >> pool runs a call on it"
NONE = "\nno pool is running; start one with `%sky start --nodes 4` or `sky.ComputePool(nodes=4)`"
ONE = "import skyward as sky\n@sky.compute\ndef one():\n    return 1\nprint(one() >> pool, one() @ pool)"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel in which nothing was said yet."""
    with kernel_in(tmp_path, environment(tmp_path)) as made:
        yield made


def test_the_first_cell_gives_the_pool_of_the_readme(fresh: Kernel) -> None:
    first = fresh.ok("%%sky --nodes 2\nprint('here')")
    name = fresh.ok("print(pool.name)").stdout.strip()
    assert (first.text, first.stdout, first.stderr) == (FREE.format(name), "[0-1] here\n", "")
    assert fresh.ok(ONE).stdout == "1 [1, 1]\n"
    assert fresh.ok("sky.pool() is pool").text == "True"
    assert fresh.ok("pool").text.startswith(f"pool {name}: ready, local, 2 nodes")
    assert fresh.ok("%%sky --nodes 2\n1").text == "[0-1] 1", "it is said once"
    fresh.ok("%reset -f")
    assert fresh.run("pool").ename == "NameError"
    assert fresh.ok("%%sky --nodes 2\n1").text == "[0-1] 1"
    assert fresh.ok("print(pool.name)").stdout.strip() == name


def test_where_the_name_is_missing_the_error_says_what_to_do(fresh: Kernel) -> None:
    absent = fresh.run("pool")
    assert absent.traceback.endswith(NONE), absent.traceback
    fresh.ok("%sky start --nodes 1 --name one")
    fresh.ok("del pool")
    assert fresh.run("pool.name").traceback.endswith("\npool one runs; sky.pool() returns it")
    assert fresh.run("spool").traceback.endswith("NameError: name 'spool' is not defined")
    fresh.ok("import types; other = types.ModuleType('other')")
    assert "sky.pool()" not in fresh.run("exec('pool', other.__dict__)").traceback
    fresh.ok("%sky use one\n%sky stop")
    again = fresh.run("import skyward as sky\nsky.compute(abs)(1) >> pool")
    assert (again.ename, again.traceback.endswith(NONE)) == ("NameError", True), again.traceback


def test_a_value_of_the_users_stays_and_sky_pool_is_named_once(fresh: Kernel) -> None:
    fresh.ok("pool = [1, 2]")
    told = fresh.ok("%sky start --nodes 1 --name one").stdout
    assert told.splitlines()[1:] == ["the name pool is yours and stays as it is; sky.pool() returns one"]
    assert fresh.ok("pool").text == "[1, 2]"
    assert len(fresh.ok("%sky start --nodes 1 --name two").stdout.splitlines()) == 1
    assert fresh.ok("%sky use one").stdout == "pool one is active\n"
    assert fresh.ok("pool").text == "[1, 2]"
    (fresh.folder / "pool.py").write_text("HERE = 7")
    fresh.ok("del pool\n%sky use two")
    assert fresh.ok("pool.name").text == "'two'"
    assert fresh.ok("import pool\npool.HERE").text == "7"
    fresh.ok("%sky use one\n%sky stop one\n%sky stop two")
    assert fresh.ok("pool.HERE").text == "7"


def test_the_active_pool_of_several_is_told_and_chosen(fresh: Kernel) -> None:
    fresh.ok("%sky start --nodes 1 --name one\n%sky start --nodes 2 --name two")
    assert fresh.ok("pool.name").text == "'two'"
    assert "pool two is active; one runs too: %sky use NAME\n" in fresh.ok("%sky").stdout
    assert fresh.ok("%sky status").stdout.startswith("pool two: ready, 2 nodes, active\n")
    assert fresh.ok("%%sky --pool one\n1").text == "1"
    assert fresh.ok("%%sky\n1").text == "[0-1] 1", "--pool is for one cell"
    assert fresh.ok("%sky use one").stdout == "pool one is active, and the name pool is bound to it\n"
    assert fresh.ok("%%sky\n1").text == "1"
    assert fresh.ok("import skyward as sky\nprint(pool.name, sky.pool().name)").stdout == "one one\n"
    held = [line for line in fresh.ok("%sky pools").stdout.splitlines() if "active" in line]
    assert [line.split()[0] for line in held] == ["one"]
    assert fresh.complete("%sky use ") == ["two", "one"]
    assert fresh.complete("%sky u") == ["use"]
    for line, sentence in (
        ("%sky use", "%sky use: say which pool, as in %sky use one"),
        ("%sky use thr", "there is no pool 'thr'; there are two, one"),
        ("%sky use one two", "%sky use takes one pool at most: %sky use NAME"),
    ):
        assert fresh.run(line).evalue == sentence
    fresh.ok("%sky stop one")
    assert fresh.ok("print(pool.name)").stdout == "two\n"
    assert fresh.ok("%sky").stdout == ""
    fresh.ok("%sky start --nodes 1 --name three\npool.stop()")
    assert fresh.ok("print(pool.name)").stdout == "two\n", "stopped by itself, it gives way to one that runs"


def test_a_stopped_pool_is_let_go_of(fresh: Kernel) -> None:
    fresh.ok("%sky start --nodes 1 --name one\nimport gc, weakref\nheld = weakref.ref(pool)")
    fresh.ok("%sky stop")
    assert fresh.run("pool").ename == "NameError"
    assert fresh.ok("gc.collect()\nheld()").text == ""
    fresh.ok("%sky start --nodes 1 --name two\nmine = pool\n%sky stop")
    assert fresh.ok("mine.state").text == "'stopped'", "what the user keeps stays"
    fresh.ok("%sky start --nodes 1 --name three\npool.stop()")
    assert fresh.ok("pool.state").text == "'stopped'", "and so does what was stopped by its name"
    fresh.ok("held = weakref.ref(pool)\n%sky start --nodes 1 --name four")
    assert fresh.ok("gc.collect()\nprint(pool.name, held())").stdout == "four None\n"


def test_it_does_not_go_to_the_nodes_and_its_name_is_free_there(fresh: Kernel) -> None:
    fresh.ok("%sky start --nodes 2")
    read = fresh.run("%%sky\npool.size")
    assert read.evalue == "NameError: name 'pool' is not defined (on nodes 0-1 of 2)"
    assert "the notebook's pool does not go to the nodes" in read.text
    assert "does not go" not in fresh.run("%%sky\npool.size").text, "it is said once"
    own = fresh.ok("%%sky\nfrom multiprocessing.pool import ThreadPool as Pool\npool = Pool(1)\npool.map(abs, [-1])")
    assert (own.text, own.stderr) == ("[0-1] [1]", "")
    again = fresh.ok("%%sky\npool.map(abs, [-2])")
    assert (again.text, again.stderr) == ("[0-1] [2]", ""), "no word of another value in the notebook"
    for sent in ("%%sky -i pool\n1", "%sky push pool"):
        assert "a pool stays in the notebook or program that started it" in fresh.run(sent).evalue
    fresh.ok("def uses():\n    return pool")
    assert "pool (used by uses)" in fresh.run("%%sky\nuses()").evalue
    fresh.ok("%%sky -o pool\npool = 1")
    assert fresh.ok("pool").text == "[1, 1]"
    assert fresh.ok("import skyward as sky\nprint(sky.pool().size)").stdout == "2\n"


def test_a_cell_that_binds_the_name_keeps_it(fresh: Kernel) -> None:
    shown = fresh.ok("%%sky --nodes 2 -o pool\npool = 3")
    assert (shown.text, shown.stdout) == ("", "")
    assert fresh.ok("pool").text == "[3, 3]"


def test_a_quiet_cell_leaves_the_word_to_the_next(fresh: Kernel) -> None:
    assert fresh.ok("%%sky --nodes 2 --quiet\n1").text == ""
    assert fresh.ok("%%sky\n1").text.startswith("[0-1] 1\nthe name pool now stands for")
