"""What a process is to its user, from what the front end told its kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from skyward_jupyter.runtime import origin as module
from skyward_jupyter.runtime.origin import JUPYTER, Origin

ASK = "from skyward_jupyter.runtime.origin import origin\nprint(origin())"


def said(code: str, folder: Path, *args: str, **env: str) -> Origin:
    """What a process that runs `code` says of itself."""
    ran = subprocess.run(
        [sys.executable, *args, *(["-c", code] if code else [])],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != JUPYTER} | env,
        capture_output=True,
        text=True,
        check=True,
    )
    found: Origin = eval(ran.stdout, {"Origin": Origin})
    return found


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/me/a/search.ipynb", Origin("search.ipynb", "search", "/home/me/a/search.ipynb")),
        ("/home/me/My search 2.ipynb", Origin("My search 2.ipynb", "My search 2", "/home/me/My search 2.ipynb")),
        ("/home/me/RTC:shared.ipynb", Origin("shared.ipynb", "shared", "/home/me/RTC:shared.ipynb")),
        ("/home/me/paired.py", Origin("paired.py", "paired", "/home/me/paired.py")),
    ],
)
def test_the_file_of_a_notebook_is_its_name(path: str, expected: Origin) -> None:
    assert module._origin(1, path) == expected


def test_programs_and_prompts(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(ASK)
    package = tmp_path / "trains"
    package.mkdir()
    (package / "__main__.py").write_text(ASK)
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), JUPYTER: "/home/me/outer.ipynb"}
    script = said("", tmp_path, "train.py", **env)
    assert (script.stem, script.notebook) == ("train", "")
    assert script.name.startswith("train.py (process ")
    assert said("", tmp_path, "-m", "trains", **env).stem == "trains"
    assert said(ASK, tmp_path, **env).stem == "python"
    asked = "from IPython.core.interactiveshell import InteractiveShell\nInteractiveShell.instance()\n"
    assert said(asked + ASK, tmp_path, **env).stem == "ipython"


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert module._folder() == ""


def test_a_process_that_may_not_be_looked_at_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int) -> psutil.Process:
        raise psutil.AccessDenied(pid)

    monkeypatch.setattr(psutil, "Process", refuse)
    assert not module._is_inherited(-1, "/home/me/mine.ipynb")
