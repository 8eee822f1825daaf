"""A bare machine becomes one that runs agents: what is done, what is not done twice, and what travels."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import skyward as sky
from skyward_jupyter.errors import BootstrapFailed
from skyward_jupyter.ssh.bootstrap import accompanied, clear
from skyward_jupyter.ssh.image import here
from skyward_jupyter.ssh.wheel import own_wheel, requirements
from tests.bare import Bares
from tests.machines import MakeSshd, until
from tests.signed import PACKAGE, signed_index

ALL = ["look", "upload", "python", "venv", "packages", "check", "files"]


def python(path: str, code: str, *, directory: str = "/") -> str:
    """What code prints on the machine, with nothing of this process's environment."""
    return subprocess.run([path, "-c", code], cwd=directory, env={}, capture_output=True, text=True, check=True).stdout


async def test_a_bare_machine_is_made_ready(bare: Bares) -> None:
    there = await bare()
    prepared = await there.prepare()
    assert there.done == ALL
    assert prepared.home == str(there.root)
    assert prepared.directory == f"{there.root}/pools/k/work"
    assert prepared.accelerators == ()
    code = "import sys, skyward_jupyter.agent.template as t; print(t.__file__, '%d.%d' % sys.version_info[:2])"
    file, version = python(prepared.python, code).split()
    assert file.startswith(str(there.root))
    assert version == here()


async def test_what_users_import_is_there(bare: Bares) -> None:
    prepared = await (await bare.ready()).prepare()
    code = """
import json, skyward as sky
def lacks(name):
    try:
        getattr(sky, name)
    except ImportError:
        return True
print(json.dumps([name for name in sky.__all__ if lacks(name)]))
"""
    front_end = ["CellRun", "last_run", "load_ipython_extension", "unload_ipython_extension"]
    assert json.loads(python(prepared.python, code)) == front_end
    code = """
import importlib.metadata as m, json
print(json.dumps({d.name.replace('_', '-'): d.version for d in m.distributions()}))
"""
    installed = json.loads(python(prepared.python, code))
    assert dict(need.split("==") for need in requirements()).items() <= installed.items()
    assert not {"anywidget", "ipykernel", "ipywidgets", "asyncssh"} & installed.keys()


async def test_the_second_pool_costs_one_command_and_sends_nothing(bare: Bares) -> None:
    there = await bare.ready()
    first = await there.prepare()
    second = await there.prepare(key="other")
    assert there.machine.commands == 1
    assert there.machine.sent == []
    assert there.done == ["look", "files"]
    assert second.python == first.python
    assert second.directory != first.directory


async def test_what_a_pool_has_is_removed_and_the_image_stays(bare: Bares) -> None:
    there = await bare.ready()
    prepared = await there.prepare()
    await clear(there.machine, "k")
    assert not Path(prepared.pool).exists()
    assert Path(prepared.python).exists()
    await clear(there.machine, "k")


async def test_all_of_it_is_private(bare: Bares) -> None:
    there = await bare.ready()
    await there.prepare(sky.Image(env={"TOKEN": "s3cret-value"}))
    assert there.root.stat().st_mode & 0o77 == 0
    assert (there.root / "pools" / "k" / "env").stat().st_mode & 0o777 == 0o600


async def test_the_environment_is_a_file_that_a_shell_reads(bare: Bares) -> None:
    hard = {"QUOTES": 'it\'s "so"', "LINES": "one\ntwo\n", "EMPTY": "", "DOLLAR": "$HOME `id` \\"}
    prepared = await (await bare.ready()).prepare(sky.Image(env=hard))
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    shell = ["sh", "-c", '. "$1"; exec "$2" -c "$3"', "sh", prepared.env_file, prepared.python, code]
    read = json.loads(subprocess.run(shell, env={}, capture_output=True, text=True, check=True).stdout)
    assert hard.items() <= read.items()
    assert read["PATH"].split(":")[0] == str(Path(prepared.python).parent)


async def test_in_its_environment_python_and_pip_are_those_of_the_image(bare: Bares) -> None:
    prepared = await (await bare.ready()).prepare()
    shell = ["sh", "-c", '. "$1"; command -v python; command -v pip', "sh", prepared.env_file]
    found = subprocess.run(shell, env={"PATH": "/usr/bin"}, capture_output=True, text=True, check=True).stdout
    assert found.split() == [prepared.python, prepared.python.replace("/python", "/pip")]


