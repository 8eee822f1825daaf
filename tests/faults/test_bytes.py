"""Bytes that are wrong, too many, or from somebody else."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from datetime import timedelta
from pathlib import Path

import casty
import pytest

import skyward as sky
from skyward_jupyter.agent.cluster import COMPRESSION, LIMITS
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.providers import certificates
from tests.faults.conftest import World


@sky.compute
def plus(x: int) -> int:
    return x + 1


class TwoArguments(Exception):
    """Pickles, and does not load again."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} {b}")


@sky.compute
def unloadable() -> object:
    return TwoArguments(1, 2)


@sky.compute
def show_much(size: int) -> int:
    from skyward_jupyter.agent.outlet import display

    display({"text/plain": "x" * size})
    return size


def test_a_value_that_cannot_be_loaded_here_is_named(pool: sky.ComputePool) -> None:
    with pytest.raises(sky.TaskFailed, match="cannot be loaded here: TypeError"):
        unloadable() >> pool
    assert plus(1) @ pool == [2, 2, 2]


def test_a_display_larger_than_any_message_arrives(pool: sky.ComputePool) -> None:
    seen: list[int] = []

    def look(event: object) -> None:
        if hasattr(event, "data"):
            seen.append(len(event.data["text/plain"]))

    async def run() -> None:
        from skyward_jupyter.runtime.bridge import bridge

        async def launched() -> None:
            await pool._inner.launch(show_much(9_000_000), [0], on_event=look).outcomes()

        await bridge(launched())

    asyncio.run(run())
    assert seen == [9_000_000]
    assert [plus(n) >> pool for n in range(6)] == [1, 2, 3, 4, 5, 6]


def test_short_output_of_a_broadcast_arrives(pool: sky.ComputePool, capsys: pytest.CaptureFixture[str]) -> None:
    @sky.compute
    def speak() -> int:
        print("hello")
        return 1

    for _ in range(5):
        assert speak() @ pool == [1, 1, 1]
    assert sorted(capsys.readouterr().out.split("\n"))[1:] == ["[0] hello"] * 5 + ["[1] hello"] * 5 + ["[2] hello"] * 5


def test_the_last_words_of_a_crash_are_heard(pool: sky.ComputePool, capsys: pytest.CaptureFixture[str]) -> None:
    @sky.compute
    def last_words() -> None:
        print("about to go", flush=True)
        os._exit(3)

    with pytest.raises(sky.SlotDied):
        last_words() >> pool
    assert "about to go" in capsys.readouterr().out


def test_a_function_that_could_not_load_loads_later(pool: sky.ComputePool, tmp_path: Path) -> None:
    @sky.compute
    def needs(path: str) -> str:
        return Path(path).read_text()

    class Careful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return _read, (str(tmp_path / "later"),)

    careful = Careful()
    held = sky.compute(lambda: careful)
    with pytest.raises(sky.TaskFailed, match="could not load the call"):
        held() >> pool
    (tmp_path / "later").write_text("there now")
    for _ in range(6):
        loaded: object = held() >> pool
        assert loaded == "there now"


def _read(path: str) -> str:
    return Path(path).read_text()


def test_a_stranger_learns_nothing_and_runs_nothing(pool: sky.ComputePool, tmp_path: Path) -> None:
    address = pool.nodes[0].address

    async def knock(name: str, tls: casty.TLS | None) -> str:
        client = casty.Client(
            seeds=(address,),
            name=name,
            tls=tls,
            limits=LIMITS,
            compression=COMPRESSION,
            ask_timeout=timedelta(seconds=2),
        )
        try:
            async with asyncio.timeout(5):
                await client.__aenter__()
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        await client.__aexit__(None, None, None)
        return "let in"

    certificates.make(tmp_path, "stranger")
    forged = casty.TLS(
        cert=str(tmp_path / "certificate.pem"), key=str(tmp_path / "key.pem"), ca=str(tmp_path / "authority.pem")
    )
    for tls in (None, forged):
        with warnings.catch_warnings():
            # casty leaves the socket of a client that was not let in to the garbage collector.
            warnings.simplefilter("ignore", ResourceWarning)
            answer = asyncio.run(knock("wrong", tls))
            gc.collect()
        assert answer != "let in"
        assert f"{pool.name}-" not in answer
    assert plus(1) @ pool == [2, 2, 2]


def test_garbage_on_the_port_is_refused(pool: sky.ComputePool) -> None:
    host, _, port = pool.nodes[1].address.rpartition(":")
    for garbage in (
        b"GET / HTTP/1.1\r\n\r\n",
        os.urandom(4096),
        b"\x00" * 100_000,
        b"\x16\x03\x01\xff\xff" + b"a" * 10,
    ):
        with socket.create_connection((host, int(port)), timeout=5) as link:
            try:
                link.sendall(garbage)
                link.shutdown(socket.SHUT_WR)
                while link.recv(4096):
                    pass
            except OSError:
                continue
    assert plus(1) @ pool == [2, 2, 2]


def test_private_files_are_private(pool: sky.ComputePool, world: World) -> None:
    (store,) = world.files(pool.name)
    assert store.stat().st_mode & 0o077 == 0
    for path in store.rglob("*.pem"):
        assert path.stat().st_mode & 0o077 == 0


def test_an_agent_that_never_joined_still_ends(tmp_path: Path) -> None:
    """Its seeds are dead, its owner is gone: the ttl counts all the same."""
    certificates.make(tmp_path, "lonely")
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    config = AgentConfig(
        pool="lonely",
        rank=1,
        address="127.250.1.2:25520",
        seeds=("127.250.1.1:25520",),
        cluster="lonely",
        store=str(tmp_path / "blobs"),
        certificates=str(tmp_path),
        owner=owner.pid,
        ttl=0.5,
    )
    ours, theirs = socket.socketpair()
    code = (
        "import socket, sys\nfrom skyward_jupyter.agent.config import AgentConfig\n"
        "from skyward_jupyter.agent.main import run_agent\n"
        f"run_agent(AgentConfig.from_json(sys.argv[1]), socket.socket(fileno={theirs.fileno()}))"
    )
    agent = subprocess.Popen([sys.executable, "-c", code, config.to_json()], pass_fds=[theirs.fileno()])
    theirs.close()
    with ours, owner, agent:
        deadline = time.monotonic() + 30
        while not _listens("127.250.1.2", 25520):
            assert time.monotonic() < deadline
            assert agent.poll() is None
        os.kill(owner.pid, signal.SIGKILL)
        assert agent.wait(30) == 0


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0
