"""Notebooks side by side: what their pools are called, and what each is told of."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from skyward_jupyter.runtime.origin import JUPYTER
from tests.notebooks.conftest import environment
from tests.notebooks.kernel import Kernel, kernel_in

pytestmark = pytest.mark.kernel

ORIGIN = "from skyward_jupyter.runtime.origin import origin\nprint(origin())"
NONE = "no pool runs; start one with %sky start --nodes 4, or look for others: %sky pools --all\n"

type Open = Callable[..., Kernel]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens notebooks, each in a kernel of its own, all in one folder and with one directory of records."""
    with ExitStack() as stack:

        def start(notebook: str = "", **more: str) -> Kernel:
            env = environment(tmp_path) | more
            if notebook:
                env[JUPYTER] = str(tmp_path / notebook)
            return stack.enter_context(kernel_in(tmp_path, env))

        yield start


def test_a_kernel_knows_its_notebook_from_its_front_end(opened: Open, tmp_path: Path) -> None:
    plain = opened()
    assert f"name='kernel {_pid(plain)} in {tmp_path.name}', stem='{tmp_path.name}', notebook=''" in _origin(plain)
    plain.ok("__vsc_ipynb_file__ = '/home/me/mine.ipynb'")
    assert _origin(plain) == "Origin(name='mine.ipynb', stem='mine', notebook='/home/me/mine.ipynb')\n"
    console = opened("Console 1")
    assert _origin(console) == "Origin(name='Console 1', stem='Console 1', notebook='')\n"


def test_a_notebook_that_another_one_runs_does_not_take_its_name(opened: Open, tmp_path: Path) -> None:
    """As with papermill in a cell: the kernel's variables reach the kernels that its programs start."""
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom tests.notebooks.kernel import kernel_in\n"
        f"with kernel_in(Path({str(tmp_path)!r}), dict(os.environ)) as kernel:\n"
        f"    sys.stdout.write(kernel.ok({ORIGIN!r}).stdout)"
    )
    env = environment(tmp_path) | {JUPYTER: str(tmp_path / "outer.ipynb")}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert f"stem='{tmp_path.name}', notebook=''" in ran.stdout


def test_pools_of_notebooks_side_by_side_and_of_a_script_differ(opened: Open, tmp_path: Path) -> None:
    first, second = opened("02 Größe.ipynb"), opened("search.ipynb")
    same, plain, third = opened("search.ipynb"), opened(), opened()
    (tmp_path / "search.py").write_text(
        "import skyward as sky\nwith sky.ComputePool() as pool:\n    print(pool.name, flush=True)\n    input()\n"
    )
    command = [sys.executable, "search.py"]
    named = [_start(first), _start(second)]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(tmp_path), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as script:
        assert script.stdout is not None
        named.append(script.stdout.readline().strip())
        named += [_start(one) for one in (same, plain, third)]
        stem = re.sub(r"^[^a-z]+", "", re.sub(r"[^a-z0-9_]+", "-", tmp_path.name.lower()))[:24].rstrip("-_")
        assert len(set(named)) == len(named)
        assert named == ["grosse", "search", "search-2", "search-3", stem, f"{stem}-2"]
        everyone = second.ok("%sky pools --all").stdout
        assert re.search(r"^search-2 .* search\.py \(process \d+\) \(alive\)$", everyone, re.MULTILINE)
        assert re.search(r"^grosse .* 02 Größe\.ipynb \(alive\)$", everyone, re.MULTILINE)
        assert re.search(rf"^{stem} .* kernel \d+ in {tmp_path.name} \(alive\)$", everyone, re.MULTILINE)
        own = second.ok("%sky pools").stdout.splitlines()
        assert [line.split()[0] for line in own[1:]] == ["search", "search-3"]
        assert own[1].endswith("this notebook, search.ipynb, active")
        assert own[2].endswith("another kernel of search.ipynb (alive)")
        refused = first.run("%sky attach search").evalue
        assert refused.startswith("pool search is driven by search.ipynb, which is alive")
        script.communicate("\n")
    assert script.returncode == 0