async def test_secrets_are_in_no_command_no_step_no_error(bare: Bares) -> None:
    there = await bare()
    secret = "hunter2-" + os.urandom(6).hex()
    image = sky.Image(pip=["no-such-package-of-ours==1"], env={"UV_INDEX": f"https://me:{secret}@127.0.0.1:9/simple"})
    seen: list[str] = []
    preparing = asyncio.create_task(there.prepare(image))
    while not preparing.done():
        seen += [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        await asyncio.sleep(0.05)
    with pytest.raises(BootstrapFailed) as caught:
        await preparing
    told = [step.text for step in there.steps]
    kept = Path(caught.value.log).read_text()
    assert secret not in "\n".join([*seen, *told, str(caught.value), kept])
    assert any("uv pip install" in command for command in seen), "it looked at the wrong moment"
    assert secret not in "".join(path.name for path in there.root.rglob("*"))


async def test_packages_of_the_user(bare: Bares, tmp_path: Path) -> None:
    there = await bare.ready()
    wheel = _toy(tmp_path)
    prepared = await there.prepare(sky.Image(pip=[f"toy @ file://{wheel}"]))
    assert python(prepared.python, "import toy; print(toy.there)") == "yes\n"
    again = await there.prepare(sky.Image(pip=[f"toy @ file://{wheel}"]))
    assert again.python == prepared.python
    other = await there.prepare()
    assert other.python != prepared.python


async def test_another_that_makes_the_same_image_is_waited_for(bare: Bares) -> None:
    there = await bare()
    first = await there.prepare()
    image = Path(first.python).parents[2]
    (image / "complete").unlink()
    with open(f"{image}.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = asyncio.create_task(there.prepare())
        await there.at("wait")
        assert not waiting.done()
        (image / "complete").touch()
    await waiting
    assert there.done == ["look", "wait", "files"]


async def test_two_at_once_make_one_image(bare: Bares) -> None:
    first = await bare()
    second = await bare(home=first.home)
    await asyncio.gather(first.prepare(key="a"), second.prepare(key="b"))
    assert (first.done + second.done).count("packages") == 1
    assert len(first.images()) == 1


async def test_images_that_nobody_used_for_a_month_go_unless_a_pool_has_them(bare: Bares, tmp_path: Path) -> None:
    there = await bare()
    for name, pool in (("used-by-a-pool", "p"), ("forgotten", ""), ("fresh", "")):
        image = there.root / "images" / name
        (image / "venv").mkdir(parents=True)
        (image / "complete").touch()
        if name != "fresh":
            os.utime(image / "complete", (time.time() - 40 * 86400,) * 2)
        if pool:
            (there.root / "pools" / pool).mkdir(parents=True)
            (there.root / "pools" / pool / "image").write_text(f"{name}\n")
    await there.prepare()
    assert {path.name for path in there.images()} > {"used-by-a-pool", "fresh"}
    assert not (there.root / "images" / "forgotten").exists()


# -- where uv and Python come from -------------------------------------------------------------------------------------


async def test_uv_comes_from_the_pip_of_the_machine(bare: Bares) -> None:
    there = await bare(uv=False)
    await there.prepare()
    assert "uv" in there.done
    assert (there.root / "bin" / "uv").stat().st_mode & 0o100
    assert "uv" not in there.machine.sent


async def test_uv_is_sent_to_a_machine_that_has_no_pip(
    bare: Bares, monkeypatch: pytest.MonkeyPatch, kept: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept / "cache"))
    there = await bare(uv=False, python=False)
    # A Python without pip, where nothing on the PATH is called python.
    place = there.home / "miniconda3" / "bin"
    place.mkdir(parents=True)
    (place / "python").symlink_to(Path(sys.base_prefix) / "bin" / f"python{here()}")
    await there.prepare()
    assert there.machine.sent == [own_wheel().name, "uv"]


async def test_no_python_is_a_sentence(bare: Bares) -> None:
    there = await bare()
    with pytest.raises(
        BootstrapFailed, match=r"there is no Python .*\.99, which functions of this kernel need: install"
    ):
        await there.prepare(sky.Image(python=f"{here()}.99"))


async def test_a_python_that_lacks_modules_is_not_taken(bare: Bares) -> None:
    there = await bare(python=False)
    real = Path(sys.base_prefix) / "bin" / f"python{here()}"
    version = f"{here()}.77"
    # Debian's minimal Python, as the judging sees it.
    there.has(
        f"python{here()}",
        f"""code=$(printf '%s' "$3" | sed 's/^have = .*/have = "{version}"/')
exec {real} -I -c "import sys; sys.modules['uuid'] = None
$code" "$4" "$5" """,
    )
    with pytest.raises(BootstrapFailed, match=r"\(.* has no uuid\): install it there"):
        await there.prepare(sky.Image(python=version))


async def test_without_apt_the_sentence_says_so(bare: Bares) -> None:
    there = await bare()
    with pytest.raises(BootstrapFailed, match=r"wants apt packages \(ffmpeg sox\), and apt-get is not there"):
        await there.prepare(sky.Image(apt=["ffmpeg", "sox"]))


async def test_gpus_are_those_that_the_driver_names(bare: Bares) -> None:
    there = await bare.ready()
    line = "GPU-5f2b1d9e-0d5c-8a3f-2c5e-6a0e1f9b7c11, NVIDIA H100 80GB HBM3, 81559, 4, 0, 31, 71.42"
    there.has(
        "nvidia-smi", f'case "$*" in *--query-gpu=index,uuid,*) sleep 0.2; echo "0, {line}"; echo "1, {line}" ;; esac'
    )
    prepared = await there.prepare()
    assert [(gpu.index, gpu.name, gpu.memory) for gpu in prepared.accelerators] == [
        (0, "NVIDIA H100 80GB HBM3", 81559),
        (1, "NVIDIA H100 80GB HBM3", 81559),
    ]
    there.has("nvidia-smi", "echo 'NVIDIA-SMI has failed'; exit 9")
    assert (await there.prepare()).accelerators == ()


# -- included files ----------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    (root / "data" / "a.csv").write_text(f"1,2 of {root}\n")
    (root / "data" / "b.csv").write_text(f"3,4 of {root}\n")
    (root / "run.sh").write_text("echo hi\n")
    (root / "run.sh").chmod(0o755)
    return root


async def test_included_files_are_in_the_working_directory(bare: Bares, project: Path) -> None:
    there = await bare.ready()
    prepared = await there.prepare(sky.Image(includes=["data", "*.sh"], root=str(project)))
    work = Path(prepared.directory)
    assert (work / "data" / "a.csv").read_text() == f"1,2 of {project}\n"
    assert (work / "run.sh").stat().st_mode & 0o100


async def test_only_what_changed_travels_and_what_was_removed_goes(bare: Bares, project: Path) -> None:
    there = await bare.ready()
    image = sky.Image(includes=["data", "*.sh"], root=str(project))
    prepared = await there.prepare(image)
    work = Path(prepared.directory)
    (work / "made.txt").write_text("by the user's code")
    await there.prepare(image)
    assert there.machine.commands == 1
    (project / "data" / "a.csv").write_text(f"changed in {project}\n")
    (project / "data" / "b.csv").unlink()
    before = set(os.listdir(there.root / "files"))
    await there.prepare(image)
    assert len(set(os.listdir(there.root / "files")) - before) == 1
    assert (work / "data" / "a.csv").read_text() == f"changed in {project}\n"
    assert not (work / "data" / "b.csv").exists()
    assert (work / "made.txt").exists()


async def test_a_second_pool_needs_no_content_again(bare: Bares, project: Path) -> None:
    there = await bare.ready()
    image = sky.Image(includes=["data"], root=str(project))
    await there.prepare(image)
    prepared = await there.prepare(image, key="other")
    assert there.machine.commands == 1
    assert (Path(prepared.directory) / "data" / "a.csv").exists()
    await clear(there.machine, "other")


async def test_a_file_that_user_code_changed_is_put_back(bare: Bares, project: Path) -> None:
    there = await bare.ready()
    image = sky.Image(includes=["data"], root=str(project))
    changed = Path((await there.prepare(image)).directory) / "data" / "a.csv"
    changed.write_text("something longer\n")
    await there.prepare(image)
    assert changed.read_text() == f"1,2 of {project}\n"


async def test_files_of_an_earlier_preparation_go_when_nothing_is_included(bare: Bares, project: Path) -> None:
    there = await bare.ready()
    prepared = await there.prepare(sky.Image(includes=["data"], root=str(project)))
    await there.prepare(sky.Image())
    assert os.listdir(prepared.directory) == []


def _toy(folder: Path) -> Path:
    import zipfile

    path = folder / "toy-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toy.py", "there = 'yes'\n")
        archive.writestr("toy-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1\n")
        archive.writestr("toy-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("toy-1.dist-info/RECORD", "")
    return path


# -- while it is prepared ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sessions", [10, 1])
async def test_a_machine_hears_that_somebody_is_there(sshd: MakeSshd, tmp_path: Path, sessions: int) -> None:
    """Also one whose sshd allows no command beside the one that installs."""
    heard, began = tmp_path / "it's here/pools/k/heard", asyncio.Event()
    heard.parent.mkdir(parents=True)
    home = str(heard.parent.parent.parent)
    async with sshd(config=f"MaxSessions {sessions}").connection() as machine:
        installing = asyncio.create_task(machine.run("echo began; sleep 600", on_line=lambda *_: began.set()))
        await asyncio.wait_for(began.wait(), 20)
        async with accompanied(machine, "k", 1.0, home=home):
            await until(lambda: heard.exists() and int(heard.read_text() or 0) > 1)
        assert not installing.done()
        installing.cancel()
        await asyncio.wait([installing])


async def test_certificates_that_the_environment_names(bare: Bares, tmp_path: Path) -> None:
    with signed_index(tmp_path / "index", "127.0.0.1") as (url, authority):
        usual = Path(os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt")
        bundle = tmp_path / "bundle.pem"
        bundle.write_text(usual.read_text() + authority.read_text())
        there = await bare(certificates=bundle)
        prepared = await there.prepare(sky.Image(pip=[f"{PACKAGE}==1"], env={"UV_INDEX": url}))
        assert python(prepared.python, f"import {PACKAGE.replace('-', '_')}") == ""
        # One that is not there is none: the machine's own count, which do not know the authority.
        there = await bare(certificates=tmp_path / "none")
        with pytest.raises(BootstrapFailed, match="packages") as failed:
            await there.prepare(sky.Image(pip=[f"{PACKAGE}==1"], env={"UV_INDEX": url, "UV_NO_CACHE": "1"}))
        assert any("certificate" in line for line in failed.value.last)
