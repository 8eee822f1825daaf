"""Folders as people have them: notebooks in subfolders, links, archives, old encodings, thousands of files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.layouts import copied, write
from tests.notebooks.conftest import environment
from tests.notebooks.kernel import Kernel, kernel_in
from tests.notebooks.test_projects import BEGIN, cell, everywhere

pytestmark = pytest.mark.kernel

type Open = Callable[..., Kernel]


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Open]:
    """Opens a notebook in a folder, with a pool of two nodes."""
    with ExitStack() as stack:

        def opened(folder: Path, **env: str) -> Kernel:
            (tmp_path / "own").mkdir()
            made = stack.enter_context(kernel_in(folder, environment(tmp_path / "own") | env))
            made.ok(BEGIN)
            made.ok("%sky start --nodes 2")
            return made

        yield opened


def test_a_notebook_in_a_folder_beside_the_code(notebook: Open, tmp_path: Path) -> None:
    copied("shop", tmp_path)
    (tmp_path / "notebooks").mkdir()
    kernel = notebook(tmp_path / "notebooks")
    kernel.ok("sys.path.insert(0, '..')\nimport shop")
    assert cell(kernel, "shop.total(shop.place(('tea', 3)))").text == everywhere("3.00 EUR")
    kernel.ok("@sky.compute\ndef bank():\n    from shop.bank import charge\n    return charge(shop.place(('tea', 3)))")
    assert kernel.ok("bank() @ sky").text == "[True, True]"


def test_a_notebook_that_goes_to_the_root_of_its_project(notebook: Open, tmp_path: Path) -> None:
    copied("shop", tmp_path)
    (tmp_path / "notebooks").mkdir()
    kernel = notebook(tmp_path / "notebooks")
    kernel.ok("%cd ..")
    kernel.ok("import shop")
    assert cell(kernel, "shop.total(shop.place(('tea', 3)))").text == everywhere("3.00 EUR")


def test_a_package_and_a_module_of_one_name(notebook: Open, tmp_path: Path) -> None:
    work = tmp_path / "work"
    write(work / "twice" / "__init__.py", "from .inner import KIND")
    write(work / "twice" / "inner.py", "KIND = 'package'")
    write(work / "twice.py", "KIND = 'module'")
    # Relative to a package of the same name, and a module of the package that is called as the package.
    write(work / "twice" / "twice.py", "KIND = 'inner'")
    kernel = notebook(work)
    kernel.ok("import twice, twice.twice")
    assert cell(kernel, "twice.KIND, twice.twice.KIND").text == everywhere(("package", "inner"))


def test_an_archive_on_the_path(notebook: Open, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with zipfile.ZipFile(work / "packed.zip", "w") as archive:
        archive.writestr("packed/__init__.py", "from .inner import value\nclass Net: pass\n")
        archive.writestr("packed/inner.py", "def value(): return 'zipped'\n")
    kernel = notebook(work)
    kernel.ok("sys.path.insert(0, 'packed.zip')\nimport packed")
    assert cell(kernel, "packed.value()").text == everywhere("zipped")
    kernel.ok("%%sky --on head -o net\nnet = packed.Net()")
    assert kernel.ok("type(net) is packed.Net").text == "True"


def test_a_linked_folder(notebook: Open, tmp_path: Path) -> None:
    copied("shop", tmp_path / "elsewhere")
    work = tmp_path / "work"
    work.mkdir()
    (work / "shop").symlink_to(tmp_path / "elsewhere" / "shop")
    (work / "single.py").symlink_to(write(tmp_path / "elsewhere" / "other_name.py", "NAME = __name__"))
    # One that leads back to where it is.
    (work / "loop").symlink_to(work)
    kernel = notebook(work)
    kernel.ok("import shop, single")
    assert cell(kernel, "shop.total(shop.place(('tea', 3))), single.NAME").text == everywhere(("3.00 EUR", "single"))


def test_a_folder_that_is_itself_a_link(notebook: Open, tmp_path: Path) -> None:
    copied("shop", tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    kernel = notebook(tmp_path / "link", PWD=str(tmp_path / "link"))
    kernel.ok("import shop")
    assert cell(kernel, "shop.total(shop.place(('tea', 3)))").text == everywhere("3.00 EUR")


def test_old_encodings_and_names_that_are_not_ascii(notebook: Open, tmp_path: Path) -> None:
    work = tmp_path / "Projekt Größe ü"
    write(work / "latin.py", "# -*- coding: latin-1 -*-\ndef fail():\n    raise LookupError('çà')\n".encode("latin-1"))
    write(work / "marked.py", b"\xef\xbb\xbfVALUE = '\xc3\xa7'\n")
    write(work / "windows.py", b"VALUE = 'a'\r\ndef f():\r\n    return VALUE\r\n")
    write(work / "größe.py", "def maß(): return 'ß'\nclass Größe: pass\n")
    write(work / "empty.py", "")
    kernel = notebook(work)
    kernel.ok("import latin, marked, windows, größe, empty")
    assert cell(kernel, "marked.VALUE, windows.f(), größe.maß(), empty.__name__").text == everywhere(
        ("ç", "a", "ß", "empty")
    )
    shown = kernel.run("%%sky\nlatin.fail()")
    assert "LookupError: çà" in shown.traceback
    assert "raise LookupError('çà')" in shown.traceback
    kernel.ok("%%sky --on head -o made\nmade = größe.Größe()")
    assert kernel.ok("type(made) is größe.Größe").text == "True"


def test_much_beside_the_code(notebook: Open, tmp_path: Path) -> None:
    """Thousands of files, environments, a data set of 200 MB: none of it delays a cell, and what is needed is there."""
    work = copied("shop", tmp_path / "work")
    for number in range(3000):
        folder = work / "many" / f"part{number % 30}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"m{number}.py").write_text(f"VALUE = {number}\n")
    for number in range(2000):
        folder = work / "node_modules" / f"lib{number % 40}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.js").write_text("x" * 1000)
    packages = work / "venv" / "lib" / "python3.12" / "site-packages" / "numpyish"
    packages.mkdir(parents=True)
    (work / "venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    for number in range(500):
        (packages / f"n{number}.py").write_text("x = 1\n" * 200)
    with (work / "shop" / "weights.bin").open("wb") as weights:
        weights.truncate(200 * 2**20)
    kernel = notebook(work)
    kernel.ok("import shop")
    first = cell(kernel, "shop.total(shop.place(('tea', 3)))")
    assert first.text == everywhere("3.00 EUR")
    assert first.seconds < 15
    again = [cell(kernel, "shop.CURRENCY").seconds for _ in range(5)]
    assert min(again) < 1
    kernel.ok(
        "@sky.compute\ndef part(n):\n    from importlib import import_module\n"
        "    return import_module(f'many.part{n % 30}.m{n}').VALUE"
    )
    assert kernel.ok("sky.gather(*[part(n) for n in range(0, 3000, 300)]) >> sky").text == str([*range(0, 3000, 300)])


def test_a_file_that_is_too_large_is_named(notebook: Open, tmp_path: Path) -> None:
    work = tmp_path / "work"
    write(
        work / "heavy" / "__init__.py",
        "from pathlib import Path\nWEIGHTS = Path(__file__).parent / 'weights.bin'\n"
        "def head():\n    with WEIGHTS.open('rb') as file: return file.read(1)",
    )
    with (work / "heavy" / "weights.bin").open("wb") as weights:
        weights.truncate(200 * 2**20)
    kernel = notebook(work)
    kernel.ok("import heavy")
    shown = kernel.run("%%sky\nheavy.head()")
    assert shown.text == everywhere(b"\x00") or "weights.bin" in shown.stderr + shown.traceback


def test_ignored_files_that_are_imported_all_the_same(notebook: Open, tmp_path: Path) -> None:
    work = tmp_path / "work"
    write(work / ".gitignore", "*_pb2.py\n_version.py\nbuild/\n/local_*.py\n!kept_pb2.py\ndata/\n")
    write(work / "wire" / "__init__.py", "from ._version import version\nfrom . import order_pb2")
    write(work / "wire" / "_version.py", "version = '1.2'")
    write(work / "wire" / "order_pb2.py", "class Order:\n    number = 7")
    write(work / "local_settings.py", "SECRET = 'mine'")
    write(work / "kernel_only.py", "import local_settings\ndef secret(): return local_settings.SECRET")
    kernel = notebook(work)
    kernel.ok("import wire, kernel_only")
    assert cell(kernel, "wire.version, wire.order_pb2.Order.number, kernel_only.secret()").text == everywhere(
        ("1.2", 7, "mine")
    )
    kernel.ok("@sky.compute\ndef fresh():\n    import local_settings\n    return local_settings.SECRET")
    assert kernel.ok("fresh() >> sky").text == "'mine'"


def test_a_project_that_is_tested_and_checked(notebook: Open, tmp_path: Path) -> None:
    """With tests beside the code, future imports, names for type checkers only, and modules that can be run."""
    work = tmp_path / "work"
    write(work / "conftest.py", "raise RuntimeError('only for pytest')")
    write(work / "setup.py", "raise SystemExit('do not import me')")
    write(work / "tests" / "__init__.py", "")
    write(work / "tests" / "test_it.py", "raise RuntimeError('only for pytest')")
    write(work / "tests" / "helpers.py", "def make(): return 'made'")
    write(
        work / "typed.py",
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
        "    from nowhere import Nothing\n    import stubs_only\n"
        "def take(x: Nothing | None = None) -> stubs_only.Thing: return x\n"
        "if __name__ == '__main__':\n    raise SystemExit('run')\n"
        "if __name__ == '__mp_main__':\n    raise SystemExit('mp')\n",
    )
    kernel = notebook(work)
    kernel.ok("import typed\nfrom tests.helpers import make")
    assert cell(kernel, "typed.take(3), make()").text == everywhere((3, "made"))


FACTORY = """
import collections, dataclasses