def test_many_programs_that_start_at_once_have_pools_of_different_names(tmp_path: Path) -> None:
    code = (
        "import sys, skyward as sky\npool = sky.ComputePool()\nprint('made', flush=True)\ninput()\npool.start()\n"
        "print(pool.name, flush=True)\ninput()\npool.stop()\n"
    )
    (tmp_path / "same.py").write_text(code)
    env = environment(tmp_path)
    with ExitStack() as stack:
        programs = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "same.py"],
                    cwd=tmp_path,
                    env=env,
                    text=True,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            for _ in range(4)
        ]
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline() == "made\n"
        for program in programs:
            assert program.stdin is not None
            program.stdin.write("\n")
            program.stdin.flush()
        names = sorted(program.stdout.readline().strip() for program in programs if program.stdout is not None)
        for program in programs:
            program.communicate("\n")
    assert names == ["same", "same-2", "same-3", "same-4"]


def test_a_notebook_is_told_of_its_own_former_pools_only(opened: Open) -> None:
    first, other = opened("search.ipynb"), opened("other.ipynb")
    assert _start(first, "--ttl 60") == "search"
    first.ok("%%sky\nx = 41")
    pid = _pid(first)
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=60)
    assert other.ok("%reload_ext skyward").text == ""
    assert other.ok("%sky pools").stdout == NONE
    assert re.search(r"nobody, ends in \d+ s; left by search.ipynb$", other.ok("%sky pools --all").stdout.rstrip())
    assert "goes on with" not in other.run("%%sky\n1").evalue
    assert _start(other) == "other"
    again = opened("search.ipynb")
    told = again.ok("%reload_ext skyward").text
    assert re.fullmatch(
        r"pool search \(1 node\) of search\.ipynb is still there: %sky attach search takes it over, it ends in \d+ s",
        told,
    )
    assert again.run("%%sky\n1").evalue.endswith("; %sky attach search goes on with the one that this notebook left")
    refused = again.run("import skyward as sky\nsky.pool()").evalue
    assert refused.startswith("no pool is running; start one with `%sky start --nodes 4`")
    assert refused.endswith("; %sky attach search goes on with the one that this notebook left")
    assert again.ok("%sky attach").stdout.startswith("pool search: 1 node, attached\n")
    assert again.ok("%sky x\n").text == "41"
    again.ok("%sky stop")


def test_another_kernel_of_the_notebook_replaces_what_the_former_left(opened: Open) -> None:
    first = opened("search.ipynb")
    assert _start(first, "--ttl 60") == "search"
    pid = _pid(first)
    os.kill(pid, signal.SIGKILL)
    again = opened("search.ipynb")
    assert _start(again) == "search"
    assert len(again.ok("%sky pools --all").stdout.splitlines()) == 2


def test_what_is_told_goes_when_the_next_cell_runs(opened: Open) -> None:
    kernel = opened("search.ipynb")
    _start(kernel, "--ttl 60")
    kernel.restart()
    told = kernel.ok("%load_ext skyward\nimport math")
    assert "is still there" in told.text
    assert told.stdout == ""
    kernel.ok("1")
    assert told.cleared == 1
    kernel.restart()
    told = kernel.ok("print('mine')\n%load_ext skyward")
    assert "is still there" in told.text
    kernel.ok("1")
    assert (told.cleared, told.text, told.stdout) == (0, "", "mine\n")
    kernel.ok("%sky attach\n%sky stop")


def _origin(kernel: Kernel) -> str:
    return kernel.ok(ORIGIN).stdout


def _pid(kernel: Kernel) -> int:
    return int(kernel.ok("import os\nprint(os.getpid())").stdout)


def _start(kernel: Kernel, more: str = "") -> str:
    kernel.ok(f"%sky start --nodes 1 {more}")
    return kernel.ok("print(pool.name)").stdout.strip()
