"""Connections to machines of their own: namespaces with an sshd, whose links and lives a test holds."""

from __future__ import annotations

import pytest

from skyward_jupyter.errors import TransferFailed
from tests.machines import until
from tests.namespaces import HOME, MakeMachine


async def test_logs_in_to_a_bare_machine(bare_machine: MakeMachine) -> None:
    one, other = bare_machine(), bare_machine()
    async with one.connection() as machine, other.connection("user") as second:
        assert (await machine.run("id -un; hostname")).stdout.split() == ["root", one.run("hostname").strip()]
        assert (await second.run("id -un")).stdout == "user\n"
        assert (await machine.run("command -v python3 uv")).status != 0
        # They reach each other.
        assert (await machine.run(f"exec 3<>/dev/tcp/{other.address}/22", timeout=5)).status in (0, 2)


async def test_a_full_disk(bare_machine: MakeMachine) -> None:
    machine = bare_machine(disk="8M")
    async with machine.connection() as connection:
        with pytest.raises(TransferFailed, match="disk may be full"):
            await connection.write(f"{HOME}/big", b"x" * 20_000_000)
        assert (await connection.run(f"ls -A {HOME} | grep -c part")).stdout == "0\n"
        await connection.write(f"{HOME}/small", b"fits")


async def test_a_machine_that_is_killed_and_started_again(bare_machine: MakeMachine) -> None:
    machine = bare_machine()
    states: list[str] = []
    async with machine.connection(watch=lambda state, why: states.append(state)) as connection:
        await connection.run(f"touch {HOME}/here")
        machine.kill()
        machine.start()
        await until(lambda: states[-1] == "up" and "lost" in states, 60)
        assert (await connection.run(f"ls {HOME}")).stdout == ""
