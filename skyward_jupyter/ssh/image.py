"""What a machine needs to be like before it runs an agent, as users write it.

Importing this costs next to nothing. The values of `Image.env` may be secrets: they are in no repr, no digest in clear,
no command line and no log; `redacted` is what keeps them out of the lines that tools write.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from skyward_jupyter.errors import UsageError
from skyward_jupyter.hints import suggesting

#: What the directory of an image holds; another number makes every image anew.
FORMAT = 1
#: Names of variables that decide what an installation finds, and so belong to what it made.
_DECIDING = ("UV_", "PIP_")
#: Shorter values are words like ``1`` and ``true``, which say nothing and stand everywhere.
_SHORTEST_SECRET = 5

_VERSION = re.compile(r"3\.\d{1,2}(\.\d{1,2})?")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9.+~:-]+)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXACT = re.compile(r"[A-Za-z0-9._-]+(\[[^]]*\])?\s*===?\s*[^\s*,;]+")
_LOGIN = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def working_directory() -> str:
    """The directory that this process works in; a UsageError where it has been deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise UsageError(
            "the working directory of this process was deleted; change to one that there is, with os.chdir(...) or "
            "%cd, and start the pool again"
        ) from None


def here() -> str:
    """The minor version of this Python, as in ``3.12``."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@suggesting
@dataclass(frozen=True, slots=True)
class Image:
    """What is on a machine, besides its agent, before it runs your code.

    Attributes
    ----------
    python
        ``"auto"`` is the minor version of this kernel: what travels between the two needs it. ``"3.12.4"`` asks for
        one release of it.
    pip
        Packages from the machine's package index, as in ``["torch==2.8", "polars>=1"]``.
    apt
        Packages of a Debian or Ubuntu, as in ``["ffmpeg"]``. They need root there, or sudo without a password.
    env
        The environment of your code, and of the installation. It is written to a file that only the user there can
        read, and shown nowhere.
    includes
        Files and directories of your project that your code finds in its working directory, as paths or patterns
        relative to the working directory here (``["data/*.csv", "config", "**/*.yaml"]``).
    excludes
        Patterns of files and directories to leave out, each for a name (``"*.tmp"``) or for a path
        (``"data/raw"``). Left out anyway are ``.git``, ``__pycache__``, virtual environments, ``node_modules``.
    root
        The directory that `includes` start from.
    """

    python: str = "auto"
    pip: Sequence[str] = ()
    apt: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    includes: Sequence[str] = ()
    excludes: Sequence[str] = ()
    root: str = field(default="", repr=False, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("pip", "apt", "includes", "excludes"):
            object.__setattr__(self, name, _texts(name, getattr(self, name)))
        object.__setattr__(self, "env", _environment(self.env))
        object.__setattr__(self, "root", os.path.abspath(self.root or working_directory()))
        _check_python(self.python)
        for requirement in self.pip:
            _check_requirement(requirement)
        for package in self.apt:
            if not _PACKAGE.fullmatch(package):
                raise UsageError(
                    f"apt has {package!r}, which is no name of a package, as in 'ffmpeg' or 'ffmpeg=7:5.1'"
                )
        for pattern in self.includes:
            _check_include(pattern)


def version_of(image: Image) -> str:
    """The version of Python to look for: ``3.12``, or ``3.12.4`` where one release was asked for."""
    return here() if image.python == "auto" else image.python


def is_exact(image: Image) -> bool:
    """Whether every package is asked for in one version."""
    return all(_EXACT.fullmatch(requirement) for requirement in image.pip)


def digest_of(image: Image, wheel: str) -> str:
    """What names an image on a machine: all that decides what is installed, our own wheel included."""
    deciding = {name: value for name, value in image.env.items() if name.startswith(_DECIDING)}
    parts = (FORMAT, wheel, version_of(image), sorted(image.pip), sorted(image.apt), sorted(deciding.items()))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


def redacted(image: Image) -> Callable[[str], str]:
    """What takes the values of the image's environment, and the logins of addresses, out of a text."""
    lines = {line for value in image.env.values() for line in value.splitlines()}
    values = sorted((line for line in lines if len(line) >= _SHORTEST_SECRET), key=len, reverse=True)
    secret = re.compile("|".join(map(re.escape, values))) if values else None

    def redact(text: str) -> str:
        return _LOGIN.sub("***", secret.sub("***", text) if secret else text)

    return redact


def _texts(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UsageError(f"{name} is {value!r}; give a list, as in {name}=[{str(value)!r}]")
    for item in value:
        if not isinstance(item, str) or not item.strip() or not item.isprintable():
            raise UsageError(f"{name} has {item!r}; it takes texts of one line")
    return tuple(value)


def _environment(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise UsageError(f"env is a {type(value).__name__}; give a dictionary of names and texts")
    for name, text in value.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise UsageError(f"env has {name!r}, which cannot be the name of a variable")
        if not isinstance(text, str) or "\0" in text:
            raise UsageError(f"env[{name!r}] is a {type(text).__name__}; variables are texts without zero bytes")
    return dict(value)


def _check_python(version: object) -> None:
    if version == "auto":
        return
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise UsageError(f"python is {version!r}; write 'auto', or a version as in {here()!r}")
    if version.split(".")[:2] != here().split("."):
        raise UsageError(
            f"python is {version!r} and this kernel runs {here()}; functions travel only between equal minor versions: "
            f"leave it at 'auto', or start a kernel of Python {version}"
        )


def _check_requirement(text: str) -> None:
    from packaging.requirements import InvalidRequirement, Requirement

    if text.startswith("-"):
        raise UsageError(
            f"pip has {text.split()[0]!r}, an option; it takes packages. An index goes into env, as in "
            "env={'UV_INDEX': ...}"
        )
    try:
        Requirement(text)
    except InvalidRequirement:
        raise UsageError(f"pip has {_LOGIN.sub('***', text)!r}, which is no requirement, as in 'polars>=1'") from None


def _check_include(pattern: str) -> None:
    if os.path.isabs(pattern) or pattern.startswith("~") or ".." in pattern.replace("\\", "/").split("/"):
        raise UsageError(
            f"includes has {pattern!r}; paths are below the working directory, which is where they go there: change "
            "it, or put a link to the file into it"
        )
