"""Notebooks with packages of their own: what the cells and calls have of them is what the notebook has, edits too."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.layouts import copied, write
from tests.notebooks.conftest import ABOUT, environment
from tests.notebooks.kernel import Kernel, Shown, kernel_in

pytestmark = pytest.mark.kernel

BEGIN = "import importlib, inspect, os, pickle, sys\nimport skyward as sky"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel whose folder has all projects that lie beside a notebook, with a pool of two nodes."""
    folder = tmp_path_factory.mktemp("lab")
    for name in ("atlas", "keeper", "kitchen", "patches", "pipeline", "schema", "shop"):
        copied(name, folder)
    with kernel_in(folder, environment(folder)) as made:
        made.ok("%sky start --nodes 2")
        made.ok(ABOUT)
        made.ok(BEGIN)
        yield made


def module(kernel: Kernel, name: str, text: str) -> Path:
    """Write a file of the project, newer than any before."""
    return write(kernel.folder / name, textwrap.dedent(text))


def everywhere(value: object) -> str:
    """How a cell on both nodes shows a value."""
    return f"[0-1] {value!r}"


def cell(kernel: Kernel, text: str) -> Shown:
    """Run a cell on the nodes that must not fail."""
    return kernel.ok(f"%%sky\n{text}")


def test_cells_have_the_same_classes_as_the_notebook(lab: Kernel) -> None:
    lab.ok("import shop\nfrom shop import models, orders\ntea = models.Item('tea', 3)")
    shown = lab.ok(
        "%%sky --on head -o made, kind\nmade = shop.Order([tea, models.Item('milk', 1)]).pay()\nkind = type(tea)\n"
        "isinstance(tea, models.Item), type(made) is orders.Order, shop.total(made), orders.ship(made)"
    )
    assert shown.text.endswith("(True, True, '4.00 EUR', ['tea (EUR)', 'milk (EUR)'])")
    assert lab.ok("type(made) is orders.Order, kind is models.Item, made.items[0] == tea").text == "(True, True, True)"


def test_functions_and_classes_go_by_name(lab: Kernel) -> None:
    lab.ok("import schema\nfrom schema import User, Color")
    lab.ok("@sky.compute\ndef names(): return pickle.dumps(User), pickle.dumps(Color.RED), pickle.dumps(schema.Square)")
    assert lab.ok("[*map(pickle.loads, names() >> sky)] == [User, Color.RED, schema.Square]").text == "True"
    text = (
        "User is schema.model.User, Color.RED is schema.kinds.Color('r'), sys.modules[User.__module__] is schema.model"
    )
    assert cell(lab, f"import sys\n{text}").text == everywhere((True, True, True))


def test_what_a_cell_finds_out_about_its_source(lab: Kernel) -> None:
    lab.ok("from schema import Square")
    source = lab.ok("print(inspect.getsource(Square))").stdout.splitlines()
    lines = cell(lab, "import inspect\nprint(inspect.getsource(Square))").stdout.splitlines()
    assert [line.removeprefix("[0-1] ") for line in lines] == source
    shown = cell(lab, "import os\nos.path.basename(schema.__file__), os.path.isfile(schema.model.__file__)")
    assert shown.text == everywhere(("__init__.py", True))


def test_a_traceback_has_the_lines_of_a_package(lab: Kernel) -> None:
    lab.ok("import shop")
    shown = lab.run("%%sky\nshop.orders.ship(shop.place(('tea', 3)))")
    assert shown.status == "error"
    assert "orders.py" in shown.traceback
    assert "---> 26         raise Unpaid(order)" in shown.traceback
    assert "Could not get source" not in shown.traceback
    lab.ok("@sky.compute\ndef ships(): shop.orders.ship(shop.place(('tea', 3)))")
    shown = lab.run("ships() >> sky")
    assert shown.ename == "Unpaid"
    assert "raise Unpaid(order)" in shown.traceback


