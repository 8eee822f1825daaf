"""Preparations of machines that are cut short, or that cannot succeed: what is lost, what is left, what is said."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import skyward as sky
from skyward_jupyter.errors import BootstrapFailed
from skyward_jupyter.runtime.state import directory
from skyward_jupyter.ssh import journal
from tests.bare import Bare, Bares
from tests.machines import until
from tests.processes import line_of, words_of

pytestmark = pytest.mark.fault

#: Steps in whose middle a preparation is cut.
CUT_AT = ["look", "python", "venv", "packages", "check", "files"]


def left_over(there: Bare) -> list[str]:
    """What no preparation should leave behind."""
    names = [str(path.relative_to(there.root)) for path in there.root.rglob("*") if path.suffix == ".part"]
    names += [path.name for path in there.root.iterdir() if not path.is_dir()]
    return names + [path.name for path in there.root.glob("pools/*/*") if path.name not in ("env", "image", "work")]


def at_work(there: Bare) -> list[str]:
    """Processes of the machine's home that are still there."""
    found = [
        " ".join(process.info["cmdline"] or [])
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["environ"] or {}).get("HOME") == str(there.home) and process.pid != os.getpid()
    ]
    return [line for line in found if line and "sshd" not in line]


@pytest.mark.slow
@pytest.mark.parametrize("step", CUT_AT)
async def test_a_connection_that_breaks_in_a_step_costs_nothing_but_time(bare: Bares, step: str) -> None:
    there = await bare()
    preparing = asyncio.create_task(there.prepare())
    await there.at(step)
    for session in there.sshd.sessions():
        session.kill()
    prepared = await preparing
    # These two take so little that they may be over before the connection is.
    begun = [told.name for told in there.steps if told.state == "started"].count("look")
    assert begun == 2 or (begun == 1 and step in ("look", "files"))
    assert (
        subprocess.run([prepared.python, "-I", "-c", "import skyward_jupyter.agent.node"], check=False).returncode == 0
    )
    assert len(there.images()) == 1
    assert left_over(there) == []


@pytest.mark.slow
@pytest.mark.parametrize("step", ["python", "packages", "check"])
async def test_one_that_is_interrupted_ends_there_and_goes_on_later(bare: Bares, step: str) -> None:
    there = await bare()
    preparing = asyncio.create_task(there.prepare())
    await there.at(step)
    preparing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await preparing
    await until(lambda: not at_work(there))
    assert there.images() == []
    await there.prepare()
    assert len(there.images()) == 1
    assert left_over(there) == []


async def test_an_installer_that_is_killed_is_named_and_tried_again(bare: Bares) -> None:
    there = await bare()
    real = (there.bin / "uv").resolve()
    there.has("uv", f'case "$1" in pip) kill -KILL $$ ;; *) exec {real} "$@" ;; esac')
    with pytest.raises(BootstrapFailed, match=r"'packages': `.*uv pip install .*` ended with status 137"):
        await there.prepare()
    assert there.images() == []
    there.has("uv", real)
    await there.prepare()
    assert len(there.images()) == 1


async def test_a_package_that_is_nowhere(bare: Bares) -> None:
    there = await bare()
    with pytest.raises(BootstrapFailed) as caught:
        await there.prepare(sky.Image(pip=["no-such-package-of-ours-at-all>=3"]))
    error = caught.value
    assert (error.machine, error.step) == (there.machine.name, "packages")
    assert "uv pip install" in error.command
    assert any("no-such-package-of-ours-at-all" in line for line in error.last)
    assert there.machine.name in str(error)
    assert [step.state for step in there.steps if step.name == "packages"][-1] == "failed"
    log = Path(error.log)
    assert log.stat().st_mode & 0o777 == 0o600
    assert "no-such-package-of-ours-at-all" in log.read_text()
    # What was made so far is no image, and no obstacle.
    assert there.images() == []
    await there.prepare()
    assert len(there.images()) == 1


