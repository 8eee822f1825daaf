"""Files of a machine whose connection breaks as the first of them is to be written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import asyncssh
import pytest

from skyward_jupyter.errors import ConnectionLost, TransferFailed
from skyward_jupyter.ssh.files import Files
from skyward_jupyter.ssh.keeper import Keeper


@dataclass
class Connection:
    """One that has no channel for SFTP, because it is closed or the machine has none."""

    closed: bool

    async def start_sftp_client(self) -> None:
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "no channel")

    def is_closed(self) -> bool:
        return self.closed


@dataclass
class Line:
    ssh: Connection


@dataclass
class Kept:
    """A keeper whose line is up."""

    closed: bool
    up: Line = field(init=False)

    def __post_init__(self) -> None:
        self.up = Line(Connection(self.closed))

    async def line(self) -> Line:
        return self.up


@pytest.mark.parametrize(("closed", "expected"), [(True, ConnectionLost), (False, TransferFailed)])
async def test_a_connection_that_breaks_as_sftp_begins_is_not_a_machine_without_it(
    closed: bool, expected: type[Exception]
) -> None:
    files = Files("me@there", cast(Keeper, Kept(closed)))
    with pytest.raises(expected, match="no channel"):
        await files.write("file", b"content")
