"""The near end of a tunnel, while the machine is not reachable yet."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from skyward_jupyter.ssh.hosts import parse
from skyward_jupyter.ssh.keeper import Keeper
from skyward_jupyter.ssh.known import Ledger
from skyward_jupyter.ssh.tunnels import Tunnel


@pytest.fixture
def tunnel(tmp_path: Path) -> Tunnel:
    return Tunnel(Keeper(parse("me@127.0.0.1:1"), Ledger(tmp_path / "known")), "127.0.0.1", 1)


@pytest.mark.parametrize("turns", range(7))
async def test_whoever_connects_as_it_closes_is_refused(tunnel: Tunnel, turns: int) -> None:
    """However far the loop has come with taking them in."""
    await tunnel.open()
    with socket.create_connection(("127.0.0.1", tunnel.local), timeout=10) as client:
        for _ in range(turns):
            await asyncio.sleep(0)
        tunnel.close()
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.to_thread(client.recv, 1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", tunnel.local), timeout=10)


@pytest.mark.parametrize("turns", range(7))
async def test_one_that_is_given_up_as_it_opens_listens_no_more(tunnel: Tunnel, turns: int) -> None:
    opening = asyncio.create_task(tunnel.open())
    for _ in range(turns):
        await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    if not opening.cancelled():
        tunnel.close()
    await asyncio.sleep(0)
    if tunnel.local:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", tunnel.local), timeout=10)
