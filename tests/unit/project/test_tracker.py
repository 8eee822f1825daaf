"""What nodes are told of the user's project, and what the user is told once."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from skyward_jupyter.project.tracker import Tracker, ask_of_edits, version_of
from skyward_jupyter.wire.project import Project

type Make = Callable[[str, str], ModuleType]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Writes a module of the user's and imports it, if it is not imported yet."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def write(name: str, text: str) -> ModuleType:
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def project(tracker: Tracker) -> Project:
    return Project.from_bytes(tracker.current(exact=True).body)


def test_it_is_the_same_while_nothing_changes(make: Make) -> None:
    make("tracked", "V = 1\n")
    tracker = Tracker(shared=True)
    assert tracker.current(exact=True) is tracker.current(exact=True)
    assert tracker.notes() == []


def test_an_edit_that_is_not_loaded_is_held_and_told_once(make: Make, tmp_path: Path) -> None:
    make("tracked_edit", "V = 1\n")
    tracker = Tracker(shared=True)
    loaded = project(tracker).modules["tracked_edit"]
    (tmp_path / "tracked_edit.py").write_text("V = 22\n")
    now = project(tracker)
    assert now.modules["tracked_edit"] == loaded
    assert now.held == {loaded.digest: b"V = 1\n"}
    (note,) = tracker.notes()
    assert note.startswith(
        "tracked_edit.py was edited since tracked_edit was imported: the nodes use what is loaded here"
    )
    project(tracker)
    assert tracker.notes() == []


def test_a_reload_takes_the_edit_in(make: Make, tmp_path: Path) -> None:
    module = make("tracked_reload", "V = 1\n")
    tracker = Tracker(shared=True)
    before = version_of("tracked_reload")
    (tmp_path / "tracked_reload.py").write_text("V = 22\n")
    importlib.reload(module)
    now = project(tracker)
    assert now.held == {}
    assert now.modules["tracked_reload"].digest == version_of("tracked_reload") != before
    assert tracker.notes() == []


def test_a_reload_that_fails_leaves_what_is_loaded(make: Make, tmp_path: Path) -> None:
    module = make("tracked_broken", "V = 1\n")
    tracker = Tracker(shared=True)
    before = version_of("tracked_broken")
    (tmp_path / "tracked_broken.py").write_text("V = (\n")
    with pytest.raises(SyntaxError):
        importlib.reload(module)
    assert version_of("tracked_broken") == before
    assert list(project(tracker).held) == [before]


def test_an_edit_that_was_taken_in_without_an_import(make: Make, tmp_path: Path) -> None:
    make("tracked_patched", "V = 1\n")
    tracker = Tracker(shared=True)
    (tmp_path / "tracked_patched.py").write_text("V = 22\n")
    take_back = ask_of_edits(lambda name, path: name == "tracked_patched")
    try:
        assert project(tracker).held == {}
    finally:
        take_back()
    assert tracker.notes() == []


def test_a_file_that_is_only_touched_is_no_edit(make: Make, tmp_path: Path) -> None:
    make("tracked_touched", "V = 1\n")
    tracker = Tracker(shared=True)
    os.utime(tmp_path / "tracked_touched.py", (1, 1))
    assert project(tracker).held == {}
    assert tracker.notes() == []


def test_variables_path_and_directory_are_followed(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYWARD_TEST_GONE", "1")
    monkeypatch.setenv("SKYWARD_TEST_FIXED", "1")
    tracker = Tracker(shared=True, fixed={"SKYWARD_TEST_FIXED": "1"})
    assert project(tracker).env == {}
    monkeypatch.setenv("SKYWARD_TEST_NEW", "2")
    monkeypatch.setenv("SKYWARD_TEST_FIXED", "2")
    monkeypatch.delenv("SKYWARD_TEST_GONE")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    monkeypatch.syspath_prepend(tmp_path / "below")
    now = project(tracker)
    assert now.env == {"SKYWARD_TEST_NEW": "2", "SKYWARD_TEST_GONE": None}
    assert now.directory == str(tmp_path / "below")
    assert now.paths[0] == str(tmp_path / "below")


def test_elsewhere_variables_and_directory_are_told_once(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Tracker(shared=False)
    monkeypatch.setenv("SKYWARD_TEST_NEW", "secret")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    project(tracker)
    variable, directory = tracker.notes()
    assert variable.startswith("SKYWARD_TEST_NEW changed here after the pool was made")
    assert "secret" not in variable
    assert str(tmp_path / "below") in directory
    project(tracker)
    assert tracker.notes() == []


def test_elsewhere_a_module_that_was_asked_for_is_looked_after(make: Make, tmp_path: Path) -> None:
    tracker = Tracker(shared=False)
    (tmp_path / "asked_for.py").write_text("V = 1\n")
    assert project(tracker).names["asked_for"].digest == ""
    bundle = tracker.bundle("asked_for")
    assert bundle is not None
    assert project(tracker).names["asked_for"].digest == bundle.unit.digest
    (tmp_path / "asked_for.py").write_text("V = 22\n")
    assert project(tracker).names["asked_for"].digest not in ("", bundle.unit.digest)
    assert tracker.bundle("nothing_of_this_name") is None


def many(make: Make, tmp_path: Path, count: int = 400) -> None:
    """So many modules that looking at all of them takes a while, and is not done before each call."""
    for number in range(count):
        (tmp_path / f"one_of_many_{number}.py").write_text("")
    make("many", "".join(f"import one_of_many_{number}\n" for number in range(count)))


def test_elsewhere_a_module_that_is_there_is_known_with_the_next_call(make: Make, tmp_path: Path) -> None:
    many(make, tmp_path)
    tracker = Tracker(shared=False)
    for number in range(20):
        tracker.current()
        (tmp_path / f"new_{number}.py").write_text("")
        assert f"new_{number}" in Project.from_bytes(tracker.current().body).names
        tracker.current()
        (tmp_path / f"new_folder_{number}").mkdir()
        assert f"new_folder_{number}" in Project.from_bytes(tracker.current().body).names


@pytest.mark.parametrize(
    "steps",
    [
        ["kit/__init__.py", "kit/new.py"],
        ["spread/a/__init__.py", "spread/b/", "spread/b/new.py"],
        ["nested/__init__.py", "nested/below/", "nested/below/new.py"],
        ["spaced/a/x.py", "other/spaced/new.py"],
    ],
)
def test_elsewhere_what_comes_to_a_package_is_known_with_the_next_call(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[str]
) -> None:
    many(make, tmp_path)
    (tmp_path / "other").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "other")
    tracker = Tracker(shared=False)
    name = steps[0].partition("/")[0]
    for number, step in enumerate(steps):
        tracker.current()
        path = tmp_path / step
        (path if step.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not step.endswith("/"):
            path.write_text("")
        tracker.current()
        if number == 0:
            tracker.bundle(name)
            settle(tracker)
    bundle = tracker.bundle(name)
    assert bundle is not None
    assert [file.path for file in bundle.unit.files if file.path.endswith("new.py")]
    assert Project.from_bytes(tracker.current().body).names[name].digest == bundle.unit.digest


def settle(tracker: Tracker) -> None:
    """Wait until the tracker looks at all of it now and then only."""
    end = time.monotonic() + 20
    while not tracker._next:
        assert time.monotonic() < end
        tracker.current()


def test_elsewhere_a_module_that_comes_as_its_folder_is_looked_at_is_known(make: Make, tmp_path: Path) -> None:
    """File systems tell times in grains: the second change of one grain has the time of the first."""
    make("first_of_two", "")
    tracker = Tracker(shared=False)
    (tmp_path / "second_of_two.py").write_text("")
    tracker.current()
    same = tmp_path.stat()
    (tmp_path / "third.py").write_text("")
    os.utime(tmp_path, ns=(same.st_atime_ns, same.st_mtime_ns))
    assert "third" in Project.from_bytes(tracker.current().body).names


def test_elsewhere_what_stays_here_is_named_once(make: Make, tmp_path: Path) -> None:
    tracker = Tracker(shared=False)
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "large.bin").write_bytes(bytes(3 * 2**20))
    for _ in range(2):
        tracker.bundle("beside")
    (note,) = tracker.notes()
    assert note.startswith(f"beside travels without {tmp_path / 'large.bin'} (3 MB)")


def test_a_value_that_was_set_from_outside_is_told_once(make: Make) -> None:
    module = make("tracked_config", "RATE = 1\nCALLS = 0\ndef count():\n    global CALLS\n    CALLS += 1\n")
    tracker = Tracker(shared=True)
    module.count()
    project(tracker)
    assert tracker.notes() == []
    module.RATE = 5
    project(tracker)
    (note,) = tracker.notes()
    assert note.startswith("tracked_config.RATE was set here after the import")
    project(tracker)
    assert tracker.notes() == []
