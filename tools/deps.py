"""``python -m tools.deps oldest|newest [TEST ...]``: run tests in an environment with those versions of what we need.

An environment is kept in ``build/deps``, named by the versions in it: it is made anew when one of them is another.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.index import index

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "build" / "deps"
#: What the tests themselves need, in the newest version that fits.
TOOLS = ("hatchling", "matplotlib", "nbclient", "nbconvert", "nbformat", "numpy", "pandas", "pexpect", "pyte", "pytest")
PLUGINS = ("pytest-asyncio", "pytest-timeout", "pytest-xdist", "tqdm")
#: Those that hang on the versions most, and do not take long.
SENSITIVE = ("tests/unit/wire", "tests/integration/test_calls.py", "tests/notebooks/test_cells.py")
RESOLUTION = {"oldest": "lowest-direct", "newest": "highest"}


def main() -> int:
    """Make the environment if it is not there, and run the tests; returns their status."""
    parser = argparse.ArgumentParser(prog="python -m tools.deps", description=__doc__)
    parser.add_argument("which", choices=list(RESOLUTION))
    parser.add_argument("tests", nargs="*", metavar="TEST", help=f"default: {' '.join(SENSITIVE)}")
    asked, rest = parser.parse_known_args()
    python = environment(asked.which)
    pytest = [str(python), "-m", "pytest", "-n", "3", "--dist", "loadfile", "-p", "no:cacheprovider"]
    return subprocess.run([*pytest, *(asked.tests or SENSITIVE), *rest], cwd=ROOT, check=False).returncode


def environment(which: str) -> Path:
    """The Python of the environment."""
    needs = uv("pip", "compile", "pyproject.toml", "--resolution", RESOLUTION[which], "--no-header", "--no-annotate")
    key = hashlib.sha256(f"{sys.version}\n{needs}".encode()).hexdigest()[:12]
    place = PLACE / f"{which}-{key}"
    python = place / "bin" / "python"
    if not (place / "ready").exists():
        print(f"making {place.relative_to(ROOT)}", flush=True)
        shutil.rmtree(place, ignore_errors=True)
        uv("venv", "--python", sys.executable, str(place))
        wanted = place / "versions.txt"
        wanted.write_text(needs)
        install = ("pip", "install", "--python", str(python), "--constraint", str(wanted))
        uv(*install, "--requirement", str(wanted), *TOOLS, *PLUGINS)
        uv(*install, "--no-deps", "--editable", ".")
        (place / "ready").touch()
    return python


def uv(*words: str) -> str:
    """Run uv; returns what it prints."""
    program = shutil.which("uv") or _own_uv()
    env = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1", **index(), **os.environ}
    done = subprocess.run(
        [program, "--quiet", *words], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"uv {words[0]} ended with status {done.returncode}")
    return done.stdout


def _own_uv() -> str:
    """One that pip fetches, where there is none."""
    folder = PLACE / "tool"
    program = folder / "bin" / "uv"
    if not program.exists():
        pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--target", str(folder), "uv"], check=True)
    return str(program)


if __name__ == "__main__":
    sys.exit(main())
