"""Machines over SSH that a profile or the settings name."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.far import Machines
from tests.notebooks.kernel import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(240)]

NAME = f"prof{os.getpid()}"
TOML = """\
[profiles.far]
provider = "ssh"
hosts = {hosts}
key = "{key}"
known_hosts = "~/known"
name = "{name}"
ttl = 60

[profiles.far.image]
includes = ["data"]
env = {{ SKY_TEST = "from the image" }}
"""


@pytest.fixture(autouse=True)
def _file(kernel: Kernel, machines: Machines) -> Iterator[None]:
    (kernel.folder / "known").touch(mode=0o600)
    (kernel.folder / "data").mkdir(exist_ok=True)
    (kernel.folder / "data" / "here.txt").write_text("from this project")
    (kernel.folder / "skyward.toml").write_text(TOML.format(hosts=machines.names, key=machines.key, name=NAME))
    kernel.ok(f"import os; os.environ['HOME'] = {str(kernel.folder)!r}")
    yield
    assert machines.gone(NAME)


def test_a_pool_as_the_profile_says(kernel: Kernel, machines: Machines) -> None:
    assert f"pool {NAME}: 3 nodes ready" in kernel.ok("%sky start --profile far").stdout
    code = "%%sky --on head\nimport os\nos.environ['SKY_TEST'], open('data/here.txt').read()"
    assert kernel.ok(code).text == "('from the image', 'from this project')"
    assert f"-p {machines.servers[2].port}" in kernel.ok("%sky ssh 2").stdout
    assert kernel.ok("%sky start --profile far").stdout == f"pool {NAME} already runs, with 3 nodes\n"
    said = kernel.run(f"%sky start --profile far --hosts {machines.names[0]}").evalue
    assert said == f"pool {NAME} already runs, with 3 nodes on {', '.join(machines.names)}: use %sky stop first"
    assert len((kernel.folder / "known").read_text().splitlines()) >= 3
    kernel.ok("%sky stop")


def test_status_says_which_machine_is_not_reachable(kernel: Kernel, machines: Machines) -> None:
    kernel.ok("%sky start --profile far")
    machines.servers[1].stop()
    try:
        deadline = time.monotonic() + 60
        while "not reachable since" not in (said := kernel.ok("%sky status").stdout):
            assert time.monotonic() < deadline, said
        assert [line.split()[0] for line in said.splitlines() if "not reachable since" in line] == ["1"]
    finally:
        machines.servers[1].start()
    kernel.ok("%sky stop")


def test_the_line_counts_before_the_profile(kernel: Kernel, machines: Machines) -> None:
    line = f"%sky start --profile far --hosts {machines.names[1]} --no-cluster"
    assert f"pool {NAME}: 1 node ready" in kernel.ok(line).stdout
    assert f"-p {machines.servers[1].port}" in kernel.ok("%sky ssh").stdout
    assert kernel.ok("%%sky\nimport os\nos.environ['SKY_TEST']").text == "'from the image'"
    kernel.ok("%sky stop")


def test_a_cell_starts_the_chosen_profile(kernel: Kernel) -> None:
    kernel.ok("%config Skyward.profile = 'far'")
    said = kernel.run("%%sky --nodes 4\n1").evalue
    assert said == "nodes is 4; a pool on 3 hosts has 1 to 3, one on each; name more hosts for more nodes"
    assert kernel.ok("%%sky --nodes 2\nprint('x')").stdout == "[0-1] x\n"
    assert f"pool {NAME}: ready, 2 nodes" in kernel.ok("%sky status").stdout
    assert "use %sky scale 3 first, or fewer nodes" in kernel.run("%%sky --nodes 3\n1").evalue
    kernel.ok("%sky stop\n%config Skyward.profile = ''")


def test_settings_name_machines(kernel: Kernel, machines: Machines) -> None:
    kernel.ok("%config Skyward.provider = 'ssh'")
    assert "nothing says on which machines" in kernel.run("%%sky\n1").evalue
    kernel.ok(
        f"%config Skyward.hosts = {','.join(machines.names[:2])!r}\n%config Skyward.key = {str(machines.key)!r}\n"
        "%config Skyward.known_hosts = 'known'"
    )
    assert kernel.ok("%%sky\nprint('x')").stdout == "[0-1] x\n"
    assert " ssh " in kernel.ok("%sky pools").stdout
    kernel.ok("%sky stop\n%config Skyward.provider = 'local'")
    assert kernel.run("%%sky\n1").ename == "NoPool"
    kernel.ok("%%sky --nodes 1\n1\n")
    assert " local " in kernel.ok("%sky pools").stdout
    kernel.ok("%sky stop")
    kernel.ok("%config Skyward.provider = ''\n%config Skyward.hosts = ''")


def test_tab_knows_hosts(kernel: Kernel) -> None:
    (kernel.folder / ".ssh").mkdir()
    (kernel.folder / ".ssh" / "config").write_text("Host gpu1 gpu2\nHost *\n  Port 22\n")
    assert kernel.complete("%sky start --hosts ") == ["gpu1", "gpu2"]
    assert kernel.complete("%sky start --hosts gpu1,me@gp") == ["gpu1", "gpu2"]
