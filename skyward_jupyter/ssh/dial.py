"""One attempt to log in to a machine, through whatever lies in between, with every host key on the way verified.

Says which failures are worth another attempt: a machine that boots refuses, is unreachable, or hangs up in the middle.
One that does not accept our key, or shows another host key than before, does not do better the next time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import asyncssh

from skyward_jupyter.errors import AuthenticationFailed, ConnectionFailed, UsageError
from skyward_jupyter.ssh.configuration import Configured, looked_up
from skyward_jupyter.ssh.hosts import Host
from skyward_jupyter.ssh.known import Ledger, Verifier

#: A silent machine is lost after interval x (count + 1) seconds.
KEEPALIVE_INTERVAL = 3.5
KEEPALIVE_COUNT = 3

#: Processors do these by themselves: nearly twice as much goes through a tunnel as with asyncssh's first choice.
_CIPHERS = "^aes256-gcm@openssh.com,aes128-gcm@openssh.com"
# What it says of each connection is for those who look for faults in it.
if logging.getLogger("asyncssh").level == logging.NOTSET:
    asyncssh.set_log_level(logging.WARNING)


def _worth_saying(record: logging.LogRecord) -> bool:
    """Whether what asyncio says is more than that a broken connection was written to, once for each packet."""
    return record.msg != "socket.send() raised exception."


# It comes of any burst that a break cuts; that the connection broke is told by other ways.
logging.getLogger("asyncio").addFilter(_worth_saying)

_USUAL_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_USUAL_KNOWN = (
    ("~/.ssh/known_hosts", "~/.ssh/known_hosts2"),
    ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"),
)


class NotYet(Exception):
    """An attempt that failed, and may do better next time; the text says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """An SSH connection, and those it goes through, nearest first."""

    ssh: asyncssh.SSHClientConnection
    through: tuple[asyncssh.SSHClientConnection, ...]
    client: _Client

    @property
    def note(self) -> str:
        """What people should know of it."""
        return self.client.note

    async def ended(self) -> str:
        """Wait until it is over, however it comes about; returns why."""
        await self.ssh.wait_closed()
        for one in reversed(self.through):
            one.abort()
        return self.client.why

    def abort(self) -> None:
        """Drop it at once."""
        for one in (self.ssh, *reversed(self.through)):
            one.abort()

    async def close(self) -> None:
        """Say good-bye, and wait until it is closed."""
        for one in (self.ssh, *reversed(self.through)):
            one.close()
            await one.wait_closed()


async def dial(host: Host, ledger: Ledger, within: float) -> Line:
    """Log in to a machine once, in at most `within` seconds.

    Raises
    ------
    NotYet
        It may do better the next time.
    ConnectionFailed
        It will not.
    """
    through: list[asyncssh.SSHClientConnection] = []
    try:
        async with asyncio.timeout(within):
            for hop in host.jump:
                hopped, _ = await _attempt(hop, ledger, through[-1] if through else None)
                through.append(hopped)
            ssh, client = await _attempt(host, ledger, through[-1] if through else None)
            return Line(ssh, tuple(through), client)
    except BaseException as error:
        for one in reversed(through):
            one.abort()
        if isinstance(error, TimeoutError):
            raise NotYet(f"no answer within {within:g} s") from error
        raise


async def _attempt(
    host: Host, ledger: Ledger, through: asyncssh.SSHClientConnection | None
) -> tuple[asyncssh.SSHClientConnection, _Client]:
    verifier = Verifier(host, ledger)
    client = _Client(verifier)
    looked: Future[contextlib.ExitStack] = Future()
    try:
        try:
            said = await asyncio.to_thread(_said, host, verifier, client, through, looked)
            try:
                ssh = await asyncssh.connect(**said)
            finally:
                client.complaint = await asyncio.to_thread(client.complained)
        finally:
            # A thread that still looks when this is given up closes it itself once it has looked.
            looked.add_done_callback(lambda done: done.result().close())
    except (OSError, asyncssh.Error, asyncssh.ChannelOpenError, ValueError) as error:
        raise await asyncio.to_thread(_judged, host, client, verifier, error) from error
    try:
        client.note = await asyncio.to_thread(verifier.confirm)
    except BaseException:
        ssh.abort()
        raise
    return ssh, client


