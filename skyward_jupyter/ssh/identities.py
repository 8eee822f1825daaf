"""The keys to offer a machine, as OpenSSH chooses them: what is missing, or cannot be read, is passed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

_UNREADABLE = (OSError, ValueError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError)


@dataclass(frozen=True, slots=True)
class Identities:
    """What is said of keys.

    Attributes
    ----------
    files, certificates
        Files of keys and of certificates for them; None for the usual ones.
    only
        Whether the agent is asked for none but these.
    agent
        The agent's socket; "" for none, and None for the usual one.
    """

    files: tuple[str, ...] | None = None
    certificates: tuple[str, ...] | None = None
    only: bool = False
    agent: str | None = None

    def offered(self) -> dict[str, Any]:
        """All that asyncssh must be told of them; reads the files."""
        said: dict[str, Any] = {"ignore_encrypted": True}
        if self.agent is not None:
            said["agent_path"] = self.agent
        certificates = [one for file in self.certificates or () for one in _certificates(file)]
        if self.certificates is not None:
            said["client_certs"] = certificates
        if self.files is None:
            return said
        pairs = [pair for file in self.files for pair in _pairs(file, certificates)]
        # An iterator that is empty counts as something, where an empty list would stand for the usual keys.
        said["client_keys"] = pairs or iter(())
        if self.only:
            known = [public for file in self.files if (public := _public(file)) is not None]
            said |= {"agent_identities": known} if known else {"agent_path": ""}
        return said


def _pairs(file: str, certificates: Sequence[asyncssh.SSHCertificate]) -> list[asyncssh.SSHKeyPair]:
    try:
        return list(asyncssh.load_keypairs([file], certlist=certificates, ignore_encrypted=True))
    except _UNREADABLE:
        return []


def _certificates(file: str) -> list[asyncssh.SSHCertificate]:
    try:
        return list(asyncssh.load_certificates([file]))
    except _UNREADABLE:
        return []


def _public(file: str) -> asyncssh.SSHKey | None:
    """The public key of a file, by which an agent knows it: the private one may be locked, or only in the agent."""
    for place in (f"{file}.pub", file):
        try:
            return asyncssh.read_public_key(place)
        except _UNREADABLE:
            continue
    try:
        return asyncssh.read_private_key(file).convert_to_public() if Path(file).is_file() else None
    except _UNREADABLE:
        return None