def test_data_files_and_lazy_imports_in_cells(lab: Kernel) -> None:
    lab.ok("import atlas")
    assert cell(lab, "atlas.units(), atlas.query('largest')[:6], atlas.listed()[0]").text == everywhere(
        ("km", "select", "cities.json")
    )
    module(lab, "atlas/data/cities.json", '{"Faro": 1}')
    assert lab.ok(
        "@sky.compute\ndef read(): return (atlas.HERE / 'data' / 'cities.json').read_text()\nread() >> sky"
    ).text
    module(lab, "late/__init__.py", "")
    module(
        lab,
        "late/deep/__init__.py",
        "def run():\n    from ..other import VALUE\n    from . import leaf\n    return VALUE, leaf.NAME",
    )
    module(lab, "late/deep/leaf.py", "NAME = __name__")
    module(lab, "late/other.py", "VALUE = 1")
    assert cell(lab, "from late.deep import run\nrun()").text == everywhere((1, "late.deep.leaf"))
    lab.ok("@sky.compute\ndef lazy():\n    import late.deep\n    return late.deep.run()")
    assert lab.ok("lazy() @ sky").text == "[(1, 'late.deep.leaf'), (1, 'late.deep.leaf')]"
    assert lab.ok("'late' in sys.modules").text == "False"


def test_state_at_top_level_stays_there(lab: Kernel) -> None:
    lab.ok("import keeper")
    assert cell(lab, "keeper.remember('tea'), keeper.fibonacci(30), keeper.request.get()").text == everywhere(
        (1, 832040, "nobody")
    )
    assert cell(lab, "keeper.remember('tea')").text == everywhere(2)
    assert lab.ok("keeper.remember('tea')").text == "1"


CHAIN = {
    "base.py": """
        def rate(): return {0}
        class Base:
            def value(self): return {0}
    """,
    "middle.py": """
        from . import base
        from .base import Base
        class Middle(Base): pass
        def doubled(): return base.rate() * 2
    """,
    "top.py": """
        from .middle import Middle, doubled
        def both(): return doubled(), Middle().value()
    """,
}


def chain(kernel: Kernel, package: str, version: int) -> None:
    """Write a package whose top imports its middle, and that its base; or another version of the base."""
    for name, text in CHAIN.items() if version == 1 else [("base.py", CHAIN["base.py"])]:
        module(kernel, f"{package}/{name}", text.replace("{0}", str(version)))


def test_edits_of_what_a_module_imports_with_autoreload(lab: Kernel) -> None:
    chain(lab, "auto", 1)
    lab.ok("%load_ext autoreload\n%autoreload 2\nfrom auto import top")
    lab.ok("@sky.compute\ndef both(): return top.both()")
    assert cell(lab, "top.both()").text == everywhere((2, 1))
    assert lab.ok("both() >> sky").text == "(2, 1)"
    for version in (5, 6):
        chain(lab, "auto", version)
        assert lab.ok("top.both()").text == f"({version * 2}, {version})"
        shown = cell(lab, "top.both()")
        assert shown.text == everywhere((version * 2, version))
        assert shown.stderr == ""
        assert lab.ok("both() >> sky").text == f"({version * 2}, {version})"
    chain(lab, "auto", 7)
    # The first to see it is the call itself.
    assert lab.ok("both() >> sky").text == "(14, 7)"
    lab.ok("%autoreload 0\n%unload_ext autoreload")


def test_without_autoreload_the_nodes_use_what_the_notebook_has_loaded(lab: Kernel) -> None:
    chain(lab, "kept", 1)
    lab.ok("from kept import base, middle, top\n@sky.compute\ndef both(): return top.both()")
    assert cell(lab, "top.both()").text == everywhere((2, 1))
    chain(lab, "kept", 2)
    assert lab.ok("top.both()").text == "(2, 1)"
    told = cell(lab, "top.both()")
    assert told.text == everywhere((2, 1))
    assert "kept.base" in told.stderr or "base.py" in told.stderr
    again = cell(lab, "top.both()")
    assert again.text == everywhere((2, 1))
    assert again.stderr == ""
    shown = lab.ok("both() >> sky")
    assert (shown.text, shown.stderr) == ("(2, 1)", "")
    lab.ok("for one in (base, middle, top): importlib.reload(one)")
    assert lab.ok("top.both()").text == "(4, 2)"
    assert cell(lab, "top.both()").text == everywhere((4, 2))
    assert lab.ok("both() >> sky").text == "(4, 2)"


