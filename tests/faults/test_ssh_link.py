"""Links to machines that break: what is lost, what comes back by itself, and how soon."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from skyward_jupyter.errors import ConnectionLost
from skyward_jupyter.ssh.dial import KEEPALIVE_COUNT, KEEPALIVE_INTERVAL
from tests.machines import MakeSshd, until
from tests.namespaces import HOME, BareMachine, MakeMachine
from tests.processes import line_of

pytestmark = pytest.mark.fault

#: A silent link is noticed after so long (seconds), and what a busy machine adds to that.
NOTICED_WITHIN = KEEPALIVE_INTERVAL * (KEEPALIVE_COUNT + 1) + 10


@contextlib.asynccontextmanager
async def greeted(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection through a tunnel, once what is at its other end has said something."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        greeting = await reader.readline()
        if not greeting.startswith(b"SSH-"):
            raise ConnectionResetError
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that never says anything."""
    with contextlib.suppress(OSError):
        await reader.read()
    writer.close()


async def works(port: int) -> bool:
    with contextlib.suppress(OSError):
        async with greeted(port):
            return True
    return False


@pytest.mark.timeout(500)
async def test_a_link_that_is_down_for_a_minute(bare_machine: MakeMachine) -> None:
    """The command that streamed is lost and ended, its caller is told; the connection and its ports come back."""
    machine = bare_machine()
    told: list[tuple[float, str]] = []
    lines: list[str] = []
    async with machine.connection(watch=lambda state, why: told.append((time.monotonic(), state))) as connection:
        port = await connection.forward("127.0.0.1", 22)
        counting = "n=0; while :; do echo $n; n=$((n+1)); sleep 0.1; done"
        streaming = asyncio.create_task(connection.run(counting, on_line=lambda stream, text: lines.append(text)))
        async with greeted(port) as (reader, _):
            await until(lambda: len(lines) > 5)
            down = time.monotonic()
            machine.link_down()
            with pytest.raises(ConnectionLost, match=connection.name):
                await streaming
            noticed = time.monotonic()
            assert noticed - down < NOTICED_WITHIN
            # What was open through the tunnel is closed.
            assert await asyncio.wait_for(reader.read(), 5) == b""
        await asyncio.sleep(max(0.0, down + 55 - time.monotonic()))
        # Whoever connects during the break is led there after it.
        dialled = asyncio.create_task(works(port))
        await asyncio.sleep(max(0.0, down + 60 - time.monotonic()))
        machine.link_up()
        up = time.monotonic()
        assert (await connection.run("echo back")).stdout == "back\n"
        came_back = time.monotonic() - up
        assert connection.state == "up"
        assert await dialled
        assert await works(port)
        assert port == await connection.forward("127.0.0.1", 22)
        # The command that was lost runs no more.
        assert counting not in " ".join(await there(machine))
    # What came of it is all there, in order, and nothing twice.
    assert lines == [str(number) for number in range(len(lines))]
    assert [state for _, state in told if state != "connecting"] == ["up", "lost", "up", "closed"]
    print(f"noticed after {noticed - down:.1f} s, back {came_back:.1f} s after the link, {len(lines)} lines")
    assert came_back < 30


@pytest.mark.slow
async def test_a_loop_that_is_blocked_loses_nothing(sshd: MakeSshd) -> None:
    """Code that keeps the loop for longer than a silent machine may be silent: the machine was not."""
    states: list[str] = []
    async with sshd().connection(watch=lambda state, why: states.append(state)) as connection:
        running = asyncio.create_task(connection.run("sleep 5; echo done"))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(time.sleep, KEEPALIVE_INTERVAL * (KEEPALIVE_COUNT + 1) + 5)
        assert (await running).stdout == "done\n"
        for _ in range(3):
            await asyncio.sleep(KEEPALIVE_INTERVAL)
            assert (await connection.run("echo up")).stdout == "up\n"
    assert states == ["up", "closed"]


