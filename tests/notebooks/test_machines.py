"""Machines over SSH, in the words of the magics, and through a restart of the kernel."""

from __future__ import annotations

import os

import pytest

from tests.far import Machines
from tests.notebooks.kernel import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(240)]

NAME = f"note{os.getpid()}"


def test_a_pool_on_machines_outlives_a_restart(kernel: Kernel, machines: Machines) -> None:
    kernel.restart()
    kernel.ok("%load_ext skyward")
    hosts = ",".join(machines.names)
    started = kernel.ok(f"%sky start --name {NAME} --provider ssh --hosts {hosts} --key {machines.key}")
    assert f"pool {NAME}: 3 nodes ready" in started.stdout
    assert "10" in kernel.ok("%%sky\nx = 10\nx").text
    assert f"-p {machines.servers[1].port}" in kernel.ok("%sky ssh 1").stdout
    assert " ssh " in kernel.ok("%sky pools").stdout
    kernel.restart()
    assert f"pool {NAME} (3 nodes)" in kernel.ok("%load_ext skyward").text
    kernel.ok(f"%sky attach {NAME}")
    assert "11" in kernel.ok("%%sky\nx + 1").text
    kernel.ok("%sky stop")
    assert machines.gone(NAME)


def test_what_is_not_said_is_asked_for(kernel: Kernel) -> None:
    kernel.ok("%load_ext skyward")
    assert "which machines" in kernel.run("%sky start --provider ssh").evalue