def test_a_node_that_comes_later_has_what_the_notebook_has_loaded(lab: Kernel) -> None:
    module(lab, "early.py", "def version(): return 1")
    lab.ok("import early\n@sky.compute\ndef version(): return early.version()")
    module(lab, "early.py", "def version(): return 2")
    lab.ok("%sky scale 3")
    try:
        assert lab.ok("version() @ sky").text == "[1, 1, 1]"
        lab.ok("importlib.reload(early)")
        assert lab.ok("version() @ sky").text == "[2, 2, 2]"
    finally:
        lab.ok("%sky scale 2")


def test_instances_follow_the_edits_of_their_class(lab: Kernel) -> None:
    lab.ok("%load_ext autoreload\n%autoreload 2")
    module(lab, "net.py", "class Net:\n    def __init__(self, w): self.w = w\n    def out(self): return self.w")
    lab.ok("from net import Net\nnet = Net(2)")
    assert cell(lab, "kept = Net(5)\nnet.out(), kept.out(), isinstance(net, Net)").text == everywhere((2, 5, True))
    module(lab, "net.py", "class Net:\n    def __init__(self, w): self.w = w\n    def out(self): return self.w * 10")
    assert cell(lab, "net.out(), Net(1).out(), isinstance(net, Net)").text == everywhere((20, 10, True))
    lab.ok("%%sky --on head -o back\nback = Net(3)")
    assert lab.ok("type(back) is Net, back.out(), isinstance(net, Net)").text == "(True, 30, True)"
    lab.ok("%autoreload 0\n%unload_ext autoreload")


def test_an_edit_that_is_no_python(lab: Kernel) -> None:
    module(lab, "fragile.py", "def version(): return 1")
    lab.ok("import fragile\n@sky.compute\ndef imports():\n    import fragile\n    return fragile.version()")
    assert cell(lab, "fragile.version()").text == everywhere(1)
    assert lab.ok("imports() @ sky").text == "[1, 1]"
    module(lab, "fragile.py", "def version(:")
    assert lab.ok("fragile.version()").text == "1"
    assert cell(lab, "fragile.version()").text == everywhere(1)
    assert lab.ok("imports() @ sky").text == "[1, 1]"
    module(lab, "fragile.py", "def version(): return 3")
    lab.ok("importlib.reload(fragile)")
    assert cell(lab, "fragile.version()").text == everywhere(3)
    module(lab, "never.py", "def version(:")
    shown = lab.run("%%sky\nimport never")
    assert "SyntaxError" in shown.traceback
    assert "never.py" in shown.traceback
    module(lab, "never.py", "def version(): return 4")
    assert cell(lab, "import never\nnever.version()").text == everywhere(4)


def test_a_module_that_fails_while_it_is_imported(lab: Kernel) -> None:
    module(lab, "sour.py", "import os\nVALUE = 1\nraise LookupError('no such crate')")
    shown = lab.run("%%sky\nimport sour")
    assert "LookupError: no such crate" in shown.traceback
    assert "raise LookupError('no such crate')" in shown.traceback
    module(lab, "sour.py", "VALUE = 2")
    assert cell(lab, "import sour\nsour.VALUE").text == everywhere(2)


def test_a_file_that_is_deleted_and_one_that_is_renamed(lab: Kernel) -> None:
    path = module(lab, "going.py", "def version(): return 1")
    lab.ok("import going\n@sky.compute\ndef version(): return going.version()")
    assert lab.ok("version() @ sky").text == "[1, 1]"
    path.unlink()
    # The notebook still has it.
    assert lab.ok("going.version()").text == "1"
    assert lab.ok("version() @ sky").text == "[1, 1]"
    assert cell(lab, "going.version()").text == everywhere(1)
    module(lab, "came.py", "def version(): return 2")
    lab.ok("import came\n@sky.compute\ndef version(): return came.version()")
    assert lab.ok("version() @ sky").text == "[2, 2]"
    shown = lab.run("%%sky\nimport gone_for_good")
    assert "ModuleNotFoundError: No module named 'gone_for_good'" in shown.traceback


