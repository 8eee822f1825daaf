"""uv for a machine that has none and cannot get it: fetched here, the way pip is set up here, and kept."""

from __future__ import annotations

import asyncio
import ensurepip
import importlib.util
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from skyward_jupyter.ssh.shared import Shared

#: The platform of the static build, by what ``uname -m`` says.
PLATFORMS = {
    "x86_64": "musllinux_1_1_x86_64",
    "amd64": "musllinux_1_1_x86_64",
    "aarch64": "musllinux_1_1_aarch64",
    "arm64": "musllinux_1_1_aarch64",
}
#: How long fetching may take (seconds).
WITHIN = 300.0

_fetching = Shared[str, Path]()


class NoUv(Exception):
    """uv cannot be had here; the text says why, and what pip said."""


async def uv_for(machine: str) -> Path:
    """Return a uv that runs on Linux of this architecture; machines that ask at once share one download.

    Raises
    ------
    NoUv
        It cannot be had.
    """
    platform = PLATFORMS.get(machine)
    if platform is None:
        raise NoUv(f"there is no uv for {machine}")
    kept = _cache() / f"uv-{platform}"
    if kept.exists():
        return kept
    return await _fetching.done(platform, lambda: _fetch(platform, kept))


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "skyward"


async def _fetch(platform: str, kept: Path) -> Path:
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        await _download(platform, folder)
        return await asyncio.to_thread(_unpack, Path(folder), kept)


async def _download(platform: str, folder: str) -> None:
    asked = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--platform", platform, "--dest", folder, "uv"]
    pip = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pip",
        *asked,
        env={**os.environ, **_pip_path()},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(pip.communicate(), WITHIN)
    except BaseException:
        if pip.returncode is None:
            pip.kill()
            await pip.wait()
        raise
    if pip.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise NoUv(f"`pip download uv` failed here: {' '.join(last)}")


def _pip_path() -> dict[str, str]:
    """Where pip is found: an environment that has none uses the one that comes with Python."""
    if importlib.util.find_spec("pip") is not None:
        return {}
    bundled = sorted(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"))
    return {"PYTHONPATH": str(bundled[-1])} if bundled else {}


def _unpack(folder: Path, kept: Path) -> Path:
    [wheel] = folder.glob("uv-*.whl")
    partial = folder / "uv"
    with zipfile.ZipFile(wheel) as archive:
        [name] = (name for name in archive.namelist() if name.endswith(".data/scripts/uv"))
        with archive.open(name) as source, open(partial, "wb") as target:
            shutil.copyfileobj(source, target)
    partial.chmod(0o755)
    return partial.replace(kept)
