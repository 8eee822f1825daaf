"""The token of a pool, which callers of its HTTP API show, and how its secrets are written."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from skyward_jupyter.agent.cluster import TOKEN


def make(directory: Path) -> str:
    """Write a new token into `directory`, and return it: 32 random bytes as text."""
    token = secrets.token_urlsafe(32)
    write_private(directory / TOKEN, token.encode())
    return token


def read(directory: Path) -> str:
    """The token that was written into `directory`; empty where it is gone."""
    try:
        return (directory / TOKEN).read_text()
    except OSError:
        return ""


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only this user can read."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
