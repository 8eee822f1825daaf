"""One attempt to log in to a machine, through whatever lies in between, with every host key on the way verified.

Says which failures are worth another attempt: a machine that boots refuses, is unreachable, or hangs up in the middle.
One that does not accept our key, or shows another host key than before, does not do better the next time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from skyward_jupyter.errors import AuthenticationFailed, ConnectionFailed, UsageError
from skyward_jupyter.ssh.hosts import Host, overrides
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
_USUAL_KNOWN = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts")


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
    try:
        ssh = await asyncssh.connect(**await asyncio.to_thread(_said, host, verifier, client, through))
    except (OSError, asyncssh.Error, asyncssh.ChannelOpenError, ValueError) as error:
        raise await asyncio.to_thread(_judged, host, verifier, error) from error
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
        self.why = ""

    def connection_lost(self, exc: Exception | None) -> None:
        self.why = _reason(exc)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return self._verifier.accept(key)


def _said(
    host: Host, verifier: Verifier, client: _Client, through: asyncssh.SSHClientConnection | None
) -> dict[str, Any]:
    """All that asyncssh must be told; reads the files of known hosts."""
    said: dict[str, Any] = {"host": host.alias, **overrides(host.user, host.port, host.config)}
    configured = asyncssh.SSHClientConnectionOptions(**said, client_keys=None)
    named = configured.known_hosts
    files = named if isinstance(named, Sequence) and named else _USUAL_KNOWN
    if not configured.config.get("Ciphers"):
        said["encryption_algs"] = _CIPHERS
    if host.keys:
        said |= {"client_keys": list(host.keys), "ignore_encrypted": True}
    if through is not None:
        said["tunnel"] = through
    return said | {
        # What the configuration may say for people at terminals.
        "request_pty": False,
        "x11_forwarding": False,
        "command": None,
        "client_factory": lambda: client,
        "keepalive_interval": KEEPALIVE_INTERVAL,
        "keepalive_count_max": KEEPALIVE_COUNT,
        "known_hosts": verifier.trusted(
            [str(Path(str(file)).expanduser()) for file in files], configured.host_key_alias or ""
        ),
        "server_host_key_algs": verifier.kinds(),
    }


def _judged(host: Host, verifier: Verifier, error: Exception) -> Exception:
    """What a failure means."""
    match error:
        case UsageError():
            return error
        case _ if verifier.refused:
            return verifier.changed()
        case asyncssh.KeyExchangeFailed() | asyncssh.ProtocolNotSupported() | asyncssh.HostKeyNotVerifiable():
            return ConnectionFailed(host.name, f"{host.name} speaks no SSH that suits: {error.reason}")
        case asyncssh.PermissionDenied():
            return AuthenticationFailed(host.name, _denied(host))
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
            return NotYet(_reason(error))
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


def _denied(host: Host) -> str:
    locked = [path for path in _key_files(host) if _is_locked(path)]
    if locked:
        advice = f"the key {locked[0]} has a passphrase: unlock it once with: ssh-add {locked[0]}"
    else:
        advice = f"tried: {', '.join(tried)}; " if (tried := _key_files(host)) else ""
        advice += f"try: ssh -p {host.port} {host.user}@{host.host}, and name the key that works with key="
    return f"{host.name} accepts none of our keys for {host.user}; {advice}"


def _key_files(host: Host) -> Sequence[str]:
    usual = [str(Path("~/.ssh").expanduser() / name) for name in _USUAL_KEYS]
    return host.keys or [path for path in usual if Path(path).is_file()]


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
