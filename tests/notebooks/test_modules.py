"""The user's own modules: what travels, and that edits reach the nodes when the notebook has them."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebooks.conftest import ABOUT, environment
from tests.notebooks.kernel import Kernel, kernel_in

pytestmark = pytest.mark.kernel

#: Seconds between two versions of a file: by its time Python knows that its compiled form is old.
_times = itertools.count(int(time.time()), 5)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, (at := next(_times), at))


def helper(kernel: Kernel, version: int) -> None:
    write(
        kernel.folder / "helper.py",
        f"RATE = {version}\ndef answer(): return RATE, {version}\n"
        f"class Net:\n    def __init__(self, w): self.w = w\n    def out(self): return self.w * {version}\n"
        "class Broken(Exception): pass\ndef fail(x):\n    y = x + 1\n    raise Broken(y)\n",
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("project")
    with kernel_in(folder, environment(folder)) as made:
        made.ok("%sky start --nodes 2")
        made.ok(ABOUT)
        yield made


def test_edits_travel_once_the_notebook_has_them(project: Kernel) -> None:
    helper(project, 1)
    project.ok("import importlib, helper\nfrom helper import answer, Net\nnet = Net(10)")
    cell = "%%sky\nhelper.answer(), answer(), net.out(), isinstance(net, helper.Net)"
    assert project.ok(cell).text == "[0-1] ((1, 1), (1, 1), 10, True)"
    helper(project, 2)
    unchanged = project.ok(cell)
    assert unchanged.text == "[0-1] ((1, 1), (1, 1), 10, True)"  # as here
    assert unchanged.stderr.startswith(
        "helper.py was edited since helper was imported: the nodes use what is loaded here"
    )
    assert project.ok(cell).stderr == ""  # said once
    project.ok("importlib.reload(helper)\nfrom helper import answer, Net\nnet = Net(10)")
    assert project.ok(cell).text == "[0-1] ((2, 2), (2, 2), 20, True)"
    project.ok("import skyward as sky\n@sky.compute\ndef call(): return helper.answer(), net.out()")
    assert project.ok("call() >> sky").text == "((2, 2), 20)"
    helper(project, 3)
    project.ok("importlib.reload(helper)")
    assert project.ok("call() >> sky").text == "((3, 3), 20)"


def test_autoreload_in_the_notebook_is_enough(project: Kernel) -> None:
    helper(project, 4)
    project.ok("import helper\nimportlib.reload(helper)\nfrom helper import answer")
    assert project.ok("%%sky\nhelper.answer(), answer()").text == "[0-1] ((4, 4), (4, 4))"
    project.ok("%load_ext autoreload\n%autoreload 2")
    project.ok("1")
    helper(project, 5)
    assert project.ok("%%sky\nhelper.answer(), answer()").text == "[0-1] ((5, 5), (5, 5))"
    project.ok("%autoreload 0\n%unload_ext autoreload")


def test_a_package_with_submodules(project: Kernel) -> None:
    package = project.folder / "lab"
    write(package / "__init__.py", "from .core import run\n")
    write(
        package / "core.py",
        "from . import units\nfrom .units import scale\ndef run(x): return units.scale(x), scale(x)\n",
    )
    write(package / "units.py", "K = 10\ndef scale(x): return K * x\n")
    project.ok("import lab, lab.units\nfrom lab import run")
    assert project.ok("%%sky\nlab.run(1), run(2), lab.units.scale(3)").text == "[0-1] ((10, 10), (20, 20), 30)"
    write(package / "units.py", "K = 100\ndef scale(x): return K * x\n")
    project.ok("for module in (lab.units, lab.core, lab): importlib.reload(module)\nfrom lab import run")
    assert project.ok("%%sky\nlab.run(1), run(2), lab.units.scale(3)").text == "[0-1] ((100, 100), (200, 200), 300)"


def test_classes_come_back_as_they_went(project: Kernel) -> None:
    helper(project, 6)
    project.ok("import helper\nimportlib.reload(helper)")
    project.ok("%%sky --on head -o made\nmade = helper.Net(7)")
    assert project.ok("isinstance(made, helper.Net), made.out()").text == "(True, 42)"
    project.ok("@sky.compute\ndef fails(): helper.fail(1)")
    project.ok("try:\n    fails() >> sky\nexcept helper.Broken as error:\n    caught = error.args")
    assert project.ok("caught").text == "(2,)"


def test_an_error_of_a_module_that_the_node_imported_is_caught_by_its_class(project: Kernel) -> None:
    helper(project, 8)
    project.ok("import helper\nimportlib.reload(helper)")
    project.ok("@sky.compute\ndef imports_and_fails():\n    import helper as there\n    there.fail(2)")
    project.ok("try:\n    imports_and_fails() >> sky\nexcept helper.Broken as error:\n    caught = error.args")
    assert project.ok("caught").text == "(3,)"
    project.ok(
        "try:\n    get_ipython().run_cell_magic('sky', '', 'import helper as there\\nthere.fail(3)')\n"
        "except sky.CellFailed as error:\n    caught = [type(one) is helper.Broken for one in error.errors.values()]"
    )
    assert project.ok("caught").text == "[True, True]"


def test_a_traceback_shows_the_lines_of_a_module(project: Kernel) -> None:
    helper(project, 7)
    project.ok("import helper\nimportlib.reload(helper)")
    shown = project.run("%%sky\nhelper.fail(1)")
    assert "[0-1] Broken: 2" in shown.traceback
    assert f"{project.folder / 'helper.py'}:9, in fail(x)" in shown.traceback
    assert "----> 9     raise Broken(y)" in shown.traceback


def test_a_call_that_imports_has_the_edited_file_too(project: Kernel) -> None:
    module = project.folder / "inside.py"
    write(module, "def version(): return 1\n")
    project.ok("import skyward as sky\n@sky.compute\ndef imports():\n    import inside\n    return inside.version()")
    assert project.ok("imports() @ sky").text == "[1, 1]"
    write(module, "def version(): return 2\n")
    assert project.ok("imports() @ sky").text == "[2, 2]"
    write(module, "def version(:\n")
    broken = project.ok("imports() @ sky")
    assert broken.text == "[2, 2]"
    assert "inside was edited but does not load: SyntaxError" in broken.stderr
