"""What a machine's shell is sent, and what its lines mean."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

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


def test_odd_keys_and_homes_are_quoted(tmp_path: Path) -> None:
    asked = script(tmp_path / "it's $HOME `id`", key="a.b-c_d")
    facts(asked, asked.look())
    assert (tmp_path / "it's $HOME `id`" / "images").is_dir()
