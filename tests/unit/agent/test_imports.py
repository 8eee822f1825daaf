"""Own modules in a slot: which version is found, what is loaded again, and what of the kernel's process is followed."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.imports import Imports
from skyward_jupyter.agent.modules import Answer
from skyward_jupyter.wire.imports import Source
from skyward_jupyter.wire.project import Loaded, Project, Provided


class Slot:
    """The imports of this process, as of a slot with the kernel's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.imports = Imports()
        self.imports.enter(AgentConfig("p", 0, "", (), "c", str(folder), paths=tuple(sys.path), env=dict(os.environ)))

    def write(self, name: str, text: str) -> Source:
        """Write a module; returns what it would be loaded from now."""
        path = self.folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        importlib.invalidate_caches()
        source = Source.read(str(path))
        assert source is not None
        return source

    def tell(self, loaded: Mapping[str, Source] = {}, held: tuple[Source, ...] = (), **more: Any) -> None:
        """Tell it what the kernel has loaded, and go on to the next task."""
        modules = {name: Loaded(it.path, it.digest, it.stamp) for name, it in loaded.items()}
        contents = {source.digest: source.content for source in held}
        more.setdefault("paths", tuple(sys.path))
        more.setdefault("began_in", str(self.folder))
        project = Project(shared=True, modules=modules, loaded=tuple(loaded), held=contents, **more)
        self.imports.take(project.to_bytes())
        self.imports.refresh()


@pytest.fixture
def slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slot]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    before, path = set(sys.modules), list(sys.path)
    made = Slot(tmp_path)
    yield made
    sys.meta_path.remove(made.imports)
    sys.path[:] = path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def load(name: str) -> Any:
    return importlib.import_module(name)


def test_what_the_kernel_has_loaded_goes_before_the_file(slot: Slot) -> None:
    former = slot.write("aged", "V = 1\n")
    slot.write("aged", "V = 22\n")
    slot.tell({"aged": former}, held=(former,))
    module = load("aged")
    assert (module.V, module.__file__) == (1, former.path)
    assert not list(slot.folder.glob("__pycache__/aged*")), "its compiled form would be taken for the file's"


def test_a_package_that_is_held_has_its_submodules(slot: Slot) -> None:
    former = slot.write("pack/__init__", "from . import part\nV = 1\n")
    slot.write("pack/part", "P = 5\n")
    slot.write("pack/__init__", "V = 22\n")
    slot.tell({"pack": former}, held=(former,))
    assert (load("pack").V, load("pack").part.P) == (1, 5)


def test_an_edit_is_loaded_before_the_next_task_with_what_imports_it(slot: Slot) -> None:
    first = slot.write("base", "V = 1\nclass Net:\n    def out(self): return V\n")
    slot.write("middle", "from base import V\nW = V * 10\n")
    slot.write("top", "def read():\n    import middle\n    return middle.W\n")
    slot.tell({"base": first})
    module, top = load("base"), load("top")
    net = module.Net()
    assert top.read() == 10
    slot.tell({"base": slot.write("base", "V = 22\nclass Net:\n    def out(self): return V\n")})
    assert (module.V, top.read(), net.out()) == (22, 220, 22)
    assert load("base") is module
    assert isinstance(net, module.Net)


def test_what_only_the_node_has_loaded_follows_its_file(slot: Slot) -> None:
    slot.write("alone", "V = 1\n")
    slot.tell()
    assert load("alone").V == 1
    slot.write("alone", "V = 22\n")
    slot.tell()
    assert load("alone").V == 22


@pytest.mark.parametrize("files", [["come.py"], ["come/__init__.py"], ["come/part.py"]])
def test_a_module_is_found_that_came_as_its_folder_was_listed(slot: Slot, files: list[str]) -> None:
    """The folder has the time of change that it had then."""
    slot.tell()
    with pytest.raises(ModuleNotFoundError):
        load("come")
    before = slot.folder.stat()
    for file in files:
        path = slot.folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_text("V = 1\n")
    os.utime(slot.folder, ns=(before.st_atime_ns, before.st_mtime_ns))
    load("come")
    assert "come" in sys.modules


