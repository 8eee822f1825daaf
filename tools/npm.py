"""Run npm in ``js/``, with the Node of this machine or else the one that PyPI carries.

Usage: ``python -m tools.npm run check``. Installs first what package.json names and js/node_modules lacks.
Exits with npm's status; says so and exits with 1 where there is no Node at all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from hatch_build import WidgetsNotBuilt, npm

SOURCES = Path(__file__).resolve().parent.parent / "js"


def installed() -> bool:
    """Tell whether js/node_modules is there, with the checkers too, and not older than the lock file."""
    mark = SOURCES / "node_modules" / ".package-lock.json"
    if not mark.exists() or mark.stat().st_mtime < (SOURCES / "package-lock.json").stat().st_mtime:
        return False
    package = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))
    names = [*package.get("dependencies", {}), *package.get("devDependencies", {})]
    return all((SOURCES / "node_modules" / name).is_dir() for name in names)


def main(arguments: list[str]) -> int:
    """Run npm with `arguments` in js/ and return its exit status."""
    try:
        command, environment = npm()
    except WidgetsNotBuilt as error:
        print(error, file=sys.stderr)
        return 1
    if not installed():
        install = [*command, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(install, cwd=SOURCES, env=environment, check=False)
        if done.returncode:
            return done.returncode
    return subprocess.run([*command, *arguments], cwd=SOURCES, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
