"""Which host keys machines are known by.

A machine is known by the key its provider pinned; else by the user's own ``known_hosts`` files; else by the key that it
showed when it was first logged in to, which is kept in a file of ours: one line of the ``known_hosts`` form each, so
that ``ssh-keygen -R`` works on it. The first login is the only one that nothing vouches for. A machine behind jump
hosts is another one than the machine of the same address in front of them.

Any number of processes may share the file: it is appended to under a lock, and of two keys that are shown for one
machine at once only the first is kept.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from skyward_jupyter.errors import HostKeyChanged, UsageError
from skyward_jupyter.ssh.hosts import Host
from skyward_jupyter.wire.locks import locked

_DEFAULT_PORT = 22

type _Trusted = tuple[
    Sequence[asyncssh.SSHKey],
    Sequence[asyncssh.SSHKey],
    Sequence[asyncssh.SSHKey],
    Sequence[object],
    Sequence[object],
    Sequence[object],
    Sequence[object],
]


class Ledger:
    """The file of keys that machines showed when they were first logged in to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keys(self, place: str) -> list[asyncssh.SSHKey]:
        """What the machine at `place` is known by; empty for one that is new."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for line in self.path.read_text().splitlines():
                name, _, key = line.partition(" ")
                if name == place:
                    with contextlib.suppress(asyncssh.KeyImportError):
                        found.append(asyncssh.import_public_key(key))
        return found

    def trust(self, place: str, key: asyncssh.SSHKey) -> list[asyncssh.SSHKey]:
        """Keep the key of a machine that was new; returns what it is known by now: someone may have been faster."""
        with locked(self.path.with_name(f".{self.path.name}.lock")):
            known = self.keys(place)
            if known:
                return known
            line = key.export_public_key("openssh").decode().split()[:2]
            with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w") as file:
                file.write(f"{place} {' '.join(line)}\n")
            return [key]


@dataclass(slots=True)
class Verifier:
    """Checks the host key of one machine during one attempt to connect to it.

    Attributes
    ----------
    host
        The machine.
    """

    host: Host
    ledger: Ledger
    _known: list[asyncssh.SSHKey] = field(default_factory=list)
    _authorities: bool = False
    _source: str = ""
    _asked: str = ""
    _shown: asyncssh.SSHKey | None = None
    _refused: bool = False

    def trusted(self, files: Sequence[str], alias: str = "") -> _Trusted:
        """What asyncssh shall accept by itself: keys, authorities and revoked keys.

        Reads the user's `files`, which know the machine by `alias` if it has one.
        """
        if self.host.host_key:
            self._source = "pinned"
            self._known = [key for key in [_pinned(self.host)] if key is not None]
            return _only(self._known)
        user = _user_known(files, self._name(alias))
        if any(user[:2]) or user[3]:
            self._source = "user"
            self._known, self._authorities = list(user[0]), bool(user[1])
            return user
        self._known = self.ledger.keys(self.host.path)
        self._source = "ledger" if self._known else ""
        return _only(self._known, user[2])

    def kinds(self) -> Sequence[str]:
        """The kinds of host keys to ask for: of those that are known first, but of all, to see what it has now."""
        if not self._known:
            return ()
        known = [kind for key in self._known for kind in key.sig_algorithms]
        signed = get_default_certificate_algs() if self._authorities else []
        rest = [kind for kind in get_default_public_key_algs() if kind not in known]
        return [kind.decode() for kind in (*signed, *known, *rest)]

    def accept(self, key: asyncssh.SSHKey) -> bool:
        """Whether to go on with a key that asyncssh does not know."""
        self._shown = key
        if self._source == "":
            return True
        fits = self._source == "pinned" and not self._known and self.host.host_key == key.get_fingerprint()
        self._refused = not fits
        return fits

    def confirm(self) -> str:
        """The machine has proved that it holds the key it showed, and let us in: remember it, if it was new.

        Returns a sentence about that, or "".

        Raises
        ------
        HostKeyChanged
            Someone else was shown another key of it a moment ago.
        """
        if self._source or self._shown is None:
            return ""
        self._known = self.ledger.trust(self.host.path, self._shown)
        self._source = "ledger"
        if self._shown not in self._known:
            raise self.changed()
        return f"its host key {self._shown.get_fingerprint()} was not known, and is trusted from now on"

    @property
    def refused(self) -> bool:
        """Whether the key was not the known one."""
        return self._refused

    def changed(self) -> HostKeyChanged:
        """The error to raise for a key that is not the known one."""
        known = " or ".join(key.get_fingerprint() for key in self._known) or self.host.host_key or "another authority"
        shown = self._shown.get_fingerprint() if self._shown else ""
        return HostKeyChanged(self.host.name, known, shown, self._advice())

    def _name(self, alias: str) -> str:
        """What the user's files call it."""
        self._asked = alias or (self.host.host if self.host.port == _DEFAULT_PORT else self.host.place)
        return self._asked

    def _advice(self) -> str:
        if self._source == "pinned":
            return "this is not the machine that was started, or someone is in between; start it again"
        name = self._asked if self._source == "user" else self.host.path
        file = "" if self._source == "user" else f"-f '{self.ledger.path}' "
        return (
            "someone may be in between, or the machine was set up anew; if you know that it was, "
            f"forget the old key with: ssh-keygen {file}-R '{name}'"
        )


def _pinned(host: Host) -> asyncssh.SSHKey | None:
    """The pinned key; None where only its fingerprint is known."""
    if host.host_key.startswith("SHA256:"):
        return None
    try:
        return asyncssh.import_public_key(host.host_key)
    except asyncssh.KeyImportError as error:
        raise UsageError(f"the host key given for {host.name} is none: {error}") from error


def _only(keys: Sequence[asyncssh.SSHKey], revoked: Sequence[asyncssh.SSHKey] = ()) -> _Trusted:
    return keys, (), revoked, (), (), (), ()


def _user_known(files: Sequence[str], name: str) -> _Trusted:
    """What the user's files say of a machine: of its name and port, as OpenSSH asks, not of its address."""
    readable = [file for file in files if os.access(file, os.R_OK)]
    try:
        known = asyncssh.read_known_hosts(readable)
    except ValueError as error:
        raise UsageError(f"{' or '.join(readable)} cannot be read: {error}") from error
    # Names of X.509 subjects are left out: asyncssh takes them from files only.
    # Asked without a port, so that an entry for the same name at the default port does not count for another one.
    keys, authorities, revoked, certificates, withdrawn, _, _ = known.match(name, "", None)
    return keys, authorities, revoked, certificates, withdrawn, (), ()
