"""Logging in to real servers with what configuration files say, as people write them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from skyward_jupyter.errors import AuthenticationFailed, ConnectionFailed
from skyward_jupyter.ssh.connection import Connection
from skyward_jupyter.ssh.hosts import parse
from tests.machines import MakeSshd, Sshd, found, program, write_key


@pytest.fixture(params=["ssh", "without"])
def reader(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether there is an OpenSSH that reads the files."""
    if request.param == "without":
        programs = {name: found(name) for name in ("setpriv", "ssh-add", "ssh-agent")}
        (tmp_path / "bin").mkdir()
        for name, place in programs.items():
            (tmp_path / "bin" / name).symlink_to(place)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return str(request.param)


def configured(server: Sshd, text: str, **said: str) -> Connection:
    """A connection to a server by the name `box` in a configuration that says more than where it is."""
    path = server.folder / "mine"
    path.write_text(
        f"Host box # the server\n  HostName {server.addresses[0]}\n  Port {server.port} # its port\n"
        f"  UserKnownHostsFile {server.folder}/known_hosts\n{text}"
    )
    return Connection(parse("box", config=path, **said), server.ledger())


async def test_a_key_that_is_not_there_is_passed_over(sshd: MakeSshd, reader: str) -> None:
    server = sshd()
    (server.folder / "garbage").write_text("no key at all\n")
    (server.folder / "folder").mkdir()
    others = "".join(f"  IdentityFile {server.folder}/{name}\n" for name in ("missing", "garbage", "folder"))
    more = f"  CertificateFile {server.folder}/none-cert.pub\n  IdentityAgent none\n"
    async with configured(server, f"{others}  IdentityFile {server.key} # this one\n{more}") as machine:
        assert (await machine.run("echo there")).stdout == "there\n"
    with pytest.raises(AuthenticationFailed, match=r"tried: .*/garbage; try: ssh"):
        await configured(server, f"{others}{more}").open()
    with pytest.raises(AuthenticationFailed, match=r"there is no .*/missing; try: ssh"):
        await configured(server, f"  IdentityFile {server.folder}/missing\n{more}").open()


async def test_a_key_that_only_the_agent_has(sshd: MakeSshd, agent: str, reader: str) -> None:
    server = sshd()
    write_key(server.folder / "other")
    how = {**os.environ, "SSH_AUTH_SOCK": agent}
    for key in (server.folder / "other", server.key):
        await program(found("ssh-add"), "-q", key, env=how)
    server.key.unlink()
    for said in (f"{server.key}.pub", f"{server.key}"):
        text = f"  IdentityFile {said}\n  IdentitiesOnly yes\n  IdentityAgent {agent}\n"
        async with configured(server, text) as machine:
            assert machine.state == "up"
    # No other key of the agent is offered than those that are named.
    text = f"  IdentityFile {server.folder}/other.pub\n  IdentitiesOnly yes\n  IdentityAgent {agent}\n"
    with pytest.raises(AuthenticationFailed):
        await configured(server, text).open()
    with pytest.raises(AuthenticationFailed):
        await configured(server, f"  IdentityFile {server.key}\n  IdentityAgent none\n").open()


async def test_a_command_in_between_is_one_for_a_shell(sshd: MakeSshd, tmp_path: Path, reader: str) -> None:
    server = sshd()
    relay = tmp_path / "relay"
    relay.write_text(
        "import socket, sys, threading, os\nsock = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def back():\n    while data := sock.recv(65536):\n        os.write(1, data)\n    os._exit(0)\n"
        "threading.Thread(target=back, daemon=True).start()\n"
        "while data := os.read(0, 65536):\n    sock.sendall(data)\n"
    )
    text = f'  IdentityFile {server.key}\n  ProxyCommand "{sys.executable}" {relay} %h "%p" 2>/dev/null\n'
    async with configured(server, text) as machine:
        assert (await machine.run("echo there")).stdout == "there\n"


async def test_what_a_command_in_between_says_is_told(sshd: MakeSshd, reader: str) -> None:
    server = sshd()
    text = """  ProxyCommand /bin/sh -c "echo first >&2; echo 'no way today' >&2; exit 3"\n"""
    with pytest.raises(ConnectionFailed, match="its ProxyCommand says: no way today"):
        await configured(server, text).open(1.5)


async def test_a_way_that_is_left_out(sshd: MakeSshd, reader: str) -> None:
    server = sshd()
    text = f"  IdentityFile {server.key}\n  ProxyJump nobody@127.0.0.1:1\n"
    async with configured(server, text, jump="none") as machine:
        assert machine.state == "up"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """The socket of an ssh-agent of the test's own."""
    path = tmp_path / "agent"
    process = subprocess.Popen([found("ssh-agent"), "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        yield str(path)
    finally:
        process.kill()
        process.wait()
