"""Our own code as a wheel: what is in it, what it requires, and that it is the same every time."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

import skyward_jupyter
from skyward_jupyter.agent import template
from skyward_jupyter.ssh import wheel
from skyward_jupyter.ssh.script import AGENT


@pytest.fixture
def archive() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(wheel.own_wheel().content))


def test_its_name_is_that_of_a_wheel_for_any_machine() -> None:
    name, version, _, tags = parse_wheel_filename(wheel.own_wheel().name)
    assert name == "skyward-jupyter"
    assert version.local
    assert [str(tag) for tag in tags] == ["py3-none-any"]


def test_the_record_is_right(archive: zipfile.ZipFile) -> None:
    [record] = [name for name in archive.namelist() if name.endswith("/RECORD")]
    rows = list(csv.reader(io.StringIO(archive.read(record).decode())))
    assert sorted(row[0] for row in rows) == sorted(archive.namelist())
    for name, digest, size in rows:
        if name != record:
            content = archive.read(name)
            found = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert (f"sha256={found}", str(len(content))) == (digest, size)


def test_it_has_what_an_agent_needs_and_nothing_of_the_front_end(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    for needed in ("skyward/__init__.py", "skyward_jupyter/agent/node.py", "skyward_jupyter/ssh/remote/common.sh"):
        assert needed in names
    assert not [name for name in names if "/static/" in name or "/widgets/" in name or "__pycache__" in name]


def test_it_is_the_code_that_runs_here(archive: zipfile.ZipFile) -> None:
    assert (
        archive.read("skyward_jupyter/errors/base.py")
        == Path(skyward_jupyter.__file__).with_name("errors").joinpath("base.py").read_bytes()
    )


def test_equal_files_give_equal_bytes() -> None:
    first = wheel.own_wheel()
    wheel.own_wheel.cache_clear()
    assert wheel.own_wheel() == first


def test_another_file_gives_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = wheel.own_wheel()
    other = tmp_path / "other.py"
    other.write_text("1")
    files = [*wheel._files(), ("skyward_jupyter/other.py", other)]
    monkeypatch.setattr(wheel, "_files", lambda: files)
    wheel.own_wheel.cache_clear()
    try:
        assert wheel.own_wheel().name != first.name
    finally:
        wheel.own_wheel.cache_clear()


def test_everything_that_agents_import_is_required() -> None:
    """What a fresh Python has loaded after importing what agents and slots do, by the project it belongs to."""
    code = f"import {AGENT}, sys, json; print(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    homes = packages_distributions()
    loaded = {canonicalize_name(home) for module in json.loads(ran.stdout) for home in homes.get(module, [])}
    # Where setuptools is installed, it is there at the start of every Python.
    assert loaded - {"skyward-jupyter", "setuptools"} <= _with_needs(set(wheel.NEEDS))


def test_what_is_checked_there_is_what_a_template_imports() -> None:
    assert {*template.FIRST, *template.LATER} <= set(AGENT.split(", "))


def test_the_project_requires_what_an_agent_does() -> None:
    import tomllib

    project = tomllib.loads((Path(skyward_jupyter.__file__).parents[1] / "pyproject.toml").read_text())["project"]
    ours = {canonicalize_name(Requirement(need).name) for need in project["dependencies"]}
    assert set(wheel.NEEDS) <= _with_needs(ours)


def _with_needs(names: set[str]) -> set[str]:
    """Projects, and what they require in turn."""
    found: set[str] = set()
    left = set(names)
    while left:
        name = left.pop()
        found.add(name)
        needs = [Requirement(need) for need in requires(name) or []]
        left |= {
            canonicalize_name(need.name) for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})
        } - found
    return found