def test_a_submodule_is_found_that_came_as_its_package_was_listed(slot: Slot) -> None:
    slot.write("whole/__init__", "")
    slot.tell()
    load("whole")
    with pytest.raises(ModuleNotFoundError):
        load("whole.part")
    before = (slot.folder / "whole").stat()
    (slot.folder / "whole" / "part.py").write_text("V = 1\n")
    os.utime(slot.folder / "whole", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load("whole.part").V == 1


def test_a_folder_of_the_path_may_come_later(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(slot.folder / "generated")
    slot.tell()
    with pytest.raises(ModuleNotFoundError):
        load("made_later")
    (slot.folder / "generated").mkdir()
    (slot.folder / "generated" / "made_later.py").write_text("V = 1\n")
    assert load("made_later").V == 1


def test_what_could_not_be_brought_is_asked_for_again_by_the_next_task(
    slot: Slot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "brought.py").write_text("V = 1\n")
    answers = [Answer(why="it was changed while it was read"), Answer(((str(tmp_path / "sent"), "there"),), "d")]
    monkeypatch.setattr("skyward_jupyter.agent.imports.ask", lambda config, name: answers.pop(0))
    slot.imports.take(Project(shared=False, names={"brought": Provided()}).to_bytes())
    slot.imports.refresh()
    with pytest.raises(ImportError, match="changed while it was read"):
        load("brought")
    with pytest.raises(ModuleNotFoundError):
        load("brought")  # not asked again and again by one task
    slot.imports.refresh()
    assert load("brought").V == 1


def test_modules_that_import_each_other_are_loaded_again(slot: Slot) -> None:
    slot.write("left", "import right\nV = 1\ndef both(): return V, right.V\n")
    slot.write("right", "import left\nV = 1\n")
    slot.tell()
    assert load("left").both() == (1, 1)
    slot.write("right", "import left\nV = 22\n")
    slot.tell()
    assert load("left").both() == (1, 22)


def test_an_edit_that_does_not_load_is_said_once(slot: Slot, capsys: pytest.CaptureFixture[str]) -> None:
    slot.write("broken", "V = 1\n")
    slot.tell()
    assert load("broken").V == 1
    slot.write("broken", "V = (\n")
    slot.tell()
    assert "broken was edited but does not load: SyntaxError" in capsys.readouterr().err
    slot.tell()
    assert capsys.readouterr().err == ""
    assert load("broken").V == 1


def test_a_package_keeps_its_submodules_when_it_is_loaded_again(slot: Slot) -> None:
    slot.write("lab/__init__", "V = 1\n")
    slot.write("lab/part", "")
    slot.tell()
    load("lab.part")
    slot.write("lab/__init__", "V = 22\n")
    slot.tell()
    assert load("lab").V == 22
    assert load("lab").part is sys.modules["lab.part"]


def test_submodules_that_the_kernel_has_loaded_come_with_their_package(slot: Slot) -> None:
    sources = {"shop": slot.write("shop/__init__", "FOUND = []\n")}
    sources["shop.tea"] = slot.write("shop/tea", "import shop\nshop.FOUND.append('tea')\n")
    sources["shop.bad"] = slot.write("shop/bad", "raise OSError\n")
    slot.tell(sources)
    assert load("shop").FOUND == ["tea"]
    assert "shop.bad" not in sys.modules


def test_a_module_that_no_path_leads_to(slot: Slot) -> None:
    hidden = slot.write("plugins/thing", "V = 3\n")
    slot.tell({"loaded_by_hand": hidden})
    assert load("loaded_by_hand").V == 3


def test_the_process_follows_the_kernel_but_for_what_it_changed_itself(
    slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SKYWARD_TEST_ONE", "SKYWARD_TEST_TWO"):
        monkeypatch.delenv(name, raising=False)
    (slot.folder / "below").mkdir()
    sys.path.append("/a/cell/added/this")
    monkeypatch.setenv("SKYWARD_TEST_TWO", "mine")
    changed = {"SKYWARD_TEST_ONE": "1", "SKYWARD_TEST_TWO": "2"}
    paths = (*slot.imports._paths, "/the/notebook/added/this")
    slot.tell(paths=paths, env=changed, directory=str(slot.folder / "below"))
    assert (os.environ["SKYWARD_TEST_ONE"], os.environ["SKYWARD_TEST_TWO"]) == ("1", "mine")
    assert {"/a/cell/added/this", "/the/notebook/added/this"} <= set(sys.path)
    assert Path.cwd() == slot.folder / "below"
    slot.tell(paths=paths, env={}, directory=str(slot.folder))
    assert "SKYWARD_TEST_ONE" not in os.environ
    assert Path.cwd() == slot.folder
    os.chdir("/")
    slot.tell(paths=paths, directory=str(slot.folder / "below"))
    assert Path.cwd() == Path("/")


def test_a_process_that_began_elsewhere_stays_there(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    (slot.folder / "image").mkdir()
    (slot.folder / "below").mkdir()
    monkeypatch.chdir(slot.folder / "image")
    for folder in (slot.folder, slot.folder / "below"):
        slot.tell(directory=str(folder))
        assert Path.cwd() == slot.folder / "image"
