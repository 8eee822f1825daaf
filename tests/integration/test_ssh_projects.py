"""Packages of the user's own on machines over SSH: they come as files, and nothing of them is left."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.far import Machines
from tests.layouts import Environment, answers, compiler, copied, write
from tests.namespaces import MakeMachine, python_of

pytestmark = pytest.mark.timeout(300)

NAME = f"far-projects{os.getpid()}"


@pytest.fixture(scope="module")
def pool(machines: Machines) -> Iterator[str]:
    """How a script makes a pool on three machines."""
    given = machines.provider()
    hosts = f"{list(given.hosts)!r}, key={given.key!r}, known_hosts={given.known_hosts!r}"
    yield f"sky.ComputePool(provider=sky.SSH({hosts}), name={NAME!r}, timeout=250)"
    assert machines.gone(NAME)


def test_packages_that_lie_beside_the_script(pool: str, machines: Machines, tmp_path: Path) -> None:
    for name in ("shop", "atlas", "schema", "keeper", "kitchen"):
        copied(name, tmp_path)
    text = """
    import importlib
    import atlas, keeper, kitchen, schema, shop
    from schema import Invalid, User
    from shop import models

    @sky.compute
    def there(item, user):
        order = shop.Order([item, models.Item("milk", 1)]).pay()
        bank = importlib.import_module("shop.bank")
        return {
            "order": order, "total": shop.total(order), "user": type(user) is User and user.dump(),
            "atlas": [atlas.units(), atlas.CITIES, atlas.by_resources(), atlas.listed(), atlas.query("largest")],
            "files": [module.__file__ for module in (shop, bank, atlas, schema.model)],
            "found": kitchen.discover(), "kept": [keeper.remember("a"), keeper.fibonacci(30)],
        }

    @sky.compute
    def invalid():
        return User(name="Ana", age=-1)

    with pool:
        back = there(models.Item("tea", 3), User(name="Ana", age=3)) @ pool
        for one in back:
            order = one.pop("order")
            one["same"] = type(order) is shop.Order and type(order.items[0]) is models.Item and order.paid
        answers["there"] = back
        answers["here"] = [atlas.units(), atlas.CITIES, atlas.by_resources(), atlas.listed(), atlas.query("largest")]
        try:
            invalid() >> pool
        except Invalid as error:
            answers["error"] = [type(error) is Invalid, error.why]
    """
    said = answers(tmp_path, text, pool)
    assert len(said["there"]) == 3
    for one in said["there"]:
        assert all(file.startswith(str(machines.home)) for file in one.pop("files"))
        assert one == {
            "same": True,
            "total": "4.00 EUR",
            "user": {"name": "Ana", "age": 3},
            "atlas": said["here"],
            "found": ["cake", "caldo"],
            "kept": [1, 832040],
        }
    assert said["error"] == [True, "not positive"]


@pytest.mark.skipif(not compiler(), reason="there is no C compiler")
def test_packages_that_are_installed_editable(pool: str, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "env")
    for name in ("fastsum", "weather"):
        environment.install(copied(name, tmp_path / name))
    work = tmp_path / "work"
    work.mkdir()
    text = """
    import fastsum, weather

    @sky.compute
    def there(stations, counter):
        assert all(type(station) is weather.Station for station in stations)
        assert type(counter) is fastsum.Counter
        return weather.hottest(weather.load()), fastsum.total(stations[0].readings), counter

    with pool:
        station, total, counter = there(weather.load(), fastsum.Counter()) >> pool
        answers["there"] = [station.name, type(station) is weather.Station, total, type(counter) is fastsum.Counter]
    """
    assert answers(work, text, pool, python=environment.python) == {"there": ["Recife", True, 69.0, True]}


def test_edits_while_the_pool_runs(pool: str, tmp_path: Path) -> None:
    write(tmp_path / "base.py", "def rate(): return 1\nclass Net:\n    def out(self): return 1\n")
    write(tmp_path / "above.py", "import base\nfrom base import Net\ndef twice(): return base.rate() * 2\n")
    text = """
    import importlib, os
    from pathlib import Path
    import above, base

    @sky.compute
    def seen():
        return above.twice(), base.Net().out()

    @sky.compute
    def fresh():
        import unseen
        return unseen.VALUE

    def write(name, text, age):
        Path(name).write_text(text)
        os.utime(name, (os.stat(name).st_atime, os.stat(name).st_mtime - 1000 + age))

    with pool:
        answers["first"] = seen() @ pool
        write("base.py", "def rate(): return 5\\nclass Net:\\n    def out(self): return 5\\n", 10)
        answers["edited"] = seen() >> pool
        for module in (base, above):
            importlib.reload(module)
        answers["loaded"] = seen() @ pool
        write("unseen.py", "VALUE = 1", 0)
        answers["fresh"] = fresh() @ pool
        write("unseen.py", "VALUE = 22", 10)
        answers["again"] = fresh() @ pool
        write("unseen.py", "def broken(:", 20)
        try:
            answers["broken"] = fresh() >> pool
        except SyntaxError as error:
            answers["broken"] = "SyntaxError"
    """
    said = answers(tmp_path, text, pool)
    assert said.pop("broken") in (22, "SyntaxError")
    assert said == {
        "first": [[2, 1]] * 3,
        "edited": [2, 1],
        "loaded": [[10, 5]] * 3,
        "fresh": [1] * 3,
        "again": [22] * 3,
    }


def test_a_machine_that_has_none_of_these_files(
    bare_machine: MakeMachine, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file system is its own: all that it has of the project has come over the link."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept / "cache"))
    python = Path(sys.base_prefix)
    machine = bare_machine(shared=(python,), setup=python_of(python))
    work = copied("atlas", copied("shop", tmp_path / "work"))
    (tmp_path / "known").touch()
    provider = f"sky.SSH(['root@{machine.address}'], key={str(machine.key)!r}, known_hosts={str(tmp_path / 'known')!r})"
    text = """
    import atlas, os, shop

    @sky.compute
    def there():
        from shop.bank import charge
        order = shop.place(("tea", 3))
        files = [os.path.isfile(module.__file__) for module in (atlas, shop, shop.models)]
        return charge(order), shop.total(order), files, atlas.listed(), atlas.units(), os.path.exists(WORK)

    @sky.compute
    def fails():
        shop.orders.ship(shop.place(("tea", 3)))

    WORK = os.getcwd()
    with pool:
        answers["there"] = there() >> pool
        try:
            fails() >> pool
        except shop.orders.Unpaid as error:
            import traceback
            answers["lines"] = "raise Unpaid(order)" in "".join(traceback.format_exception(error))
    """
    assert answers(work, text, f"sky.ComputePool(provider={provider}, name='bare', timeout=250)") == {
        "there": [
            True,
            "3.00 EUR",
            [True] * 3,
            ["cities.json", "grid.bin", "rivers.txt", "template.html"],
            "km",
            False,
        ],
        "lines": True,
    }


SPOKEN = """
import inspect, pathlib