class _Client(asyncssh.SSHClient):
    """Asks the verifier about keys that asyncssh does not know, and hears why a connection ended."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self.note = ""
        self.tried: Sequence[str] = ()
        self.complaints: Path | None = None
        self.complaint = ""
        self.why = ""

    def connection_lost(self, exc: Exception | None) -> None:
        self.why = _reason(exc)

    def complained(self) -> str:
        """The last line of what the command in between wrote to stderr; "" for nothing."""
        if self.complaints is None:
            return ""
        with contextlib.suppress(OSError), self.complaints.open("rb") as file:
            file.seek(max(0, self.complaints.stat().st_size - 1000))
            return (file.read().decode(errors="replace").strip().splitlines() or [""])[-1]
        return ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return self._verifier.accept(key)


def _said(
    host: Host,
    verifier: Verifier,
    client: _Client,
    through: asyncssh.SSHClientConnection | None,
    looked: Future[contextlib.ExitStack],
) -> dict[str, Any]:
    """All that asyncssh must be told; reads the files of keys and known hosts. It counts until `looked` is closed."""
    stack = contextlib.ExitStack()
    try:
        found = stack.enter_context(looked_up(host.name, host.alias, host.user, host.port, host.config))
        return _told(found, host, verifier, client, through)
    finally:
        looked.set_result(stack)


def _told(
    found: Configured,
    host: Host,
    verifier: Verifier,
    client: _Client,
    through: asyncssh.SSHClientConnection | None,
) -> dict[str, Any]:
    identities = replace(found.identities, files=host.keys) if host.keys else found.identities
    client.tried = identities.files or ()
    said: dict[str, Any] = {**found.said, **identities.offered(), "tunnel": through, "proxy_command": None}
    if host.keys:
        said["client_keys"] = list(host.keys)  # what is wrong with one that was named here is said
    if through is None and not host.jump and found.proxy:
        client.complaints = found.folder / "proxy"
        said["proxy_command"] = _behind(found.proxy, client.complaints)
    if not found.options.config.get("Ciphers"):
        said["encryption_algs"] = _CIPHERS
    return said | {
        # What the configuration may say for people at terminals.
        "request_pty": False,
        "x11_forwarding": False,
        "command": None,
        "client_factory": lambda: client,
        "keepalive_interval": KEEPALIVE_INTERVAL,
        "keepalive_count_max": KEEPALIVE_COUNT,
        "known_hosts": verifier.trusted(_known_files(found.options), found.options.host_key_alias or ""),
        "server_host_key_algs": verifier.kinds(),
    }


def _behind(command: str, complaints: Path) -> list[str]:
    """What runs a command that a connection goes through, in the user's shell, as ssh does.

    asyncssh takes what it writes to stderr for the machine's words, and the end of stderr for that of the connection.
    So stderr stays open beside it, and what it writes goes to a file.
    """
    held = 'exec 3>&2 2>"$1"; exec "$2" -c "exec $3"'
    return ["/bin/sh", "-c", held, "sh", str(complaints), os.environ.get("SHELL") or "/bin/sh", command]


def _known_files(options: asyncssh.SSHClientConnectionOptions) -> list[str]:
    """The user's files of known hosts, and the system's."""
    named = (options.config.get(name) for name in ("UserKnownHostsFile", "GlobalKnownHostsFile"))
    files = (usual if said is None else said for said, usual in zip(named, _USUAL_KNOWN, strict=True))
    return [str(Path(file).expanduser()) for some in files for file in cast(Sequence[str], some)]


def _judged(host: Host, client: _Client, verifier: Verifier, error: Exception) -> Exception:
    """What a failure means."""
    match error:
        case UsageError():
            return error
        case _ if verifier.refused:
            return verifier.changed()
        case asyncssh.KeyExchangeFailed() | asyncssh.ProtocolNotSupported() | asyncssh.HostKeyNotVerifiable():
            return ConnectionFailed(host.name, f"{host.name} speaks no SSH that suits: {error.reason}")
        case asyncssh.PermissionDenied():
            return AuthenticationFailed(host.name, _denied(host, client.tried))
        case asyncssh.DisconnectError() if "uthentication failures" in error.reason:
            return AuthenticationFailed(
                host.name,
                f"{host.name} was offered more keys than it looks at: name the right one with key=, "
                "or with IdentityFile and IdentitiesOnly in ~/.ssh/config",
            )
        case socket.gaierror() if error.errno == socket.EAI_NONAME:
            return ConnectionFailed(
                host.name, f"{host.name} cannot be found: there is no machine of the name {host.host}"
            )
        case asyncssh.Error() | OSError():
            beside = f" (its ProxyCommand says: {client.complaint})" if client.complaint else ""
            return NotYet(f"{_reason(error)}{beside}")
        case _:
            return UsageError(f"{host.name} cannot be logged in to: {error}")


def _reason(error: Exception | None) -> str:
    match error:
        case None:
            return "it was closed"
        case asyncssh.Error():
            return error.reason
        case OSError():
            return _plain(error)
        case _:
            return str(error) or type(error).__name__


def _plain(error: OSError) -> str:
    """What an error of the operating system says, without addresses and numbers around it."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return (error.strerror or str(error) or type(error).__name__).lower()


def _denied(host: Host, tried: Sequence[str]) -> str:
    files = [file for file in tried or _usual_keys() if Path(file).is_file()]
    locked = [path for path in files if _is_locked(path)]
    if locked:
        advice = f"the key {locked[0]} has a passphrase: unlock it once with: ssh-add {locked[0]}"
    else:
        advice = f"tried: {', '.join(files)}; " if files else _absent(tried)
        advice += f"try: ssh -p {host.port} {host.user}@{host.host}, and name the key that works with key="
    return f"{host.name} accepts none of our keys for {host.user}; {advice}"


def _absent(tried: Sequence[str]) -> str:
    return f"there is no {' and no '.join(tried)}; " if tried else ""


def _usual_keys() -> list[str]:
    return [str(Path("~/.ssh").expanduser() / name) for name in _USUAL_KEYS]


def _is_locked(path: str) -> bool:
    """Whether a private key cannot be read without a passphrase."""
    with contextlib.suppress(asyncssh.KeyImportError, OSError):
        asyncssh.read_private_key(path)
        return False
    try:
        asyncssh.read_private_key(path, passphrase="-")
    except asyncssh.KeyEncryptionError:
        return True
    except (asyncssh.KeyImportError, OSError):
        return False
    return False
