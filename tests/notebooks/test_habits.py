"""What people do around a cell: %%time, %%capture, functions, nbconvert, a terminal's Tab."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest

from tests.notebooks.conftest import environment
from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel


def test_captured(nodes: Kernel) -> None:
    shown = nodes.ok("%%capture caught\n%%sky\nprint('said')\nn")
    assert (shown.stdout, shown.displays) == ("", [])
    assert nodes.ok("caught.stdout, [o.data['text/plain'] for o in caught.outputs]").text == (
        r"('[0-2] said\n', ['[0] 0\n[1] 1\n[2] 2'])"
    )
    assert nodes.ok("%%sky\n%%capture\nprint('not shown')").stdout == ""


def test_in_a_function(nodes: Kernel) -> None:
    nodes.ok(
        "def everywhere(expression):\n"
        "    get_ipython().run_cell_magic('sky', '--into everywhere_value', expression)\n    return everywhere_value"
    )
    assert nodes.ok("everywhere('n * 2')").text.endswith("[0, 2, 4]")
    failed = nodes.run("everywhere('1 / 0')")
    assert failed.ename == "CellFailed"
    assert "----> 2 1 / 0" in failed.traceback


def test_in_a_loop_of_cells_that_time_themselves(nodes: Kernel) -> None:
    code = "for size in (1, 2):\n    get_ipython().run_cell_magic('sky', '-i size --quiet -o sizes', 'sizes = size')"
    nodes.ok(code)
    assert nodes.ok("sizes").text == "[2, 2, 2]"
    assert "Wall time" in nodes.ok("%%time\n%%sky --quiet\nn").stdout


def test_nbconvert_executes(tmp_path: Path) -> None:
    cells = ["%load_ext skyward", "start = 3", "%%sky --nodes 2 -o end\nprint('on a node')\nend = start + 1", "end"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, tmp_path / "run.ipynb")
    command = [
        sys.executable,
        "-m",
        "nbconvert",
        "--to",
        "notebook",
        "--execute",
        "--output",
        "done.ipynb",
        "run.ipynb",
        # Not at ports that others may have meanwhile.
        "--ConnectionFileMixin.transport=ipc",
    ]
    with tempfile.TemporaryDirectory(prefix="skyward-kernel-") as sockets:
        command.append(f"--ConnectionFileMixin.ip={sockets}/kernel")
        env = environment(tmp_path)
        ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    done = nbformat.read(tmp_path / "done.ipynb", as_version=4)
    assert done.cells[2].outputs[0].text == "[0-1] on a node\n"
    assert done.cells[3].outputs[0].data["text/plain"] == "[4, 4]"


def test_tab_in_terminal_ipython(tmp_path: Path) -> None:
    code = (
        "import skyward\nfrom IPython.core.completer import provisionalcompleter\n"
        "from IPython.terminal.interactiveshell import TerminalInteractiveShell\n"
        "shell = TerminalInteractiveShell.instance()\nskyward.load_ipython_extension(shell)\n"
        "for line in ('%sky st', '%%sky --gr', '%%sky --group ', '%sky push --'):\n"
        "    with provisionalcompleter():\n"
        "        print([found.text for found in shell.Completer.completions(line, len(line))])\n"
    )
    env = {**environment(tmp_path), "IPYTHONDIR": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [
        "['start', 'status', 'stop']",
        "['--group']",
        "['same', 'node', 'time']",
        "['--on', '--pool']",
    ]


def test_help_has_examples(nodes: Kernel) -> None:
    for magic, example in (("%%sky", "--scatter images,labels"), ("%sky", "%sky pull loss")):
        text = nodes.ok(f"print(get_ipython().object_inspect_mime('{magic}')['text/plain'])").stdout
        assert example in text


def test_a_session_ends_as_a_program(kernel: Kernel, tmp_path: Path) -> None:
    shown = kernel.ok(
        "%%sky --nodes 2\n"
        "import atexit, tempfile\n"
        "import skyward as sky\n"
        "from multiprocessing import shared_memory\n"
        "from pathlib import Path\n"
        "rank = sky.instance_info().node\n"
        f"atexit.register(Path({str(tmp_path)!r}, f'atexit{{rank}}').touch)\n"
        f"directory = tempfile.TemporaryDirectory(dir={str(tmp_path)!r}, prefix='left')\n"
        "memory = shared_memory.SharedMemory(create=True, size=1000)\n"
        "class Held:\n"
        "    def __del__(self, touch=Path.touch, path=Path(directory.name).parent / f'del{rank}'):\n"
        "        touch(path)\n"
        "held = Held()\n"
        "print(memory.name)\n"
    )
    names = [word for word in shown.stdout.split() if word.startswith("psm_")]
    assert len(names) == 2
    kernel.ok("%sky stop")
    assert sorted(os.listdir(tmp_path)) == ["atexit0", "atexit1", "del0", "del1"]
    assert not [name for name in names if os.path.exists(f"/dev/shm/{name}")]
