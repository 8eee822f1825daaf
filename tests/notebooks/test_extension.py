"""Loading, unloading, settings, completion, help; and terminal IPython."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect  # type: ignore[import-untyped]
import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

STATE = (
    "import signal\nip = get_ipython()\n"
    "(sorted(ip.magics_manager.magics['cell']), len(ip.input_transformers_post), len(ip.Completer.custom_matchers),"
    " [type(c).__name__ for c in ip.configurables], signal.getsignal(signal.SIGUSR2),"
    " {k: len(v) for k, v in ip.events.callbacks.items() if k != 'pre_run_cell'})"
)


def test_loading_twice_is_harmless_and_unloading_takes_all_back(kernel: Kernel) -> None:
    loaded = kernel.ok(STATE).text
    for code in ("%load_ext skyward", "import skyward\nskyward.load_ipython_extension(get_ipython())"):
        assert kernel.ok(code).stderr == ""
        assert kernel.ok(STATE).text == loaded
    kernel.ok("%unload_ext skyward")
    bare = kernel.ok(STATE).text
    assert "sky" not in bare.lower()
    assert kernel.run("%sky").status == "error"
    kernel.ok("%unload_ext skyward")
    kernel.ok("%load_ext skyward")
    assert kernel.ok(STATE).text == loaded
    kernel.ok("%unload_ext skyward")
    assert kernel.ok(STATE).text == bare
    kernel.ok("%load_ext skyward")


def test_settings(kernel: Kernel) -> None:
    kernel.ok("%config Skyward.nodes = 2")
    assert kernel.ok("%%sky\n1").text.startswith("[0-1] 1")
    kernel.ok("%config Skyward.size_limit = 1000\nbig = bytes(10_000)")
    assert "big (10 kB) is over 1 kB" in kernel.run("%%sky\nlen(big)").evalue
    assert kernel.ok("%%sky -i big\nlen(big)").text == "[0-1] 10000"
    kernel.ok("%config Skyward.quiet = True")
    assert kernel.ok("%%sky\nprint(1)").stdout == ""
    kernel.ok("%config Skyward.quiet = False")
    assert "Choices" in kernel.run("%config Skyward").stdout


@pytest.mark.parametrize(
    ("code", "offered"),
    [
        ("%%sky --gr", ["--group"]),
        ("%%sky --group ", ["same", "node", "time"]),
        ("%%sky --on ", ["all", "any", "head", "0", "1"]),
        ("%sky sc", ["scale"]),
        ("%sky start --na", ["--name"]),
    ],
)
def test_tab(kernel: Kernel, code: str, offered: list[str]) -> None:
    assert kernel.complete(code) == offered


def test_tab_leaves_the_code_alone(kernel: Kernel) -> None:
    kernel.ok("a_long_name = 1")
    assert "a_long_name" in kernel.complete("%%sky\na_long_n")


def test_help(kernel: Kernel) -> None:
    text = kernel.ok("print(get_ipython().object_inspect_mime('%%sky')['text/plain'])").stdout
    assert "--timeout S" in text
    assert "Examples" in text


def test_another_distribution_of_the_name_is_said(kernel: Kernel) -> None:
    kernel.ok(
        "import pathlib, sys\nother = pathlib.Path('other/skyward-9.dist-info')\nother.mkdir(parents=True)\n"
        "_ = (other / 'METADATA').write_text('Metadata-Version: 2.1\\nName: skyward\\nVersion: 9')\n"
        "sys.path.append('other')"
    )
    shown = kernel.ok("%reload_ext skyward")
    assert "another distribution, skyward 9" in shown.stderr
    assert "pip uninstall skyward" in shown.stderr
    kernel.ok("sys.path.remove('other')")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Any]:
    """Terminal IPython with the extension."""
    command = "-m IPython --simple-prompt --no-banner --colors=NoColor --ext=skyward"
    env = {**os.environ, "TERM": "dumb", "IPYTHONDIR": str(tmp_path)}
    with pexpect.spawn(sys.executable, command.split(), encoding="utf8", timeout=60, env=env) as made:
        made.expect(r"In \[1\]: ")
        yield made


def _typed(terminal: Any, number: int, *lines: str) -> str:
    for line in lines:
        terminal.sendline(line)
    terminal.expect(rf"In \[{number}\]: ")
    return str(terminal.before)


WORK = """
import asyncio, time
import skyward as sky

steps = []

@sky.compute
def slow():
    print("begun", flush=True)
    time.sleep(600)

async def work():
    try:
        await sky.pool().run(slow())
        steps.append("went on")
    finally:
        await asyncio.sleep(0.01)
        steps.append("ended")
"""


def test_a_terminal(terminal: Any, tmp_path: Path) -> None:
    assert "[0-1] 2" in _typed(terminal, 2, "%%sky --nodes 2", "1 + 1", "", "")
    assert "[0-1] [3]" in _typed(terminal, 3, "%sky [3]")
    assert "----> 2 1 / 0" in _typed(terminal, 4, "%%sky", "1 / 0", "", "")
    _typed(terminal, 5, "def half(x): return 1 / x")
    shown = _typed(terminal, 6, "%%sky", "half(0)", "", "")
    assert "Cell In[4], line 1, in half(x)" in shown
    assert "----> 1 def half(x): return 1 / x" in shown
    terminal.sendline("%%sky\nimport time\nprint('be' + 'gun', flush=True)\ntime.sleep(60)\n\n")
    terminal.expect("begun")
    terminal.sendintr()
    terminal.expect("interrupted on nodes 0-1")
    assert "alive" in _typed(terminal, 8, "%%sky", "print('alive')", "", "")
    (tmp_path / "work.py").write_text(WORK)
    _typed(terminal, 9, f"%run {tmp_path / 'work.py'}")
    terminal.sendline("await work()")
    terminal.expect("begun")
    terminal.sendintr()
    terminal.expect("KeyboardInterrupt")
    assert "['ended']" in _typed(terminal, 11, "await asyncio.sleep(.05); steps")
    assert "alive" in _typed(terminal, 12, "%%sky", "print('alive')", "", "")
    terminal.sendline("exit")
    terminal.expect(pexpect.EOF)
