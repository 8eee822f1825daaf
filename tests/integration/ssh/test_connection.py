"""A connection to a real sshd: commands, files, sockets and ports."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from pathlib import Path

import psutil
import pytest

from skyward_jupyter.errors import ConnectionLost, TransferFailed
from tests.machines import MakeSshd, until


def running(token: str) -> list[int]:
    """The processes that have `token` in their command line."""
    return [process.pid for process in psutil.process_iter(["cmdline"]) if token in (process.info["cmdline"] or [])]


async def test_runs_a_command(sshd: MakeSshd) -> None:
    async with sshd().connection() as machine:
        done = await machine.run("echo hello; echo there >&2; cat; exit 3", stdin=b"given")
    assert (done.status, done.stdout) == (3, "hello\ngiven")
    assert set(done.last) == {"hello", "there", "given"}


async def test_a_command_ended_by_a_signal(sshd: MakeSshd) -> None:
    async with sshd().connection() as machine:
        assert (await machine.run("kill -TERM $$")).status == -15


async def test_lines_come_as_they_are_written(sshd: MakeSshd, tmp_path: Path) -> None:
    heard: list[tuple[str, str]] = []
    async with sshd().connection() as machine:
        go = tmp_path / "go"
        command = (
            f"printf 'one\\r\\n10%%\\r20%%\\n'; echo two >&2; while [ ! -e {go} ]; do sleep 0.05; done; printf end"
        )
        task = asyncio.create_task(machine.run(command, on_line=lambda *line: heard.append(line)))
        await until(lambda: len(heard) == 3)
        go.touch()
        await task
    assert [text for stream, text in heard if stream == "stdout"] == ["one", "20%", "end"]
    assert ("stderr", "two") in heard


async def test_much_input_and_output(sshd: MakeSshd) -> None:
    given = os.urandom(3_000_000).hex().encode()
    async with sshd().connection() as machine:
        done = await machine.run("cat", stdin=given)
    assert done.stdout == given.decode()


@pytest.mark.parametrize("how", ["cancelled", "timeout"])
async def test_a_command_that_is_given_up_leaves_no_process(sshd: MakeSshd, how: str) -> None:
    token = f"9{time.time_ns() % 10**9}.25"
    # One in the foreground, one in the background, and one that ignores what it is asked.
    command = f"sleep {token} & (trap '' TERM; sleep {token}; sleep {token}) & sleep {token}"
    async with sshd().connection() as machine:
        task = asyncio.create_task(machine.run(command, timeout=1.5 if how == "timeout" else None))
        await until(lambda: len(running(token)) >= 3)
        if how == "cancelled":
            task.cancel()
        with pytest.raises(asyncio.CancelledError if how == "cancelled" else TimeoutError):
            await task
        await until(lambda: not running(token))
        assert (await machine.run("echo fine")).stdout == "fine\n"


async def test_closing_ends_what_runs(sshd: MakeSshd) -> None:
    token = f"9{time.time_ns() % 10**9}.25"
    machine = sshd().connection()
    await machine.open()
    task = asyncio.create_task(machine.run(f"sleep {token} & sleep {token}"))
    await until(lambda: len(running(token)) >= 2)
    await machine.close()
    assert not running(token)
    with pytest.raises(ConnectionLost, match="closed"):
        await task
    with pytest.raises(ConnectionLost, match="closed"):
        await machine.run("true")


async def test_closing_while_commands_wait_to_begin(sshd: MakeSshd) -> None:
    machine = sshd(config="MaxSessions 1").connection()
    await machine.open()
    lines: list[str] = []
    token = f"9{time.time_ns() % 10**9}.25"
    command = f"echo began; sleep {token}"
    tasks = [asyncio.create_task(machine.run(command, on_line=lambda *line: lines.append(line[1]))) for _ in range(2)]
    await until(lambda: lines)
    reading = asyncio.create_task(machine.read("/etc/passwd"))
    await asyncio.sleep(0)
    await machine.close()
    assert not running(token)
    for task in tasks:
        with pytest.raises(ConnectionLost, match="closed"):
            await task
    with pytest.raises((ConnectionLost, TransferFailed)):
        await reading
    await until(lambda: len(asyncio.all_tasks()) == 1)


async def test_a_command_whose_lines_nobody_takes(sshd: MakeSshd) -> None:
    def refuse(stream: str, text: str) -> None:
        raise ZeroDivisionError(text)

    token = f"9{time.time_ns() % 10**9}.25"
    async with sshd().connection() as machine:
        with pytest.raises(ZeroDivisionError, match="one"):
            await machine.run(f"echo one; sleep {token}", on_line=refuse)
        await until(lambda: not running(token))


async def test_more_commands_than_a_server_allows_at_once(sshd: MakeSshd) -> None:
    async with sshd(config="MaxSessions 3").connection() as machine:
        done = await asyncio.gather(*(machine.run(f"sleep 0.2; echo {number}") for number in range(9)))
    assert [one.stdout for one in done] == [f"{number}\n" for number in range(9)]


async def test_what_the_configuration_says_for_terminals_is_left_out(sshd: MakeSshd) -> None:
    server = sshd()
    with (server.folder / "config").open("a") as config:
        config.write("  RequestTTY force\n  RemoteCommand false\n  ForwardX11Trusted yes\n")
    async with server.connection() as machine:
        assert (await machine.run("tty; cat", stdin=b"given")).stdout == "not a tty\ngiven"
        with pytest.raises(FileNotFoundError):
            await machine.read("/none")


async def test_files(sshd: MakeSshd, tmp_path: Path) -> None:
    there = tmp_path / "there"
    (tmp_path / "big").write_bytes(os.urandom(3_000_000))
    async with sshd().connection() as machine:
        await machine.write(str(there), b"one")
        assert stat.S_IMODE(there.stat().st_mode) == 0o600
        await machine.write(str(there), b"two", 0o644)
        assert (there.read_bytes(), stat.S_IMODE(there.stat().st_mode)) == (b"two", 0o644)
        assert await machine.read(str(there)) == b"two"
        await machine.upload(tmp_path / "big", str(there))
        assert there.read_bytes() == (tmp_path / "big").read_bytes()
        with pytest.raises(FileNotFoundError):
            await machine.read(str(tmp_path / "none"))
        with pytest.raises(FileNotFoundError):
            await machine.write(str(tmp_path / "none" / "file"), b"")
        (tmp_path / "folder" / "in").mkdir(parents=True)
        with pytest.raises(TransferFailed, match=machine.name):
            await machine.write(str(tmp_path / "folder"), b"")
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


async def test_a_socket(sshd: MakeSshd, tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        writer.close()

    path = str(tmp_path / "door")
    async with sshd().connection() as machine:
        with pytest.raises(ConnectionRefusedError):
            await machine.open_socket(path)
        async with await asyncio.start_unix_server(answer, path):
            reader, writer = await machine.open_socket(path)
            writer.write(b"hello")
            writer.write_eof()
            assert await reader.read() == b"HELLO"
            writer.close()
            await writer.wait_closed()


async def test_a_port(sshd: MakeSshd) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, sshd().connection() as machine:
        port = await machine.forward("127.0.0.1", server.sockets[0].getsockname()[1])
        assert port == await machine.forward("127.0.0.1", server.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        given = os.urandom(5_000_000)
        writer.write(given)
        writer.write_eof()
        assert await reader.read() == given
        writer.close()
        await writer.wait_closed()


async def test_comes_back_with_the_same_port(sshd: MakeSshd) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\n")
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
        return said

    states: list[str] = []
    server = sshd()
    async with (
        await asyncio.start_server(answer, "127.0.0.1", 0) as there,
        server.connection(watch=lambda state, why: states.append(state)) as machine,
    ):
        port = await machine.forward("127.0.0.1", there.sockets[0].getsockname()[1])
        assert await ask() == b"hello\n"
        token = f"9{time.time_ns() % 10**9}.25"
        waits = asyncio.create_task(machine.run(f"sleep {token}"))
        await until(lambda: running(token))
        server.stop()
        with pytest.raises(ConnectionLost, match=machine.name):
            await waits
        # Whoever connects during the break is led there after it.
        asked = asyncio.create_task(ask())
        server.start()
        assert (await machine.run("echo back")).stdout == "back\n"
        assert not running(token)
        assert await asked == b"hello\n"
        assert await ask() == b"hello\n"
    assert states[:2] == ["up", "lost"]
    assert states[-2:] == ["up", "closed"]
