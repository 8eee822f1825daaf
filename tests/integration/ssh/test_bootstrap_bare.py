"""What makes a machine ready, on machines that are as a fresh Debian is: no Python, no pip, no uv."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

import skyward as sky
from skyward_jupyter.errors import BootstrapFailed
from skyward_jupyter.ssh.bootstrap import prepare
from skyward_jupyter.ssh.image import here
from skyward_jupyter.ssh.script import Fact, Script, fact_of
from skyward_jupyter.ssh.steps import Step
from tests.index import index
from tests.namespaces import HOME, BareMachine, MakeMachine, python_of
from tests.signed import PACKAGE, signed_index

pytestmark = pytest.mark.slow

#: Stands at the same place on a machine that shares it.
PYTHON = Path(sys.base_prefix)


def image(*, apt: tuple[str, ...] = ()) -> sky.Image:
    """One that knows the index which this machine is set up for, unless that is a directory here."""
    return sky.Image(apt=apt, env={name: value for name, value in index().items() if "file:" not in value})


def with_python(machine: BareMachine) -> None:
    """Give a machine the Python of these tests."""
    machine.run(python_of(PYTHON))


@pytest.fixture(autouse=True)
def _kept_uv(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv is fetched once for the session."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept / "cache"))


@pytest.mark.parametrize("user", ["root", "user"])
async def test_a_fresh_machine_runs_an_agents_code(bare_machine: MakeMachine, user: str) -> None:
    machine = bare_machine(shared=(PYTHON,))
    with_python(machine)
    steps: list[Step] = []
    async with machine.connection(user) as there:
        prepared = await prepare(there, image(), steps.append, key="k")
        assert [step.name for step in steps if step.state == "done"] == [
            *("look", "upload", "uv", "python", "venv", "packages", "check", "files")
        ]
        ran = await there.run(f"{prepared.python} -c 'import skyward_jupyter.agent.node as n; print(n.__file__)'")
    home = HOME if user == "root" else "/home/user"
    assert ran.stdout.startswith(f"{home}/.skyward/images/")


@pytest.mark.parametrize("user", ["root", "user"])
async def test_whom_the_machine_trusts_uv_trusts(bare_machine: MakeMachine, tmp_path: Path, user: str) -> None:
    """Nothing but the machine's own store knows the authority, as where a proxy signs what it lets through."""
    machine = bare_machine(shared=(PYTHON,))
    with_python(machine)
    with signed_index(tmp_path / "index", machine.network.gateway) as (url, authority):
        machine.run(f"cat >>/etc/ssl/certs/ca-certificates.crt <<'END'\n{authority.read_text()}END\n")
        usual = image()
        wanted = sky.Image(pip=[f"{PACKAGE}==1"], env={**usual.env, "UV_INDEX": url})
        async with machine.connection(user) as there:
            prepared = await prepare(there, wanted, lambda _: None, key="k")
            # A cell may install, too.
            said = f". {prepared.env_file}; uv pip install --no-cache --reinstall {PACKAGE}"
            ran = await there.run(f"PATH=$PATH:{prepared.home}/bin; {said}")
            assert ran.status == 0, ran.last


async def test_three_machines_side_by_side(bare_machine: MakeMachine) -> None:
    machines = [bare_machine(shared=(PYTHON,)) for _ in range(3)]
    for machine in machines:
        with_python(machine)

    async def ready(machine: BareMachine) -> str:
        async with machine.connection() as there:
            return (await prepare(there, image(), lambda _: None, key="k")).python

    assert len(set(await asyncio.gather(*map(ready, machines)))) == 1


async def test_a_fresh_machine_without_any_python(bare_machine: MakeMachine) -> None:
    machine = bare_machine()
    async with machine.connection() as there:
        with pytest.raises(BootstrapFailed, match=rf"there is no Python {here()}, .* install it there"):
            await prepare(
                there, sky.Image(env={"UV_PYTHON_INSTALL_MIRROR": "file:///nowhere"}), lambda _: None, key="k"
            )


async def test_apt_packages_are_there_and_lists_are_fetched_only_for_new_ones(bare_machine: MakeMachine) -> None:
    machine = bare_machine(shared=(PYTHON,))
    with_python(machine)
    steps: list[Step] = []

    def said() -> list[str]:
        return [step.text for step in steps if step.name == "apt" and step.state == "line"]

    async with machine.connection() as there:
        await prepare(there, image(apt=("tree",)), steps.append, key="k")
        assert machine.run("command -v tree").strip() == "/usr/bin/tree"
        assert any("Reading package lists" in line for line in said())
        steps.clear()
        await prepare(there, image(apt=("tree", "bash")), steps.append, key="k")
        assert "apt" in [step.name for step in steps]
        assert said() == []


async def test_apt_packages_need_root(bare_machine: MakeMachine) -> None:
    machine = bare_machine(shared=(PYTHON,))
    async with machine.connection("user") as there:
        with pytest.raises(BootstrapFailed, match=r"apt packages \(tree\) need root"):
            await prepare(there, image(apt=("tree",)), lambda _: None, key="k")


async def test_an_apt_package_that_is_nowhere(bare_machine: MakeMachine) -> None:
    machine = bare_machine(shared=(PYTHON,))
    async with machine.connection() as there:
        with pytest.raises(BootstrapFailed) as caught:
            await prepare(there, image(apt=("no-such-package-at-all",)), lambda _: None, key="k")
    assert caught.value.step == "apt"
    assert any("no-such-package-at-all" in line for line in caught.value.last)


async def test_a_minimal_python_of_the_distribution_is_completed_by_apt(bare_machine: MakeMachine, kept: Path) -> None:
    """The version is the distribution's, whatever runs these tests; so our own code does not install into it."""
    machine = bare_machine()
    machine.run("apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-minimal 2>&1")
    version = machine.run("python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'").strip()
    nowhere = {"UV_PYTHON_INSTALL_MIRROR": "file:///nowhere"}
    script = Script(home="~/.skyward", key="k", digest="d", wheel="none.whl", python=version, env=nowhere)
    async with machine.connection() as there:
        await there.run("sh -s", stdin=script.look())
        await there.upload(kept / "bin" / "uv", f"{HOME}/.skyward/bin/uv", 0o755)
        ended = await there.run("sh -s", stdin=script.install())
    lines = ended.stdout.splitlines()
    facts = [fact for line in lines if (fact := fact_of(line, script.mark))]
    ran = [fact.text for fact in facts if fact.name == "command"]
    assert f"brief_uv python install {version}" in ran, "the minimal one was taken"
    assert any(f"python{version}" in command and "apt-get install" in command for command in ran)
    assert Fact("line", f"/usr/bin/python{version}") in facts
    assert [fact.text for fact in facts if fact.name == "begin"] == ["python", "venv", "packages"]
