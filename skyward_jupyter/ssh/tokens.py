"""What a configuration writes for something of the machine: ``%h``, ``${NAME}`` and ``~``, as in ssh_config(5)."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

_TOKEN = re.compile(r"%(.?)")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class Meaningless(ValueError):
    """A token or a variable that is not known.

    Attributes
    ----------
    token
        As it is written.
    """

    def __init__(self, token: str, why: str) -> None:
        self.token = token
        super().__init__(f"{token} {why}")


def of(alias: str, host: str, port: int, user: str, jump: str = "", key_alias: str = "") -> Mapping[str, str]:
    """What the tokens mean for a machine."""
    here = socket.gethostname()
    return {
        "%": "%",
        "C": hashlib.sha1(f"{here}{host}{port}{user}{jump}".encode(errors="surrogateescape")).hexdigest(),
        "L": here.partition(".")[0],
        "d": str(Path.home()),
        "h": host,
        "i": str(os.getuid()),
        "j": jump,
        "k": key_alias or alias,
        "l": here,
        "n": alias,
        "p": str(port),
        "r": user,
        "u": getpass.getuser(),
    }


def expanded(text: str, tokens: Mapping[str, str], *, variables: bool = True) -> str:
    """A text with what they mean in it.

    Raises
    ------
    Meaningless
        A token or a variable is not known.
    """

    def token(found: re.Match[str]) -> str:
        if found[1] not in tokens:
            raise Meaningless(found[0], "means nothing there")
        return tokens[found[1]]

    def variable(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise Meaningless(found[0], "is an environment variable that is not set")
        return os.environ[found[1]]

    return _TOKEN.sub(token, _VARIABLE.sub(variable, text) if variables else text)


def path(text: str, tokens: Mapping[str, str]) -> str:
    """The path of a file: the same, and a home for ``~``."""
    return expanded(os.path.expanduser(text), tokens)
