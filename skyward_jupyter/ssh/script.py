"""What is sent to a machine's shell, and the lines it sends back.

A preparation is one shell script on standard input: nothing of it shows in a list of processes, and a part of it,
should the connection break while it is sent, does nothing. Lines that begin with the mark, which no tool can know, are
facts; the others are output.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from skyward_jupyter.agent.accelerators import COMMAND
from skyward_jupyter.ssh.sources import source

#: What a Python must have: distributions leave some of it out.
MODULES = (
    "asyncio bz2 concurrent.futures ctypes curses.ascii dis email fcntl hashlib http.server importlib.metadata json "
    "logging mmap multiprocessing pickle pydoc select socket ssl subprocess tarfile uuid "
    "xml.etree.ElementTree zipfile zlib"
)
#: What an agent and its slots import.
AGENT = (
    "skyward, skyward_jupyter.agent.template, skyward_jupyter.agent.main, skyward_jupyter.agent.slot, "
    "skyward_jupyter.agent.session, skyward_jupyter.agent.answers, skyward_jupyter.agent.http_server, "
    "IPython.core.interactiveshell"
)


@dataclass(frozen=True, slots=True)
class Script:
    """A part of the preparation of one machine for one pool.

    Attributes
    ----------
    mark
        What lines for this side begin with.
    home, key, digest
        Our directory there (``~/`` is the user's), the pool, and the image.
    wheel
        The name of the file that holds our own code.
    python
        The version to look for.
    apt, requirements
        What to install.
    exact
        Whether the user's packages are asked for in one version each.
    env
        Of the installation and of user code.
    manifest
        The included files, as JSON.
    patience
        Seconds after which a machine that is not told `alive` any more removes what the pool has there; 0 for never.
    """

    home: str
    key: str
    digest: str
    wheel: str
    python: str
    apt: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    exact: bool = False
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    manifest: str = "{}"
    patience: int = 0
    mark: str = field(default_factory=lambda: f"@{secrets.token_hex(8)}")

    def look(self) -> bytes:
        """Ask what the machine has; where the image is complete, nothing more is needed."""
        return self._whole("look")

    def install(self) -> bytes:
        """Make the image."""
        return self._whole('eval "$(environment)"\ninstall')

    def place(self, archive: str) -> bytes:
        """Take in the contents that were missing, and put the included files into place."""
        return self._whole(f"settle {shlex.quote(archive)}")

    def clear(self) -> bytes:
        """Remove what the pool has."""
        return self._whole('rm -rf "$POOL"')

    def alive(self, turn: int) -> str:
        """Say that somebody is still there who prepares the machine: a command, in one line for any login shell."""
        return f'{self._places("; ")}; if [ -d "$POOL" ]; then echo {turn} >"$POOL/heard"; fi'

    def _whole(self, call: str) -> bytes:
        parts = [source("common.sh"), source("look.sh"), source("install.sh"), *self._data(), self._main(call)]
        return "\n".join(parts).encode()

    def _data(self) -> list[str]:
        exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in self.env.items())
        return [
            self._function("environment", exports),
            self._function("manifest", self.manifest),
            self._function("sync_program", source("sync.py")),
            self._function("guard_program", f"{source('end.sh')}\n{source('guard.sh')}"),
            self._function("requirements", "\n".join(self.requirements)),
        ]

    def _function(self, name: str, text: str) -> str:
        """A function that prints a text as it is."""
        return f"{name}() {{\ncat <<'{self.mark}'\n{text}\n{self.mark}\n}}"

    def _places(self, between: str = "\n") -> str:
        quoted = shlex.quote
        home = f'"$HOME"/{quoted(self.home[2:])}' if self.home.startswith("~/") else quoted(self.home)
        return f'ROOT={home}{between}POOL="$ROOT/pools/"{quoted(self.key)}'

    def _main(self, call: str) -> str:
        quoted = shlex.quote
        minor = ".".join(self.python.split(".")[:2])
        return f"""
main() {{
umask 077
{self._places()}
MARK={self.mark} IMAGE="$ROOT/images/{self.digest}" PATIENCE={self.patience or ""}
WHEEL="$ROOT/wheels/{self.wheel}" WANT={self.python} MINOR={minor} PYTHON=
EXACT={"1" if self.exact else ""} INCLUDES={"" if self.manifest == "{}" else "1"}
APT={quoted(" ".join(self.apt))} GPUS={quoted(COMMAND)} MODULES={quoted(MODULES)} AGENT={quoted(AGENT)}
known
{call}
}}
main
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """A line for this side: what it is about, and the rest."""

    name: str
    text: str


def fact_of(line: str, mark: str) -> Fact | None:
    """The fact that a line is, or None for one that a tool wrote."""
    if not line.startswith(mark + " "):
        return None
    name, _, text = line[len(mark) + 1 :].partition(" ")
    return Fact(name, text)
