"""Logging in: machines that are not up yet, keys that do not fit, host keys that change, and ways through others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skyward_jupyter.errors import AuthenticationFailed, ConnectionFailed, ConnectionLost, HostKeyChanged, UsageError
from skyward_jupyter.ssh.configuration import Configured, looked_up
from skyward_jupyter.ssh.connection import Connection
from skyward_jupyter.ssh.hosts import parse
from tests.machines import MakeSshd, Sshd, program, until, write_key


def fingerprint(path: Path) -> str:
    said = subprocess.run(["ssh-keygen", "-lf", path], check=True, capture_output=True, text=True)
    return said.stdout.split()[1]


async def test_waits_for_a_machine_that_is_not_up_yet(sshd: MakeSshd) -> None:
    server = sshd(started=False)
    told: list[tuple[str, str]] = []
    machine = server.connection(watch=lambda state, why: told.append((state, why)))
    opening = asyncio.create_task(machine.open(within=60))
    await until(lambda: len(told) >= 3)
    assert set(told) == {("connecting", "connection refused")}
    server.start()
    await opening
    assert machine.state == "up"
    await machine.close()
    assert machine.state == "closed"
    with pytest.raises(ConnectionLost, match="closed"):
        await machine.run("true")


async def test_gives_up_in_the_end(sshd: MakeSshd) -> None:
    machine = sshd(started=False).connection()
    with pytest.raises(ConnectionFailed, match=r"within 1\.5 s \(connection refused\)") as failed:
        await machine.open(within=1.5)
    assert failed.value.host == machine.name
    assert machine.state == "closed"


async def test_stops_when_it_is_given_up(sshd: MakeSshd) -> None:
    machine = sshd(started=False).connection()
    opening = asyncio.create_task(machine.open())
    await until(lambda: machine.why)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert len(asyncio.all_tasks()) == 1


async def test_what_is_looked_up_is_closed_by_its_owner_also_after_it_was_given_up(
    sshd: MakeSshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that looks cannot be stopped: what it finds later must not be left for the collector."""
    begun, go_on, ends = threading.Event(), threading.Event(), list[str]()

    @contextlib.contextmanager
    def slow(*given: Any) -> Iterator[Configured]:
        with looked_up(*given) as found:
            begun.set()
            go_on.wait(20)
            try:
                yield found
                ends.append("closed")
            except GeneratorExit:
                ends.append("dropped")
                raise
        ends.append("removed" if not found.folder.exists() else "left")

    monkeypatch.setattr("skyward_jupyter.ssh.dial.looked_up", slow)
    opening = asyncio.create_task(sshd(started=False).connection().open())
    await until(begun.is_set)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    go_on.set()
    await until(lambda: len(ends) == 2 or ends == ["dropped"])
    assert ends == ["closed", "removed"]


