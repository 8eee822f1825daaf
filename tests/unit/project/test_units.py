"""The files of one top-level module: what is in a unit, and what is left out."""

from __future__ import annotations

import importlib
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from skyward_jupyter.project import units
from skyward_jupyter.project.units import Bundle, TooLarge, bundle_of, names_of
from skyward_jupyter.wire.imports import Recorder, install
from skyward_jupyter.wire.project import Provided


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    made = install(Recorder())
    yield made
    sys.meta_path.remove(made)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(root: Path, **files: str | bytes) -> None:
    """Write files; ``__`` in a name is a slash, its last ``_`` the dot."""
    for name, content in files.items():
        stem, _, end = name.replace("__", "/").rpartition("_")
        path = root / f"{stem}.{end}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def unit(name: str, root: Path, recorder: Recorder) -> Bundle:
    found = bundle_of(name, [str(root)], recorder)
    assert found is not None
    return found


def paths(bundle: Bundle) -> list[str]:
    """The files of a unit below its root."""
    return [file.path.partition("/")[2] for file in bundle.unit.files]


def test_a_package_with_its_data(tmp_path: Path, recorder: Recorder) -> None:
    write(tmp_path, app__init_py="", app__core_py="x = 1", app__data__a_txt="a", other_py="", config_toml="c")
    (tmp_path / "app" / "__init__.py").write_text("")
    (tmp_path / "notes.ipynb").write_text("{}")
    made = unit("app", tmp_path, recorder)
    assert paths(made) == ["app/__init__.py", "app/core.py", "app/data/a.txt", "app/init.py", "config.toml"]
    ((there, here),) = made.unit.roots
    assert here == str(tmp_path)
    assert there.startswith(f"{tmp_path.name}-")


def test_a_module_with_data_beside_it(tmp_path: Path, recorder: Recorder) -> None:
    write(tmp_path, helper_py="", other_py="", rows_csv="1", data__deep__a_txt="a", code__b_txt="b", code__c_py="")
    assert paths(unit("helper", tmp_path, recorder)) == ["data/deep/a.txt", "helper.py", "rows.csv"]


def test_large_data_is_left_out_and_named(tmp_path: Path, recorder: Recorder) -> None:
    write(tmp_path, helper_py="", small_csv="1", large_csv=b"0" * (units.LARGEST_DATA + 1))
    made = unit("helper", tmp_path, recorder)
    assert paths(made) == ["helper.py", "small.csv"]
    assert made.left == ((str(tmp_path / "large.csv"), units.LARGEST_DATA + 1),)


def test_all_data_together_is_bounded(tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "ALL_DATA", 25)
    write(tmp_path, helper_py="", a_txt="0" * 10, b_txt="0" * 12, c_txt="0" * 9)
    made = unit("helper", tmp_path, recorder)
    assert paths(made) == ["a.txt", "c.txt", "helper.py"]
    assert [Path(path).name for path, _ in made.left] == ["b.txt"]


def test_too_much_code_does_not_travel(tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "ALL_CODE", 2**20)
    write(tmp_path, app____init___py="", app__big_py="#" * 2 * 2**20)
    (tmp_path / "app" / "__init__.py").write_text("")
    with pytest.raises(TooLarge, match=r"the code of app is 2 MB, .* the largest file is .*big\.py \(2 MB\)"):
        bundle_of("app", [str(tmp_path)], recorder)


def test_code_that_git_ignores_travels_with_its_package(tmp_path: Path, recorder: Recorder) -> None:
    write(tmp_path, app__version_py="", app__generated__pb_py="", app__cache__big_txt="x")
    (tmp_path / "app" / "__init__.py").write_text("")
    (tmp_path / ".gitignore").write_text("version.py\ngenerated/\ncache/\n")
    assert paths(unit("app", tmp_path, recorder)) == ["app/__init__.py", "app/generated/pb.py", "app/version.py"]


def test_a_loaded_module_goes_as_it_was_loaded(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path, unitaged_py="V = 1\n")
    importlib.import_module("unitaged")
    before = unit("unitaged", tmp_path, recorder)
    write(tmp_path, unitaged_py="V = 2\n")
    assert unit("unitaged", tmp_path, recorder).unit == before.unit
    importlib.reload(sys.modules["unitaged"])
    after = unit("unitaged", tmp_path, recorder)
    assert after.unit.digest != before.unit.digest
    assert list(after.contents.values()) == [b"V = 2\n"]


def test_a_changed_file_is_noticed(tmp_path: Path, recorder: Recorder) -> None:
    write(tmp_path, helper_py="", rows_csv="1")
    made = unit("helper", tmp_path, recorder)
    assert not made.changed
    write(tmp_path, rows_csv="1,2")
    assert made.changed
    assert unit("helper", tmp_path, recorder).unit.digest != made.unit.digest


def test_a_namespace_package_in_two_folders(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("one", "two"):
        write(tmp_path / place, **{f"acmeunit__{place}_py": ""})
        monkeypatch.syspath_prepend(tmp_path / place)
    roots = [str(tmp_path / "one"), str(tmp_path / "two")]
    made = bundle_of("acmeunit", roots, recorder)
    assert made is not None
    assert sorted(paths(made)) == ["acmeunit/one.py", "acmeunit/two.py"]
    assert sorted(here for _, here in made.unit.roots) == roots
    assert names_of(roots, Recorder())["acmeunit"] == Provided(namespace=True)


def test_a_zip_archive_travels_whole(tmp_path: Path, recorder: Recorder) -> None:
    path = tmp_path / "packed.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zipped/__init__.py", "")
        archive.writestr("single.py", "")
    assert names_of([str(path)], Recorder()) == {"zipped": Provided(), "single": Provided()}
    made = bundle_of("zipped", [str(path)], recorder)
    assert made is not None
    assert [file.path for file in made.unit.files] == [made.unit.roots[0][0]]


def test_libraries_and_names_that_are_not_there_have_no_unit(tmp_path: Path, recorder: Recorder) -> None:
    for name in ("json", "pytest", "nothing_of_this_name"):
        assert bundle_of(name, [str(tmp_path)], recorder) is None
