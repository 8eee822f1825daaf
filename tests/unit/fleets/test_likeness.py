"""What this machine lacks of an image."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

import skyward as sky
from skyward_jupyter.fleets.likeness import check_likeness

NUMPY = importlib.metadata.version("numpy")


@pytest.mark.parametrize(
    "pip",
    [
        [],
        ["numpy"],
        ["NumPy>=1.20", f"numpy=={NUMPY}", "scikit_learn"],
        ["nowhere-to-be-found; sys_platform == 'plan9'"],
        ["anyio[trio]; python_version < '3'"],
        ["coverage[none-of-the-kind]; python_version < '3'", "numpy ~= " + ".".join(NUMPY.split(".")[:2])],
    ],
)
def test_what_is_there(pip: list[str]) -> None:
    check_likeness(sky.Image(pip=pip))


@pytest.mark.parametrize(
    ("pip", "words"),
    [
        (
            ["nowhere-to-be-found"],
            r"it lacks .*: nowhere-to-be-found \(not installed\); %pip install nowhere-to-be-found",
        ),
        (["numpy<1"], rf"numpy<1 \({NUMPY} is installed\); %pip install 'numpy<1'"),
        (["numpy", "no-such-a", "no-such-b>=2"], r"no-such-a \(not installed\), no-such-b>=2 \(not installed\);"),
        (["httpx[socks,http2]"], r"httpx\[socks,http2\] \((h2|socksio) is not installed\)"),
        (["no-such @ https://example.org/a.whl"], "no-such @ https://example.org/a.whl .not installed."),
    ],
)
def test_what_is_not(pip: list[str], words: str) -> None:
    with pytest.raises(sky.UsageError, match=words):
        check_likeness(sky.Image(pip=pip))


def test_a_release_of_python() -> None:
    check_likeness(sky.Image(python=platform.python_version()))
    check_likeness(sky.Image(python=".".join(platform.python_version_tuple()[:2])))
    with pytest.raises(sky.UsageError, match=r"it lacks .*Python 3\.\d+\.99 \(this kernel runs 3\."):
        check_likeness(sky.Image(python=".".join([*platform.python_version_tuple()[:2], "99"])))


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="there is no dpkg to ask")
def test_packages_of_debian() -> None:
    asked = ["dpkg-query", "-W", "-f", "${Version} ${Architecture}", "bash"]
    version, architecture = subprocess.check_output(asked, text=True).split()
    check_likeness(sky.Image(apt=["bash", f"bash={version}", "awk"]))
    if architecture != "all":
        check_likeness(sky.Image(apt=[f"bash:{architecture}"]))
    with pytest.raises(sky.UsageError, match=r"nowhere-at-all \(apt: not installed\).*install it, or leave"):
        check_likeness(sky.Image(apt=["nowhere-at-all"]))
    with pytest.raises(sky.UsageError, match=r"bash=0\.1 \(apt: .* is installed\)"):
        check_likeness(sky.Image(apt=["bash=0.1"]))


def test_where_there_is_no_dpkg_its_packages_are_taken_as_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    check_likeness(sky.Image(apt=["nowhere-at-all"]))


def test_files(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    check_likeness(sky.Image(includes=["data"], root=str(tmp_path)))
    with pytest.raises(sky.UsageError, match=r"includes has '\*\.csv', and there is nothing of that name"):
        check_likeness(sky.Image(includes=["*.csv"], root=str(tmp_path)))