@pytest.mark.parametrize("greeting", [b"", b"Not ready, come back later\r\n\r\n", b"\0" * 5000])
async def test_tries_again_when_something_else_answers(sshd: MakeSshd, greeting: bytes) -> None:
    """A machine that boots may have a listener that hangs up, or says something else first."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = sshd(started=False)
    machine = server.connection()
    async with await asyncio.start_server(answer, server.addresses[0], server.port):
        opening = asyncio.create_task(machine.open(within=60))
        await until(lambda: machine.why)
    server.start()
    await opening
    await machine.close()


async def test_a_name_that_nobody_has(sshd: MakeSshd) -> None:
    machine = Connection(parse("root@no-such-machine.invalid", config=sshd().folder / "config"), sshd().ledger())
    with pytest.raises(ConnectionFailed, match=r"no machine of the name no-such-machine\.invalid|could not be reached"):
        await machine.open(within=3)


async def test_a_key_that_does_not_fit_is_not_tried_again(sshd: MakeSshd, tmp_path: Path) -> None:
    server = sshd()
    write_key(tmp_path / "other")
    machine = server.connection(key=str(tmp_path / "other"))
    with pytest.raises(AuthenticationFailed, match=r"accepts none of our keys for root; tried: .*/other; try: ssh"):
        await machine.open()
    assert machine.state == "failed"
    refusals = "Connection closed by authenticating user"
    await until(lambda: refusals in server.log)
    assert server.log.count(refusals) == 1


async def test_a_key_that_the_machine_learns_later(sshd: MakeSshd) -> None:
    server = sshd()
    keys = server.folder / "authorized_keys"
    keys.rename(server.folder / "later")
    machine = server.connection()
    opening = asyncio.create_task(machine.open(unaccepted=60))
    await until(lambda: "accepts none" in machine.why)
    (server.folder / "later").rename(keys)
    await opening
    await machine.close()


async def test_a_key_with_a_passphrase(sshd: MakeSshd, agent: str) -> None:
    server = sshd()
    server.key.unlink()
    await program("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", server.key)
    (server.folder / "authorized_keys").write_bytes(server.key.with_suffix(".pub").read_bytes())
    with pytest.raises(AuthenticationFailed, match=f"ssh-add {server.key}"):
        await server.connection().open()
    # Unlocked in an agent, it is used.
    (server.folder / "config").write_text(f"Host *\n  IdentityAgent {agent}\n")
    ask = server.folder / "ask"
    ask.write_text("#!/bin/sh\necho secret\n")
    ask.chmod(0o700)
    how = {**os.environ, "SSH_AUTH_SOCK": agent, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
    await program("ssh-add", server.key, env=how)
    async with server.connection() as machine:
        assert machine.state == "up"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """The socket of an ssh-agent of the test's own."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        yield str(path)
    finally:
        process.kill()
        process.wait()


async def test_a_changed_host_key_is_refused(sshd: MakeSshd) -> None:
    server = sshd()
    before = fingerprint(server.folder / "host_key.pub")
    async with server.connection() as machine:
        assert machine.why == f"its host key {before} was not known, and is trusted from now on"
    server.stop()
    server.new_host_key()
    server.start()
    with pytest.raises(HostKeyChanged) as refused:
        await server.connection().open()
    error = refused.value
    assert (error.known, error.shown) == (before, fingerprint(server.folder / "host_key.pub"))
    for part in (server.name, error.known, error.shown, "ssh-keygen -f"):
        assert part in str(error)
    # What the sentence says helps.
    await program(*shlex.split(str(error).partition("with: ")[2]))
    async with server.connection() as machine:
        assert machine.state == "up"


async def test_a_host_key_that_changes_during_a_break(sshd: MakeSshd) -> None:
    server = sshd()
    async with server.connection() as machine:
        server.stop()
        server.new_host_key()
        server.start()
        await until(lambda: machine.state == "failed")
        with pytest.raises(HostKeyChanged):
            await machine.run("true")


async def test_a_host_key_of_another_kind_is_a_changed_one(sshd: MakeSshd) -> None:
    server = sshd()
    async with server.connection():
        pass
    server.stop()
    for name in ("host_key", "host_key.pub"):
        (server.folder / name).unlink()
    await program("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", server.folder / "host_key")
    server.start()
    with pytest.raises(HostKeyChanged, match="is known by"):
        await server.connection().open()


async def test_the_users_known_hosts_go_first(sshd: MakeSshd) -> None:
    server = sshd()
    known = server.folder / "known_hosts"
    place = f"[{server.addresses[0]}]:{server.port}"
    known.write_text(f"{place} {server.host_key}\n")
    async with server.connection() as machine:
        assert machine.why == ""
        assert not server.ledger().path.exists()
    # It may know the machine by another name.
    known.write_text(f"alias {server.host_key}\n")
    with (server.folder / "config").open("a") as config:
        config.write("  HostKeyAlias alias\n")
    async with server.connection():
        assert not server.ledger().path.exists()
    (server.folder / "config").write_text((server.folder / "config").read_text().replace("HostKeyAlias", "#"))
    write_key(server.folder / "another")
    known.write_text(f"{place} {(server.folder / 'another.pub').read_text()}")
    with pytest.raises(HostKeyChanged, match="forget the old key with: ssh-keygen -R"):
        await server.connection().open()
    # One of the same name at the default port is another machine.
    known.write_text(f"{server.addresses[0]} {(server.folder / 'another.pub').read_text()}")
    async with server.connection():
        assert server.ledger().path.exists()
    # What they say was revoked is refused even so.
    server.ledger().path.unlink()
    known.write_text(f"@revoked {place} {server.host_key}\n")
    with pytest.raises(ConnectionFailed):
        await server.connection().open()


