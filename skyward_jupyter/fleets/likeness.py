"""Whether this machine is as an image says: nothing is installed here, but what is missing is named."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

from skyward_jupyter.errors import UsageError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from skyward_jupyter.ssh.image import Image

#: How long the list of Debian packages may take (seconds).
_LISTED_WITHIN = 20.0


def check_likeness(image: Image) -> None:
    """Raise a UsageError that names all that the image asks for and this machine lacks.

    Packages of apt are checked where there is a dpkg to ask.
    """
    from skyward_jupyter.ssh.project import check_includes

    check_includes(image)
    lacking = list(_python(image))
    wrong = {text: why for text in image.pip if (why := _lacks(text))}
    lacking += [f"{text} ({why})" for text, why in wrong.items()]
    lacking += [f"{name} (apt: {why})" for name, why in _apt(image).items()]
    if lacking:
        install = f"%pip install {shlex.join(wrong)}" if wrong else "install it"
        raise UsageError(
            f"nodes on this machine are as it is, and it lacks what the image asks for: {', '.join(lacking)}; "
            f"{install}, or leave it out of the image"
        )


def _python(image: Image) -> Iterator[str]:
    running = platform.python_version()
    if image.python != "auto" and not f"{running}.".startswith(f"{image.python}."):
        yield f"Python {image.python} (this kernel runs {running})"


def _lacks(text: str) -> str:
    """Why a requirement does not hold here; nothing when it does."""
    from packaging.requirements import Requirement

    return next(_unmet(Requirement(text), "", set()), "")


def _unmet(wanted: Requirement, extra: str, seen: set[tuple[str, str]]) -> Iterator[str]:
    """What is wrong with a package that is wanted, also for an extra of another, and with what its own extras take."""
    if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
        return
    try:
        found = importlib.metadata.distribution(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        yield f"{wanted.name} is not installed" if extra else "not installed"
        return
    if not wanted.specifier.contains(found.version, prereleases=True):
        yield f"{wanted.name} {found.version} is installed" if extra else f"{found.version} is installed"
    for name in wanted.extras - {of for package, of in seen if package == wanted.name}:
        seen.add((wanted.name, name))
        for requirement in map(type(wanted), found.requires or ()):
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                yield from _unmet(requirement, name, seen)


def _apt(image: Image) -> dict[str, str]:
    """What is wrong with packages of a Debian, by name."""
    if not image.apt or (dpkg := shutil.which("dpkg-query")) is None:
        return {}
    form = "${db:Status-Status}\t${Package}\t${Architecture}\t${Version}\t${Provides}\n"
    listed = subprocess.run(
        [dpkg, "-W", "-f", form], capture_output=True, text=True, timeout=_LISTED_WITHIN, check=False
    )
    found: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        status, name, architecture, version, provides = line.split("\t")
        if status == "installed":
            for provided in provides.split(","):
                found.setdefault(provided.split("(")[0].strip(), "")
            found |= {name: version, f"{name}:{architecture}": version}
    wrong: dict[str, str] = {}
    for text in image.apt:
        name, _, version = text.partition("=")
        if name not in found:
            wrong[text] = "not installed"
        elif version and version != found[name]:
            wrong[text] = f"{found[name]} is installed"
    return wrong
