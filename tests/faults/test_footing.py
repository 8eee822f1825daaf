"""A machine, or a process, that lacks what every pool needs: one sentence says so, in a second."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import skyward as sky

START = """
import os, sys, time
{before}
import skyward as sky
import skyward_jupyter.fleets.remote, skyward_jupyter.fleets.local, skyward_jupyter.ssh.openssh

began = time.monotonic()
try:
    sky.ComputePool({given}).start()
except sky.SkywardError as error:
    print(type(error).__name__, f"{{time.monotonic() - began:.2f}}", error, sep="|")
"""
DELETED = "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')"


def started(folder: Path, given: str, before: str = "", inside: tuple[str, ...] = ()) -> tuple[str, float, str]:
    """What a script says that starts a pool: the error, after how many seconds, and its sentence."""
    (folder / "script.py").write_text(START.format(before=before, given=given))
    done = subprocess.run(
        [*inside, sys.executable, str(folder / "script.py")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    kind, seconds, sentence = done.stdout.splitlines()[-1].split("|")
    deadline = time.monotonic() + 20  # a process of its own removes them
    while list(Path("/dev/shm").glob("skyward-*-unfounded-*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return kind, float(seconds), sentence


@pytest.mark.parametrize("given", ["nodes=2", "provider=sky.SSH(hosts=['127.0.0.1:1'])", "image=sky.Image()"])
def test_a_working_directory_that_was_deleted(tmp_path: Path, given: str) -> None:
    kind, seconds, sentence = started(tmp_path, f"name='unfounded', {given}", DELETED)
    assert kind == "UsageError"
    assert "the working directory of this process was deleted; change to one" in sentence
    assert seconds < 5  # a second, on a machine that does nothing else


@pytest.mark.parametrize("given", ["nodes=2", "provider=sky.SSH(hosts=['10.0.0.1'])"])
@pytest.mark.parametrize(
    ("setup", "said"),
    [
        ("true", "this machine has no loopback address 127.0.0.1: Network is unreachable;"),
        (
            "ip link set lo up && ip address del 127.0.0.1/8 dev lo && ip -6 address show dev lo | grep -q ::1",
            "this machine has no loopback address 127.0.0.1 (only ::1): Cannot assign requested address;",
        ),
    ],
    ids=["no loopback", "only ::1"],
)
def test_a_machine_without_loopback(tmp_path: Path, given: str, setup: str, said: str) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root, for a network namespace")
    inside = ("unshare", "--net", "sh", "-c", f'{setup} && exec "$@"', "sh")
    if subprocess.run([*inside, "true"], check=False).returncode != 0:
        pytest.skip("no network namespaces with such a loopback here")
    kind, seconds, sentence = started(tmp_path, f"name='unfounded', {given}", inside=inside)
    assert (kind, sentence[: len(said)]) == ("ProvisioningFailed", said)
    assert seconds < 5  # a second, on a machine that does nothing else


@sky.compute
def pid() -> int:
    return os.getpid()


def test_a_directory_that_is_deleted_while_the_pool_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    with sky.ComputePool(nodes=1) as pool:
        work.rmdir()
        pool.scale(2)
        assert len(set(pid() @ pool)) == 2
