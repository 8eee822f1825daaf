"""What a machine's shell is sent, and what its lines mean."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from skyward_jupyter.ssh.script import Fact, Script, fact_of

SHELLS = [shell for shell in ("dash", "bash", "busybox", "zsh") if shutil.which(shell)]


def script(home: Path, **fields: object) -> Script:
    given = {"home": str(home), "key": "k", "digest": "d", "wheel": "w.whl", "python": "3.12", **fields}
    return Script(**given)  # type: ignore[arg-type]


def command(shell: str) -> list[str]:
    path = shutil.which(shell) or shell
    return [path, "sh", "-s"] if shell == "busybox" else [path, "-s"]


def facts(sent: Script, part: bytes, shell: str = "sh") -> list[Fact]:
    ran = subprocess.run(command(shell), input=part, capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"})
    assert ran.stderr == b""
    return [fact for line in ran.stdout.decode().splitlines() if (fact := fact_of(line, sent.mark))]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_understands_it(tmp_path: Path, shell: str) -> None:
    asked = script(tmp_path / "a b")
    said = {fact.name: fact.text for fact in facts(asked, asked.look(), shell)}
    assert said["root"] == f"{tmp_path}/a b"
    assert said["system"].startswith("Linux ")
    for part in (asked.install(), asked.place("x"), asked.clear()):
        read = subprocess.run([*command(shell)[:-1], "-n"], input=part, capture_output=True, check=False)
        assert (read.returncode, read.stderr) == (0, b"")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_part_of_it_does_nothing(tmp_path: Path, share: float) -> None:
    whole = script(tmp_path / "home", env={"A": "1"}).install()
    subprocess.run(["sh", "-s"], input=whole[: int(len(whole) * share)], capture_output=True, check=False)
    assert not (tmp_path / "home").exists()


def test_another_mark_every_time(tmp_path: Path) -> None:
    assert script(tmp_path).mark != script(tmp_path).mark


def test_what_a_tool_writes_is_no_fact() -> None:
    assert fact_of("@abc begin x", "@abc") == Fact("begin", "x")
    assert fact_of("@abc end", "@abc") == Fact("end", "")
    assert fact_of("@abcd begin x", "@abc") is None
    assert fact_of("Resolved 3 packages", "@abc") is None
    assert fact_of("", "@abc") is None


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


@pytest.mark.parametrize("shell", SHELLS)
def test_what_nobody_asks_after_is_removed_and_what_runs_of_it_is_ended(tmp_path: Path, shell: str) -> None:
    asked = script(tmp_path / "a b", patience=2)
    # The installer, of a group of its own as sshd makes one.
    waits = asked.install().replace(b"\ninstall\n", b'\necho "$POOL"; sleep 600\n')
    facts(asked, asked.look(), shell)
    place = tmp_path / "a b" / "pools" / "k"
    assert place.is_dir()
    env = {"PATH": "/usr/bin:/bin", "SKYWARD_RUN": "token"}
    with subprocess.Popen(
        command(shell), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, start_new_session=True
    ) as installer:
        assert installer.stdin is not None
        assert installer.stdout is not None
        installer.stdin.write(waits)
        installer.stdin.close()
        assert installer.stdout.readline().decode() == f"{place}\n"
        assert (place / "running").read_text() == f"{installer.pid} token\n"
        installer.wait(20)
    until(lambda: not place.exists())


def test_what_somebody_asks_after_stays_until_a_template_has_it(tmp_path: Path) -> None:
    asked = script(tmp_path, patience=2)
    facts(asked, asked.look())
    place = tmp_path / "pools" / "k"
    end = time.monotonic() + 4
    turn = 0
    while time.monotonic() < end:
        subprocess.run(["sh", "-c", asked.alive(turn := turn + 1)], check=True)
        assert place.exists()
        time.sleep(0.3)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(place / "door"))
        until(lambda: not guards(place))
        assert place.exists()


def test_the_guard_goes_with_the_directory(tmp_path: Path) -> None:
    asked = script(tmp_path, patience=600)
    facts(asked, asked.look())
    place = tmp_path / "pools" / "k"
    assert len(guards(place)) == 1
    # The next connection has another one in its place.
    facts(asked, asked.look())
    until(lambda: len(guards(place)) == 1)
    facts(asked, asked.clear())
    until(lambda: not guards(place))


def test_telling_makes_no_directory(tmp_path: Path) -> None:
    subprocess.run(["sh", "-c", script(tmp_path).alive(1)], check=True)
    assert list(tmp_path.iterdir()) == []


def guards(place: Path) -> list[psutil.Process]:
    """The guards of a pool's directory."""
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if f"{place}/guard.sh" in (process.info["cmdline"] or [])]


def test_odd_keys_and_homes_are_quoted(tmp_path: Path) -> None:
    asked = script(tmp_path / "it's $HOME `id`", key="a.b-c_d")
    facts(asked, asked.look())
    assert (tmp_path / "it's $HOME `id`" / "images").is_dir()


@pytest.mark.parametrize("shell", SHELLS)
def test_old_images_go_and_nothing_that_has_a_part_of_their_name(tmp_path: Path, shell: str) -> None:
    asked = script(tmp_path / "a b")
    facts(asked, asked.look(), shell)
    old = tmp_path / "a b" / "images" / "old"
    old.mkdir()
    (old / "complete").touch()
    os.utime(old / "complete", (time.time() - 40 * 86400,) * 2)
    other = tmp_path / "a" / "precious"
    other.mkdir(parents=True)
    facts(asked, asked.install().replace(b"\ninstall\n", b"\nprune\n"), shell)
    assert not old.exists()
    assert other.exists()
