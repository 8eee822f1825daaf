"""Our own code as a wheel, made of the files this process runs.

A machine gets the very version that the kernel has, from an editable install as well as from site-packages, and needs
no index for it. Equal files give an equal name. What only a front end needs is left out, and it requires what an agent
imports, in the versions that run here: what travels between the two is written and read by the same code.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

#: What agents and slots import, of other projects; modules of the user that do so may name every public name.
NEEDS = (
    "casty",
    "cloudpickle",
    "greenlet",
    "h11",
    "httpx",
    "ipython",
    "lz4",
    "prometheus-client",
    "psutil",
    "rich",
    "setproctitle",
    "starlette",
    "traitlets",
    "uvicorn",
    "xxhash",
)
_PACKAGES = ("skyward", "skyward_jupyter")
#: Rooms of the front end, and what is built for it.
_LEFT_OUT = ("skyward_jupyter/static/", "skyward_jupyter/widgets/", "skyward_jupyter/notebook/")
_NAME = "skyward_jupyter"
#: What every file in the archive is dated: the format begins then.
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel: the name of its file, and the file."""

    name: str
    content: bytes


@cache
def own_wheel() -> Wheel:
    """Make the wheel; once for a process."""
    code = {name: path.read_bytes() for name, path in sorted(_files())}
    needs = requirements()
    digest = hashlib.sha256("\n".join(needs).encode())
    for name, content in code.items():
        digest.update(f"\n{name}\n{len(content)}\n".encode() + content)
    release = f"{_own_version().partition('+')[0]}+{digest.hexdigest()[:16]}"
    return Wheel(f"{_NAME}-{release}-py3-none-any.whl", _archive(code, release, needs))


@cache
def requirements() -> tuple[str, ...]:
    """What an agent needs, each in the version that is installed here."""
    return tuple(f"{name}=={version(name)}" for name in NEEDS)


def _own_version() -> str:
    try:
        return version(_NAME)
    except PackageNotFoundError:
        return "0"


def _files() -> Iterator[tuple[str, Path]]:
    for package in _PACKAGES:
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        root = Path(spec.origin).parent
        for path in root.rglob("*"):
            name = f"{package}/{path.relative_to(root).as_posix()}"
            if path.is_file() and "__pycache__" not in path.parts and not name.startswith(_LEFT_OUT):
                yield name, path


def _archive(code: dict[str, bytes], release: str, needs: tuple[str, ...]) -> bytes:
    about = f"{_NAME}-{release}.dist-info"
    members = code | {
        f"{about}/METADATA": _metadata(release, needs).encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: skyward\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_hash(content)},{len(content)}\n" for name, content in members.items())
    members[f"{about}/RECORD"] = f"{record}{about}/RECORD,,\n".encode()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _metadata(release: str, needs: tuple[str, ...]) -> str:
    head = f"Metadata-Version: 2.1\nName: skyward-jupyter\nVersion: {release}\nRequires-Python: >=3.12\n"
    return head + "".join(f"Requires-Dist: {need}\n" for need in needs)


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
