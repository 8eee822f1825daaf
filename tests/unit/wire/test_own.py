"""Which modules are the user's own, and how what is in them travels."""

from __future__ import annotations

import importlib
import json
import pickle
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import cloudpickle
import numpy as np
import pytest

from skyward_jupyter.wire import codec
from skyward_jupyter.wire.functions import reads
from skyward_jupyter.wire.own import is_own, own_modules, own_roots

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


def test_functions_and_classes_of_a_module_travel_by_name(project: Import) -> None:
    module = project("lab_one", "import threading\nLOCK = threading.Lock()\nclass Net: pass\ndef run(x): return x\n")
    assert is_own(module)
    assert codec.loads(codec.dumps(module.run)) is module.run
    assert type(codec.loads(codec.dumps(module.Net()))) is module.Net
    assert len(codec.dumps(module.run)) < 60


def test_what_a_module_had_under_a_name_before_travels_by_value(project: Import) -> None:
    former = project("lab_edit", "def run(): return 'before'\n").run
    module = project("lab_edit", "def run(): return 'after it was edited'\n")
    assert codec.loads(codec.dumps(former))() == "before"  # type: ignore[operator]
    assert codec.loads(codec.dumps(module.run)) is module.run


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


def test_compiled_modules_are_own_and_main_is_not(tmp_path: Path) -> None:
    module = ModuleType("native")
    module.__file__ = str(tmp_path / f"native{EXTENSION_SUFFIXES[0]}")
    assert is_own(module)
    main = ModuleType("__main__")
    main.__file__ = str(tmp_path / "script.py")
    assert not is_own(main)


def test_own_roots_are_folders_outside_the_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "src").mkdir()
    paths = [
        "",
        *map(str, (tmp_path, tmp_path / "src", tmp_path / "none", tmp_path / "site-packages")),
        json.__path__[0],
    ]
    assert list(own_roots(paths)) == [str(tmp_path), str(tmp_path / "src")]


def test_modules_that_the_user_registered_travel_by_value(project: Import) -> None:
    module = project("lab_registry", "def f(): return 1\n")
    cloudpickle.register_pickle_by_value(module)
    try:
        assert len(codec.dumps(module.f)) > 100
        assert module.f.__code__ in (reads(module.f) or ())
    finally:
        cloudpickle.unregister_pickle_by_value(module)
