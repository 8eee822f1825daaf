"""Which modules travel by value, and what of them arrives."""

from __future__ import annotations

import importlib
import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import cloudpickle
import numpy as np
import pytest

from skyward_jupyter.wire import codec
from skyward_jupyter.wire.byvalue import by_value, is_own, own_modules

type Import = Callable[[str, str], ModuleType]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Import]:
    """Writes a module of the user's and imports it, anew when it is there already."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made: list[str] = []

    def write(name: str, text: str) -> ModuleType:
        path = tmp_path / (name.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        made.append(name)
        importlib.invalidate_caches()
        return importlib.reload(sys.modules[name]) if name in sys.modules else importlib.import_module(name)

    yield write
    for name in made:
        sys.modules.pop(name, None)


def elsewhere(data: bytes, expression: str) -> object:
    """What `expression` of the loaded value is, in a process that has none of the user's files."""
    code = (
        "import json, pickle, sys; value = pickle.loads(sys.stdin.buffer.read());"
        f"sys.stdout.write(json.dumps({expression}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    return json.loads(ran.stdout)


def test_a_users_function_works_where_its_module_is_not(project: Import) -> None:
    module = project("lab_one", "STEP = 2\ndef add(x): return x + STEP\ndef run(x): return add(x) * 10\n")
    assert is_own(module)
    assert elsewhere(codec.dumps(module.run), "value(1)") == 30


def test_a_users_class_works_where_its_module_is_not(project: Import) -> None:
    text = "class Net:\n    def __init__(self): self.w = [1, 2]\n    def out(self): return sum(self.w)\n"
    module = project("lab_two", text)
    assert elsewhere(codec.dumps(module.Net()), "value.out()") == 3


def test_one_own_module_takes_another_along(project: Import) -> None:
    project("lab_base", "def base(): return 'b'\n")
    module = project("lab_top", "from lab_base import base\ndef top(): return base() + 't'\n")
    assert elsewhere(codec.dumps(module.top), "value()") == "bt"


def test_modules_of_a_package(project: Import) -> None:
    project("lab_pack.__init__", "")
    module = project("lab_pack.part", "def part(): return 5\n")
    assert elsewhere(codec.dumps(module.part), "value()") == 5


def test_an_edit_is_what_travels_next(project: Import) -> None:
    module = project("lab_edit", "def run(): return 'before'\n")
    assert elsewhere(codec.dumps(module.run), "value()") == "before"
    module = project("lab_edit", "def run(): return 'after it was edited'\n")
    assert elsewhere(codec.dumps(module.run), "value()") == "after it was edited"


def test_a_module_imported_later_is_found(project: Import) -> None:
    before = own_modules()
    module = project("lab_late", "x = 1\n")
    assert module not in before
    assert module in own_modules()
    del sys.modules["lab_late"]
    assert module not in own_modules()


LIBRARIES = [np, json, pickle, cloudpickle, pytest, sys, codec]


@pytest.mark.parametrize("module", LIBRARIES, ids=lambda module: module.__name__)
def test_installed_modules_travel_by_name(module: ModuleType) -> None:
    assert not is_own(module)


def test_site_packages_are_libraries_wherever_they_are(tmp_path: Path) -> None:
    for folder, own in (("site-packages", False), ("dist-packages", False), ("src", True)):
        module = ModuleType("anything")
        module.__file__ = str(tmp_path / folder / "anything.py")
        assert is_own(module) is own


def test_compiled_modules_and_main_are_not_own(tmp_path: Path) -> None:
    module = ModuleType("native")
    module.__file__ = str(tmp_path / "native.so")
    assert not is_own(module)
    main = ModuleType("__main__")
    main.__file__ = str(tmp_path / "script.py")
    assert not is_own(main)


def test_cloudpickle_is_left_as_it_was(project: Import) -> None:
    module = project("lab_registry", "def f(): return 1\n")
    before = set(cloudpickle.list_registry_pickle_by_value())
    with by_value():
        assert module.__name__ in cloudpickle.list_registry_pickle_by_value()
    assert set(cloudpickle.list_registry_pickle_by_value()) == before
    cloudpickle.register_pickle_by_value(module)
    try:
        codec.dumps(module.f)
        assert module.__name__ in cloudpickle.list_registry_pickle_by_value()
    finally:
        cloudpickle.unregister_pickle_by_value(module)
