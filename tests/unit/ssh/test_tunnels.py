"""The near end of a tunnel, while the machine is not reachable yet."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from skyward_jupyter.ssh.hosts import parse
from skyward_jupyter.ssh.keeper import Keeper
from skyward_jupyter.ssh.known import Ledger
from skyward_jupyter.ssh.peers import user_of
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


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="takes root on Linux")
async def test_another_user_is_not_let_in_and_costs_no_descriptor(tunnel: Tunnel) -> None:
    await tunnel.open()
    script = (
        "import os, socket, sys\n"
        "os.setuid(65534)\n"
        "made = [socket.socket() for _ in range(500)]\n"
        "for each in made:\n"
        f"    each.connect(('127.0.0.1', {tunnel.local}))\n"
        "for each in made:\n"
        "    try: assert each.recv(1) == b''\n"
        "    except ConnectionResetError: pass\n"
    )
    before = len(os.listdir("/proc/self/fd"))
    stranger = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stderr=subprocess.PIPE)
    assert await asyncio.wait_for(stranger.communicate(), 20) == (None, b"")
    assert stranger.returncode == 0
    with socket.create_connection(("127.0.0.1", tunnel.local), timeout=10) as own:
        assert user_of(own.getsockname(), own.getpeername()) == os.geteuid()
        await asyncio.sleep(0.1)
        own.settimeout(0.1)
        with pytest.raises(TimeoutError):  # it waits for its machine
            await asyncio.to_thread(own.recv, 1)
        assert len(os.listdir("/proc/self/fd")) < before + 20
    tunnel.close()


def test_what_cannot_be_told_is_nobody_s() -> None:
    assert user_of(("127.0.0.1", 1), ("127.0.0.1", 2)) is None
