"""Members of a cluster whose clocks are a minute apart: nothing compares them."""

from __future__ import annotations

import glob
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from skyward_jupyter.collections.keeper import TTL

pytestmark = pytest.mark.fault

_FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), "")
needs_faketime = pytest.mark.skipif(not _FAKETIME, reason="libfaketime is not installed (Debian: faketime)")


class Member:
    """A member whose clock is `ahead` seconds before that of this machine."""

    def __init__(self, rank: int, ports: list[str], ahead: int) -> None:
        env = {"FAKETIME": f"{ahead:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "LD_PRELOAD": _FAKETIME}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.member", str(rank), *ports],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        )

    def ask(self, kind: str, name: str, method: str, *args: object, parties: int = 0) -> None:
        """Have it make a call."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([kind, name, parties, method, args]) + "\n")
        self.process.stdin.flush()

    def heard(self) -> Any:
        """The next thing that it says."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def call(self, kind: str, name: str, method: str, *args: object) -> Any:
        """Have it make a call: what came of it."""
        self.ask(kind, name, method, *args)
        return self.heard()[1]


@pytest.fixture
def members() -> Iterator[list[Member]]:
    """Four members: one on time, one a minute late, one a minute early, one an hour."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    made = [Member(rank, ports, ahead) for rank, ahead in enumerate((0, -60, 60, 3600))]
    try:
        clocks = [member.heard() for member in made]
        assert max(clocks) - min(clocks) > 3600
        yield made
    finally:
        for member in made:
            with member.process:
                member.process.kill()


@needs_faketime
def test_a_barrier_opens_for_clocks_that_are_apart(members: list[Member]) -> None:
    for number in range(8):
        for member in members:
            member.ask("barrier", f"step-{number}", "wait", 20.0, parties=4)
        waited = [member.heard() for member in members]
        assert [how for _, how in waited] == [None] * 4
        assert max(seconds for seconds, _ in waited) < 15


@needs_faketime
@pytest.mark.parametrize("holder", [1, 2])
def test_a_lock_outlives_its_keepers_whatever_their_clocks_say(members: list[Member], holder: int) -> None:
    """Keepers are killed until one of the other clocks keeps the locks; nobody has one beside its holder."""
    names = [f"lock-{number}" for number in range(8)]
    others = [rank for rank in range(4) if rank != holder]
    held = {name: members[holder].call("lock", name, "acquire", 10.0) for name in names}
    members[others[0]].process.kill()
    for name in names:
        members[others[1]].ask("lock", name, "acquire", 2.0)
    assert [members[others[1]].heard()[1] for _ in names] == [None] * len(names)
    time.sleep(TTL)  # longer than a lease: the next keepers take the holder for what it is, there
    for name in names:
        assert members[holder].call("lock", name, "release", held[name][0]) is None
        _, token = members[others[2]].call("lock", name, "acquire", 10.0)
        assert token == held[name][1] + 1