async def test_a_break_says_nothing_by_itself(sshd: MakeSshd, caplog: pytest.LogCaptureFixture) -> None:
    """What was under way raises to whoever waits for it, and nothing is logged beside."""
    server = sshd()
    async with server.connection() as connection:
        port = await connection.forward(server.addresses[0], server.port)
        path = str(server.folder / "door")
        async with await asyncio.start_unix_server(silent, path):
            reader, writer = await connection.open_socket(path)
            busy = [
                asyncio.create_task(connection.run("cat; sleep 1000", stdin=bytes(50_000_000))),
                asyncio.create_task(connection.write(str(server.folder / "big"), bytes(300_000_000))),
                asyncio.create_task(reader.read()),
            ]
            async with greeted(port) as (through, _):
                await until(lambda: any(name.endswith(".part") for name in os.listdir(server.folder)))
                server.stop()
                for task in busy:
                    with pytest.raises((ConnectionLost, ConnectionError)):
                        await task
                assert await through.read() == b""
            writer.close()
        server.start()
        given_up = asyncio.create_task(connection.write(str(server.folder / "another"), bytes(300_000_000)))
        await until(lambda: any(name.startswith(".another") for name in os.listdir(server.folder)))
        given_up.cancel()
    gc.collect()
    await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records] == []


async def there(machine: BareMachine) -> list[str]:
    """What runs on a machine."""
    return [line_of(process) for process in machine.processes()]


async def test_a_short_break_costs_nothing(bare_machine: MakeMachine) -> None:
    """A link that is down for less time than it takes to notice: the command goes on, no line is lost."""
    machine = bare_machine()
    states: list[str] = []
    async with machine.connection(watch=lambda state, why: states.append(state)) as connection:
        lines: list[str] = []
        counting = "n=0; while [ $n -lt 60 ]; do echo $n; n=$((n+1)); sleep 0.05; done"
        streaming = asyncio.create_task(connection.run(counting, on_line=lambda stream, text: lines.append(text)))
        await until(lambda: len(lines) > 5)
        machine.link_down()
        await asyncio.sleep(2)
        machine.link_up()
        assert (await streaming).status == 0
    assert lines == [str(number) for number in range(60)]
    assert states == ["up", "closed"]


async def test_a_machine_that_dies_and_another_of_its_address(bare_machine: MakeMachine) -> None:
    """What ran is lost; the machine in its place is connected to, through the same ports."""
    machine = bare_machine()
    async with machine.connection() as connection:
        port = await connection.forward("127.0.0.1", 22)
        assert await works(port)
        waiting = asyncio.create_task(connection.run("sleep 1000"))
        uploading = asyncio.create_task(connection.write(f"{HOME}/big", os.urandom(200_000_000)))
        await until(lambda: ".part" in machine.run(f"ls -A {HOME}"))
        machine.kill()
        machine.start()
        for lost in (waiting, uploading):
            with pytest.raises(ConnectionLost, match=connection.name):
                await lost
        assert (await connection.run(f"ls -A {HOME} | grep -c big")).stdout == "0\n"
        assert await works(port)


async def test_an_upload_that_is_cut_leaves_the_old_file(bare_machine: MakeMachine, tmp_path: Path) -> None:
    machine = bare_machine()
    async with machine.connection() as connection:
        await connection.write(f"{HOME}/file", b"old")
        (tmp_path / "big").write_bytes(os.urandom(100_000_000))
        uploading = asyncio.create_task(connection.upload(tmp_path / "big", f"{HOME}/file"))
        await until(lambda: ".part" in machine.run(f"ls -A {HOME}"))
        machine.run("pkill -KILL -f '[s]shd: root'")
        with pytest.raises(ConnectionLost):
            await uploading
        assert await connection.read(f"{HOME}/file") == b"old"
        await connection.upload(tmp_path / "big", f"{HOME}/file")
        assert machine.run(f"stat -c %s {HOME}/file").strip() == "100000000"


async def test_closing_while_the_link_is_down(bare_machine: MakeMachine) -> None:
    machine = bare_machine()
    connection = machine.connection()
    await connection.open()
    running = asyncio.create_task(connection.run("sleep 1000"))
    await until(lambda: any("sleep 1000" in line_of(process) for process in machine.processes()))
    machine.link_down()
    began = time.monotonic()
    await connection.close()
    with pytest.raises(ConnectionLost):
        await running
    assert time.monotonic() - began < 10
    await until(lambda: len(asyncio.all_tasks()) == 1)