def text():
    return (pathlib.Path(inspect.getfile(text)).parent / "words.txt").read_text()
"""
TYPED = """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import nowhere

def take(x: nowhere.Thing) -> int:
    return x
"""
RATED = """
import tomllib
from pathlib import Path
RATE = tomllib.loads((Path(__file__).parent.parent / "conf" / "app.toml").read_text())["rate"]
"""


def oddities(folder: Path) -> None:
    """Write modules as people have them beside their scripts."""
    write(folder / ".gitignore", "*_pb2.py\n_version.py\nlocal_*.py\n__pycache__/\n")
    write(folder / "wire" / "__init__.py", "from ._version import version")
    write(folder / "wire" / "_version.py", "version = '1.2'")
    write(folder / "wire" / "order_pb2.py", "NUMBER = 7")
    write(folder / "local_settings.py", "SECRET = 'mine'")
    write(folder / "latin.py", "# -*- coding: latin-1 -*-\ndef name(): return 'çà'\n".encode("latin-1"))
    write(folder / "größe.py", "class Größe: pass\n")
    write(folder / "windows.py", b"\xef\xbb\xbfVALUE = 'a'\r\ndef f():\r\n    return VALUE\r\n")
    write(folder / "twice.py", "KIND = 'module'")
    write(folder / "twice" / "__init__.py", "from .twice import KIND")
    write(folder / "twice" / "twice.py", "KIND = 'package'")
    write(folder / "wave.py", "OWN = True")
    write(folder / "elsewhere" / "shelf" / "__init__.py", "from . import book")
    write(folder / "elsewhere" / "shelf" / "book.py", "NAME = __name__")
    write(folder / "linked" / "__init__.py", "")
    (folder / "linked" / "shelf").symlink_to(folder / "elsewhere" / "shelf")
    (folder / "linked" / "loop").symlink_to(folder / "linked")
    (folder / "single.py").symlink_to(write(folder / "elsewhere" / "other.py", "NAME = __name__"))
    write(folder / "bare" / "deep" / "leaf.py", "from ..side import VALUE")
    write(folder / "bare" / "side.py", "VALUE = 'no __init__ anywhere'")
    write(folder / "spoken.py", SPOKEN)
    write(folder / "words.txt", "words")
    write(folder / "lines.py", "import inspect\ndef source(): return inspect.getsource(source)\nclass Kind: pass\n")
    write(folder / "typed.py", TYPED)
    write(folder / "conf" / "app.toml", "rate = 3")
    write(folder / "rated" / "__init__.py", RATED)


ODD = """
def try_it(function):
    try:
        return function()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def ignored():
    import wire
    return wire.version

def ignored_lazily():
    from wire import order_pb2
    return order_pb2.NUMBER

def ignored_alone():
    import local_settings
    return local_settings.SECRET

def encodings():
    import latin, windows, größe
    return [latin.name(), windows.f(), größe.Größe.__qualname__]

def one_name():
    import twice
    return twice.KIND

def clash():
    import wave
    return wave.OWN

def linked():
    from linked.shelf import book
    return book.NAME

def linked_file():
    import single
    return single.NAME

def namespace():
    from bare.deep import leaf
    return leaf.VALUE

def by_file_of_code():
    import spoken
    return spoken.text()

def source():
    import inspect, lines
    return [lines.source(), inspect.getsource(lines.Kind)]

def types():
    import typed
    return typed.take(3)

def configured():
    import rated
    return rated.RATE

ALL = [ignored, ignored_lazily, ignored_alone, encodings, one_name, clash, linked, linked_file, namespace,
       by_file_of_code, source, types, configured]
"""


@pytest.mark.parametrize("here_first", [False, True], ids=["imported there only", "imported here too"])
def test_modules_as_people_have_them(pool: str, tmp_path: Path, here_first: bool) -> None:
    oddities(tmp_path)
    text = f"""
    {"answers['first'] = [try_it(one) for one in ALL]" if here_first else ""}

    @sky.compute
    def there(function):
        return try_it(function)

    with pool:
        answers["there"] = {{one.__name__: there(one) >> pool for one in ALL}}
    answers["here"] = {{one.__name__: try_it(one) for one in ALL}}
    """
    said = answers(tmp_path, ODD + textwrap.dedent(text), pool)
    assert said["there"] == said["here"]
    assert not [value for value in said["here"].values() if "Error" in str(value)]