async def test_logs_of_failures_are_bounded(bare: Bares, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LOGS", 5)
    there = await bare()
    for _ in range(8):
        with pytest.raises(BootstrapFailed) as caught:
            await there.prepare(sky.Image(apt=["nothing"]))
    logs = list((directory() / "logs").glob("*.log"))
    assert len(logs) == 5
    assert Path(caught.value.log) in logs


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A home on a disk of its own, of 24 MiB; made larger with `mount -o remount`."""
    home = tmp_path / "small"
    home.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", home], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    yield home
    subprocess.run(["umount", "-l", home], check=True)


async def test_a_full_disk_is_said_and_room_is_enough_to_go_on(bare: Bares, small_disk: Path) -> None:
    there = await bare(home=small_disk, cache=False)
    with pytest.raises(BootstrapFailed, match=r"'packages': .* MiB are free there: make room"):
        await there.prepare()
    assert there.images() == []
    subprocess.run(["mount", "-o", "remount,size=800m", small_disk], check=True)
    await there.prepare()
    assert len(there.images()) == 1


async def test_a_disk_without_any_room(bare: Bares, small_disk: Path) -> None:
    there = await bare(home=small_disk)
    fill = small_disk / "fill"
    with contextlib.suppress(OSError), fill.open("wb") as file:
        while True:
            file.write(b"x" * 65536)
    with pytest.raises(BootstrapFailed):
        await there.prepare()
    fill.unlink()
    subprocess.run(["mount", "-o", "remount,size=800m", small_disk], check=True)
    await there.prepare()
    assert len(there.images()) == 1


async def test_a_home_that_cannot_be_written(bare: Bares, tmp_path: Path) -> None:
    there = await bare()
    shutil.rmtree(there.home)
    there.home.write_text("no directory")
    with pytest.raises(BootstrapFailed, match=r"'look': .*\.skyward cannot be made"):
        await there.prepare()


async def test_a_damaged_image_is_made_again(bare: Bares) -> None:
    there = await bare()
    prepared = await there.prepare()
    Path(prepared.python).unlink()
    again = await there.prepare()
    assert "packages" in there.done
    assert Path(again.python).exists()


async def test_damaged_contents_are_refused_and_sent_again(bare: Bares, tmp_path: Path) -> None:
    there = await bare.ready()
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.bin").write_bytes(os.urandom(4000))
    image = sky.Image(includes=["a.bin"], root=str(tmp_path / "p"))
    real = there.machine.upload

    async def damaged(local: Path, path: str, mode: int = 0o644) -> None:
        import gzip

        content = bytearray(gzip.decompress(local.read_bytes()))
        content[2000] ^= 0xFF
        local.write_bytes(gzip.compress(bytes(content)))
        await real(local, path, mode)

    there.machine.upload = damaged  # type: ignore[method-assign]
    with pytest.raises(BootstrapFailed, match="files") as caught:
        await there.prepare(image)
    assert "arrived damaged" in str(caught.value)
    there.machine.upload = real  # type: ignore[method-assign]
    prepared = await there.prepare(image)
    assert (Path(prepared.directory) / "a.bin").read_bytes() == (tmp_path / "p" / "a.bin").read_bytes()


async def test_an_installer_whose_shell_is_killed_is_waited_for(bare: Bares) -> None:
    """It goes on for a while, and would write into what another one makes anew."""
    first = await bare()
    second = await bare(home=first.home)
    real = (first.bin / "uv").resolve()
    go = first.home / "go"
    first.has("uv", f'case "$1" in pip) while [ ! -e {go} ]; do sleep 0.05; done ;; esac; exec {real} "$@"')
    one = asyncio.create_task(first.prepare(key="a"))
    await first.at("packages")
    for process in psutil.process_iter(["cmdline", "environ"]):
        if process.info["cmdline"] == ["sh", "-s"] and (process.info["environ"] or {}).get("HOME") == str(first.home):
            process.kill()
    two = asyncio.create_task(second.prepare(key="b"))
    await second.at("wait")
    go.touch()
    await two
    assert second.done[-4:] == ["venv", "packages", "check", "files"]
    with pytest.raises(BootstrapFailed, match="was ended by signal 9"):
        await one
    assert len(second.images()) == 1


async def test_a_machine_that_dies_while_it_waits_lets_go_of_the_image(bare: Bares) -> None:
    """Whoever holds the lock of an image and is killed holds it no longer."""
    first = await bare()
    second = await bare(home=first.home)
    one = asyncio.create_task(first.prepare(key="a"))
    await first.at("packages")
    two = asyncio.create_task(second.prepare(key="b"))
    await second.at("wait")
    first.sshd.stop()
    for process in psutil.process_iter():
        if words_of(process)[1:3] == ["pip", "install"] and str(first.home) in line_of(process):
            process.send_signal(signal.SIGKILL)
    await two
    assert len(second.images()) == 1
    one.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await one