def test_a_deleted_module_is_not_there_for_a_fresh_import(lab: Kernel) -> None:
    path = module(lab, "once.py", "VALUE = 1")
    lab.ok(
        "@sky.compute\ndef imports():\n    import sys\n    sys.modules.pop('once', None)\n"
        "    import once\n    return once.VALUE"
    )
    assert lab.ok("imports() @ sky").text == "[1, 1]"
    path.unlink()
    assert lab.run("imports() @ sky").status == "error"
    module(lab, "once/__init__.py", "VALUE = 'a package now'")
    assert lab.ok("imports() >> sky").text == "'a package now'"


def test_submodules_that_appear(lab: Kernel) -> None:
    module(lab, "grows/__init__.py", "")
    module(lab, "grows/first.py", "VALUE = 1")
    lab.ok("import grows.first\n@sky.compute\ndef second():\n    from grows import second\n    return second.VALUE")
    assert cell(lab, "grows.first.VALUE").text == everywhere(1)
    assert "ImportError" in lab.run("second() >> sky").ename
    module(lab, "grows/second.py", "from .first import VALUE as one\nVALUE = one + 1")
    assert lab.ok("second() @ sky").text == "[2, 2]"
    module(lab, "grows/deep/third.py", "from ..second import VALUE as two\nVALUE = two + 1")
    assert cell(lab, "import grows.deep.third\ngrows.deep.third.VALUE").text == everywhere(3)
    lab.ok("import grows.deep.third as third")
    assert cell(lab, "third.VALUE").text == everywhere(3)


@pytest.mark.parametrize("name", ["pyte", "tomli"])
def test_an_own_module_with_the_name_of_one_that_is_installed_there(lab: Kernel, name: str) -> None:
    """One that is installed, and one that only some libraries look for."""
    module(lab, f"{name}.py", "OWN = 'mine'\ndef loads(text): return {}")
    lab.ok(
        f"import {name}\nassert {name}.OWN\n@sky.compute\ndef own():\n"
        f"    import {name} as again\n    return {name}.OWN, again.OWN"
    )
    assert lab.ok("own() @ sky").text == "[('mine', 'mine'), ('mine', 'mine')]"
    assert cell(lab, f"import {name}\n{name}.OWN").text == everywhere("mine")
    (lab.folder / f"{name}.py").unlink()
    lab.ok(f"del sys.modules['{name}'], {name}")


def test_what_is_changed_after_the_start(lab: Kernel, tmp_path: Path) -> None:
    write(tmp_path / "appended.py", "VALUE = 'appended'")
    lab.ok(
        f"sys.path.append({str(tmp_path)!r})\n"
        "@sky.compute\ndef imports():\n    import appended\n    return appended.VALUE"
    )
    assert lab.ok("imports() @ sky").text == "['appended', 'appended']"
    lab.ok("import appended")
    assert cell(lab, "appended.VALUE").text == everywhere("appended")


def test_variables_and_the_directory_follow_the_notebook(lab: Kernel, tmp_path: Path) -> None:
    write(tmp_path / "note.txt", "from there")
    asked = "import os\nos.environ.get('LATER'), os.path.exists('note.txt'), os.environ.get('OWN')"
    cell(lab, "import os\nos.environ['OWN'] = 'node'")
    assert cell(lab, asked).text == everywhere((None, False, "node"))
    try:
        lab.ok(f"os.environ['LATER'] = 'yes'\nos.chdir({str(tmp_path)!r})")
        assert cell(lab, asked).text == everywhere(("yes", True, "node"))
        lab.ok("@sky.compute\ndef seen(): return os.environ.get('LATER'), open('note.txt').read()")
        assert lab.ok("seen() >> sky").text == "('yes', 'from there')"
    finally:
        lab.ok(f"del os.environ['LATER']\nos.chdir({str(lab.folder)!r})")
    assert cell(lab, asked).text == everywhere((None, False, "node"))


def test_a_path_that_a_cell_appends_stays(lab: Kernel, tmp_path: Path) -> None:
    cell(lab, f"import sys\nsys.path.append({str(tmp_path)!r})")
    module(lab, "fresh_one.py", "VALUE = 1")
    lab.ok("import fresh_one\nsys.path.append('/nowhere/at/all')")
    asked = f"{str(tmp_path)!r} in sys.path, fresh_one.VALUE, '/nowhere/at/all' in sys.path"
    assert cell(lab, asked).text == everywhere((True, 1, True))
    lab.ok("sys.path.remove('/nowhere/at/all')")