class Base:
    pass

class Meta(type):
    def __getattr__(cls, name):
        return name.upper()

class Loud(metaclass=Meta):
    pass

KNOWN = {}

def make(name):
    if name not in KNOWN:
        KNOWN[name] = type(name, (Base,), {"__module__": __name__})
    return KNOWN[name]

def hidden():
    @dataclasses.dataclass
    class Inner:
        x: int
    return Inner(3)

def adder(n):
    def add(x):
        return x + n
    return add

Row = collections.namedtuple("Row", "a b")
Pair = dataclasses.make_dataclass("Pair", ["l", "r"], module=__name__)
twice = lambda x: x * 2
"""


def test_classes_that_own_modules_make_on_the_nodes(notebook: Open, tmp_path: Path) -> None:
    work = tmp_path / "work"
    write(work / "factory.py", FACTORY)
    kernel = notebook(work)
    kernel.ok("import factory")
    kernel.ok(
        "%%sky --on head -o a, b, c, d, e, f\na, b = factory.make('New')(), factory.hidden()\n"
        "c, d, e, f = factory.Row(1, 2), factory.adder(2), factory.twice, factory.Pair(1, 2)"
    )
    assert kernel.ok(
        "isinstance(a, factory.Base), b.x, type(c) is factory.Row, d(1), e(4), type(f) is factory.Pair"
    ).text == ("(True, 3, True, 3, 8, True)")
    assert cell(kernel, "factory.Loud.shout, c.a, d(5), e(1), b.x, f.l").text == everywhere(("SHOUT", 1, 7, 2, 3, 1))


def test_children_of_a_call_have_the_modules_too(notebook: Open, tmp_path: Path) -> None:
    """Processes that user code starts on a node: by fork, by spawn, and with the interpreter."""
    work = tmp_path / "work"
    write(work / "jobs.py", "def square(x): return x * x")
    kernel = notebook(work)
    kernel.ok("import jobs")
    kernel.ok(
        "@sky.compute\ndef pooled(how):\n    import multiprocessing as mp\n"
        "    with mp.get_context(how).Pool(2) as pool: return pool.map(jobs.square, [1, 2, 3])"
    )
    assert kernel.ok("pooled('fork') >> sky").text == "[1, 4, 9]"
    assert kernel.ok("pooled('spawn') >> sky").text == "[1, 4, 9]"
    assert kernel.ok("pooled('forkserver') >> sky").text == "[1, 4, 9]"


def test_a_notebook_in_a_home_with_everything(notebook: Open, tmp_path: Path) -> None:
    """Folders that cannot be read, sockets, pipes and links to nowhere beside the code."""
    import os
    import socket

    work = tmp_path / "work"
    write(work / "plain.py", "VALUE = 1")
    (work / "closed").mkdir(mode=0o000)
    os.mkfifo(work / "pipe.py")
    (work / "nowhere.py").symlink_to("does-not-exist.py")
    (work / "itself.py").symlink_to("itself.py")
    write(work / "secret.py", "VALUE = 2").chmod(0o000)
    write(work / "bytes\udcff.txt", "not UTF-8")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(work / "s.py"))
        kernel = notebook(work)
        kernel.ok("import plain")
        assert cell(kernel, "plain.VALUE").text == everywhere(1)
        kernel.ok("@sky.compute\ndef imports():\n    import plain\n    return plain.VALUE")
        assert kernel.ok("imports() @ sky").text == "[1, 1]"
