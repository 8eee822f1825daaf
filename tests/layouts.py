"""Copies of the packages in ``tests/projects``, laid out and installed as people have them.

A copy may be edited; an environment has what the one of these tests has, and what is installed into it besides.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import site
import subprocess
import sys
import sysconfig
import textwrap
import time
import venv
from pathlib import Path
from typing import Any

PROJECTS = Path(__file__).parent / "projects"
#: Seconds between two versions of a file: by its time Python knows that its compiled form is old.
_times = itertools.count(int(time.time()) - 86_400, 5)


def write(path: Path, text: str | bytes) -> Path:
    """Write a file that is newer than any written before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    os.utime(path, (at := next(_times), at))
    return path


def copied(name: str, folder: Path) -> Path:
    """A copy of a project in `folder`, which keeps what it has."""
    shutil.copytree(PROJECTS / name, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def compiler() -> str:
    """The C compiler that Python extensions are built with here; "" when there is none."""
    named = (sysconfig.get_config_var("CC") or "cc").split()[0]
    return shutil.which(named) or shutil.which("cc") or ""


class Environment:
    """A virtual environment of a test's own.

    Attributes
    ----------
    python
        Its interpreter.
    """

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = str(folder / "bin" / "python")
        packages = next(folder.glob("lib/python*/site-packages"))
        here = [path for path in site.getsitepackages() if Path(path).is_dir()]
        (packages / "tests.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in here))

    def install(self, project: Path) -> None:
        """Install a project as ``pip install --editable`` does."""
        told = ["--quiet", "--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check"]
        made = subprocess.run(
            [self.python, "-m", "pip", "install", *told, "--editable", project],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr


def run(
    *words: str | Path,
    folder: Path,
    python: str = sys.executable,
    env: dict[str, str] | None = None,
    timeout: float = 280,
) -> tuple[Any, str]:
    """Run Python to its end; returns the value of the line of JSON that it prints last, and what it says on stderr."""
    made = subprocess.run(
        [python, *words],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return json.loads(made.stdout.splitlines()[-1]), made.stderr


#: Before the text of each script, and after it: what it puts in `answers` is printed when it ends.
_BEGIN = "import json, sys\nimport skyward as sky\n\nanswers = {}\n"
_END = "\nprint(json.dumps(answers))\n"


def answers(folder: Path, text: str, pool: str = "sky.ComputePool(nodes=2)", **given: Any) -> dict[str, Any]:
    """What a script in `folder` has put in `answers`; its line ``with pool:`` has the pool that is said."""
    body = textwrap.dedent(text).replace("with pool:\n", f"with {pool} as pool:\n")
    script = write(folder / "script.py", _BEGIN + body + _END)
    said, _ = run(script, **{"folder": folder, **given})
    assert isinstance(said, dict)
    return said
