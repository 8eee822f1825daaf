"""uv fetched here for machines that have none."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import zipfile
from pathlib import Path

import pytest

from skyward_jupyter.ssh.uv import PLATFORMS, NoUv, uv_for


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "skyward"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that pip finds wheels in, and nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def put_uv(index: Path, platform: str = PLATFORMS["x86_64"]) -> None:
    with zipfile.ZipFile(index / f"uv-1.2.3-py3-none-{platform}.whl", "w") as wheel:
        wheel.writestr("uv-1.2.3.data/scripts/uv", "#!/bin/sh\necho uv 1.2.3\n")
        wheel.writestr("uv-1.2.3.data/scripts/uvx", "")
        wheel.writestr("uv-1.2.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 1.2.3\n")
        wheel.writestr("uv-1.2.3.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: py3-none-{platform}\n")
        wheel.writestr("uv-1.2.3.dist-info/RECORD", "")


async def test_it_comes_through_pip_and_is_kept(index: Path, cache: Path) -> None:
    put_uv(index)
    kept = await uv_for("x86_64")
    assert kept.read_text().startswith("#!/bin/sh")
    assert kept.stat().st_mode & 0o777 == 0o755
    assert os.listdir(cache) == [kept.name]
    (index / f"uv-1.2.3-py3-none-{PLATFORMS['x86_64']}.whl").unlink()
    assert await uv_for("x86_64") == kept


async def test_machines_that_ask_at_once_get_the_same(index: Path, cache: Path) -> None:
    put_uv(index)
    assert len(set(await asyncio.gather(*(uv_for("x86_64") for _ in range(5))))) == 1
    assert len(os.listdir(cache)) == 1


@pytest.mark.skipif(not list(Path(os.__file__).parent.glob("ensurepip/_bundled/pip-*.whl")), reason="no pip is bundled")
async def test_an_environment_without_pip_uses_the_bundled_one(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_uv(index)
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "pip" else real(name, *rest))
    assert (await uv_for("x86_64")).exists()


async def test_each_architecture_has_its_own(index: Path) -> None:
    put_uv(index, PLATFORMS["aarch64"])
    assert (await uv_for("aarch64")).exists()
    with pytest.raises(NoUv):
        await uv_for("x86_64")


async def test_what_pip_says_is_the_reason(index: Path, cache: Path) -> None:
    with pytest.raises(NoUv, match=r"`pip download uv` failed here: .*uv"):
        await uv_for("x86_64")
    assert os.listdir(cache) == []


async def test_an_architecture_that_uv_is_not_made_for() -> None:
    with pytest.raises(NoUv, match="there is no uv for pdp11"):
        await uv_for("pdp11")