async def test_a_pinned_host_key(sshd: MakeSshd) -> None:
    server = sshd()
    write_key(server.folder / "another")
    another = " ".join((server.folder / "another.pub").read_text().split()[:2])
    for fits in (server.host_key, fingerprint(server.folder / "host_key.pub")):
        async with server.connection(host_key=fits):
            assert not server.ledger().path.exists()
    for fits_not in (another, fingerprint(server.folder / "another.pub")):
        with pytest.raises(HostKeyChanged, match="not the machine that was started"):
            await server.connection(host_key=fits_not).open()
    with pytest.raises(UsageError, match="host key given"):
        await server.connection(host_key="nonsense").open()


async def test_many_that_meet_a_machine_for_the_first_time_agree(sshd: MakeSshd) -> None:
    server = sshd()
    machines = [server.connection() for _ in range(8)]
    await asyncio.gather(*(machine.open() for machine in machines))
    await asyncio.gather(*(machine.close() for machine in machines))
    assert len(server.ledger().path.read_text().splitlines()) == 1


def over(server: Sshd, *hops: Sshd) -> Connection:
    """A connection to `server` through `hops`; all accept the key of the first."""
    for one in (server, *hops):
        (one.folder / "authorized_keys").write_bytes(hops[0].key.with_suffix(".pub").read_bytes())
    host = parse(
        server.name,
        key=str(hops[0].key),
        jump=",".join(hop.name for hop in hops),
        config=server.folder / "config",
    )
    return Connection(host, server.ledger())


async def test_an_ipv6_address(sshd: MakeSshd) -> None:
    server = sshd(addresses=["::1"])
    assert server.name == f"{server.user}@[::1]:{server.port}"
    for _ in range(2):
        async with server.connection() as machine:
            assert (await machine.run("echo $SSH_CONNECTION")).stdout.startswith("::1 ")
    assert server.ledger().keys(f"[::1]:{server.port}")


async def test_goes_through_others(sshd: MakeSshd) -> None:
    server, first, second = sshd(), sshd(), sshd()
    async with over(server, first, second) as machine:
        assert (await machine.run("echo $SSH_CLIENT")).stdout.strip()
    assert [len(line.split()[0].split("<")) for line in server.ledger().path.read_text().splitlines()] == [1, 2, 3]
    # The host keys of those in between count, too.
    first.stop()
    first.new_host_key()
    first.start()
    with pytest.raises(HostKeyChanged, match=first.name):
        await over(server, first, second).open()


async def test_comes_back_when_one_in_between_does(sshd: MakeSshd) -> None:
    server, jump = sshd(), sshd()
    async with over(server, jump) as machine:
        jump.stop()
        await until(lambda: machine.state != "up")
        jump.start()
        assert (await machine.run("echo back")).stdout == "back\n"
    before = len(server.sessions()) + len(jump.sessions())
    await until(lambda: before == 0 or not (server.sessions() or jump.sessions()))


async def test_everything_runs_on_one_loop(sshd: MakeSshd) -> None:
    before = set(threading.enumerate())
    machine = sshd().connection()
    await machine.open()
    await machine.run("true")
    # Beside it, only the pool of threads of asyncio, which reads files.
    assert all(thread.name.startswith("asyncio_") for thread in set(threading.enumerate()) - before)
    await machine.close()
    await until(lambda: len(asyncio.all_tasks()) == 1)