def test_edits_leave_other_modules_as_they_are(lab: Kernel) -> None:
    """Only what imports the edited module is loaded anew: state elsewhere is kept."""
    lab.ok("%load_ext autoreload\n%autoreload 2")
    module(lab, "counting.py", "import itertools\nnumbers = itertools.count()\ndef n(): return next(numbers)")
    module(lab, "edited.py", "def version(): return 1")
    lab.ok("import counting, edited")
    assert cell(lab, "counting.n(), edited.version()").text == everywhere((0, 1))
    module(lab, "edited.py", "def version(): return 2")
    assert cell(lab, "counting.n(), edited.version()").text == everywhere((1, 2))
    lab.ok("%autoreload 0\n%unload_ext autoreload")


def test_a_module_that_the_notebook_has_forgotten(lab: Kernel) -> None:
    module(lab, "forgot.py", "def version(): return 1")
    lab.ok("import forgot\nfrom forgot import version\n@sky.compute\ndef call(): return version(), forgot.version()")
    assert lab.ok("call() @ sky").text == "[(1, 1), (1, 1)]"
    module(lab, "forgot.py", "def version(): return 2")
    lab.ok("del sys.modules['forgot']\nimport forgot\nfrom forgot import version")
    assert lab.ok("call() @ sky").text == "[(2, 2), (2, 2)]"
    assert cell(lab, "version(), forgot.version()").text == everywhere((2, 2))


def test_functions_of_an_older_version_of_a_module(lab: Kernel) -> None:
    """As in the notebook, what was bound before a reload stays what it was."""
    module(lab, "older.py", "def version(): return 1")
    lab.ok("import older\nfrom older import version")
    assert cell(lab, "version(), older.version()").text == everywhere((1, 1))
    module(lab, "older.py", "def version(): return 2")
    lab.ok("importlib.reload(older)")
    assert lab.ok("version(), older.version()").text == "(1, 2)"
    assert cell(lab, "version(), older.version()").text == everywhere((1, 2))


def test_a_class_of_an_older_version_of_a_module(lab: Kernel) -> None:
    module(lab, "aged.py", "class Net:\n    def out(self): return 1")
    lab.ok("import aged\nold = aged.Net()")
    module(lab, "aged.py", "class Net:\n    def out(self): return 2")
    lab.ok("importlib.reload(aged)")
    assert lab.ok("old.out(), isinstance(old, aged.Net)").text == "(1, False)"
    shown = lab.run("%%sky\nold.out(), aged.Net().out()")
    # Either as in the notebook, or a sentence that says what to do; never the class that it is not.
    assert shown.text == everywhere((1, 2)) or (shown.status == "error" and "aged" in shown.evalue)


def test_things_of_the_notebook_itself_go_by_value(lab: Kernel) -> None:
    lab.ok("from schema import Model, Field, User\nclass Pet(Model):\n    name = Field()\n    owner = Field()")
    lab.ok("def named(n): return Pet(name=n, owner=User(name='Ana', age=1))")
    lab.ok("%%sky --on head -o pet\npet = named('Rex')")
    assert lab.ok("type(pet) is Pet, type(pet.owner) is User, pet.dump()['name']").text == "(True, True, 'Rex')"
    lab.ok("@sky.compute\ndef make(n): return isinstance(named(n), Model), named(n)")
    assert lab.ok("known, pet = make('Tom') >> sky\nknown, type(pet) is Pet, isinstance(pet, Model)").text == (
        "(True, True, True)"
    )


def test_own_names_changed_by_the_notebook(lab: Kernel) -> None:
    """What the notebook binds anew in a module is the notebook's: it is said, or it goes along."""
    module(lab, "config.py", "RATE = 1\nOPTIONS = {'deep': False}\ndef rate(): return RATE, OPTIONS['deep']")
    lab.ok("import config")
    assert cell(lab, "config.rate()").text == everywhere((1, False))
    lab.ok("config.RATE = 5\nconfig.OPTIONS['deep'] = True")
    shown = cell(lab, "config.rate()")
    assert shown.text == everywhere((5, True)) or "config" in shown.stderr
