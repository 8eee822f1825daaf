"""What users call machines."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from skyward_jupyter.errors import UsageError
from skyward_jupyter.ssh.hosts import parse, parse_all


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(
        """
Host gpu gpu2
  HostName 10.0.0.5
  User ubuntu
  Port 2222
  ProxyJump bastion
Host inner
  ProxyJump bastion,me@second:24
Host bastion
  HostName bastion.example
  User jump
Host around
  ProxyJump there
Host there
  ProxyJump around
Host direct
  ProxyJump none
"""
    )
    return path


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("me@box", "me", "box", 22),
        ("me@box:2200", "me", "box", 2200),
        ("box:2200", "", "box", 2200),
        ("me@10.0.0.1", "me", "10.0.0.1", 22),
        ("me@[fd00::2]:2200", "me", "fd00::2", 2200),
        ("[::1]", "", "::1", 22),
    ],
)
def test_reads_a_machine(text: str, user: str, host: str, port: int, config: Path) -> None:
    read = parse(text, config=config)
    assert (read.name, read.user, read.host, read.port) == (text, user or getpass.getuser(), host, port)
    assert read.place == f"[{host}]:{port}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@box",
        "me@",
        "me@box:",
        "me@box:0",
        "me@box:99999",
        "me@box:x",
        "fd00::2",
        "a b",
        "me@-oProxy",
        "[]",
        "-oProxy@box",
        "-l@box",
        "[-x]",
        "bo\0x",
    ],
)
def test_refuses_what_is_no_machine(text: str, config: Path) -> None:
    with pytest.raises(UsageError, match=r"names no machine|no port"):
        parse(text, config=config)


def test_says_how_to_write_an_ipv6_address(config: Path) -> None:
    with pytest.raises(UsageError, match="brackets"):
        parse("fd00::2", config=config)


def test_the_configuration_completes_a_name(config: Path) -> None:
    read = parse("gpu", config=config)
    assert (read.user, read.host, read.port) == ("ubuntu", "10.0.0.5", 2222)
    assert [(hop.user, hop.host, hop.port) for hop in read.jump] == [("jump", "bastion.example", 22)]
    assert read.path == "[10.0.0.5]:2222<[bastion.example]:22"


def test_the_users_own_configuration_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(
        "Host gpu\n  HostName 10.0.0.7\n  Port 2222\n  User me\n  ProxyJump out\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    read = parse("gpu")
    assert (read.user, read.host, read.port, [hop.name for hop in read.jump]) == ("me", "10.0.0.7", 2222, ["out"])


def test_what_is_written_goes_first(config: Path) -> None:
    read = parse("root@gpu:22", config=config, jump="me@other:99")
    assert (read.user, read.host, read.port) == ("root", "10.0.0.5", 22)
    assert [hop.place for hop in read.jump] == ["[other]:99"]


def test_a_way_over_several_machines(config: Path) -> None:
    read = parse("inner", config=config)
    assert [(hop.user, hop.place) for hop in read.jump] == [("jump", "[bastion.example]:22"), ("me", "[second]:24")]
    assert read.jump[1].path == "[second]:24<[bastion.example]:22"
    assert parse("direct", config=config).jump == ()


def test_refuses_a_way_that_goes_in_circles(config: Path) -> None:
    with pytest.raises(UsageError, match="ProxyJump"):
        parse("around", config=config)


def test_refuses_a_key_that_is_not_there(config: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no key file"):
        parse("box", key=str(tmp_path / "none"), config=config)


def test_refuses_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host *\n  Port many\n")
    with pytest.raises(UsageError, match="cannot be looked up"):
        parse("box", config=tmp_path / "config")


def test_reads_the_machines_of_a_pool(config: Path) -> None:
    assert [host.name for host in parse_all("a@one, b@two\nthree", config=config)] == ["a@one", "b@two", "three"]
    assert [host.name for host in parse_all(["a@one", "b@two"], config=config)] == ["a@one", "b@two"]


@pytest.mark.parametrize(
    ("text", "says"), [("a@one a@one", "twice"), ("gpu gpu2", "'gpu' and as 'gpu2'"), (" ", "no machine")]
)
def test_refuses_the_same_machine_twice_and_none(text: str, says: str, config: Path) -> None:
    with pytest.raises(UsageError, match=says):
        parse_all(text, config=config)


@pytest.mark.parametrize("line", ["User -oProxyCommand=x", "HostName -oProxyCommand=x", "ProxyJump -oX@there"])
def test_no_configuration_names_an_option(tmp_path: Path, line: str) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host box\n  {line}\n")
    with pytest.raises(UsageError):
        parse("box", config=config)
    with pytest.raises(UsageError):
        parse("other", jump="box,-oX@there", config=config)
