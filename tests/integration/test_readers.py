"""Scripts whose output is read by few, by nobody, or by something that cannot show it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BEGIN = """
import sys, time
import skyward as sky

@sky.compute
def talk(lines=10**6):
    for n in range(lines):
        print("line", n)
        if n > 100: time.sleep(.001)
    return lines

@sky.compute
def plain(n):
    return n

@sky.compute
def count():
    n = 0
    while True:
        print("at", n)
        yield (n := n + 1)

if __name__ == "__main__":
    with sky.ComputePool(nodes=2) as pool:
        {body}
    open("reached", "w").close()
"""


def started(tmp_path: Path, body: str, **options: object) -> subprocess.Popen[str]:
    path = tmp_path / "script.py"
    path.write_text(BEGIN.replace("{body}", body))
    environment = {**os.environ, "SKYWARD_PANEL": "off", **options.pop("env", {})}  # type: ignore[dict-item]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([sys.executable, path], cwd=tmp_path, env=environment, text=True, **pipe)  # type: ignore[call-overload,no-any-return]


def cut(child: subprocess.Popen[str]) -> tuple[str, str]:
    """Read one line of what a script writes and no more; returns it and what it complains of."""
    assert child.stdout is not None
    line = child.stdout.readline()
    child.stdout.close()
    child.stdout = None
    _, complaint = child.communicate(timeout=60)
    return line, complaint


@pytest.mark.parametrize(
    "body",
    [
        "talk() >> pool",
        "talk() @ pool",
        "sky.gather(talk(), talk()) >> pool",
        "list(sky.gather(talk(), talk(), stream=True) >> pool)",
        "(talk() > pool).result()",
        "pool.map(talk, [10**6, 10**6])",
        "for n in count() >> pool: pass",
        "import asyncio; asyncio.run(pool.run(talk()))",
        "for n in range(10**6): print(plain(n) >> pool)",
        "talk(3) @ pool; [print(n) for n in range(10**6)]",
    ],
)
def test_a_script_whose_reader_has_gone_ends_quietly(tmp_path: Path, body: str) -> None:
    line, complaint = cut(started(tmp_path, body))
    assert line
    assert complaint == ""
    assert not (tmp_path / "reached").exists()


def test_both_streams_may_lose_their_reader(tmp_path: Path) -> None:
    with started(tmp_path, "talk() @ pool", stderr=subprocess.STDOUT) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.wait(timeout=60) == 1


def test_what_is_left_at_the_end_is_dropped_quietly(tmp_path: Path) -> None:
    body = "print('first', flush=True); plain(1) >> pool; time.sleep(.5); print('last')"
    line, complaint = cut(started(tmp_path, body))
    assert (line, complaint) == ("first\n", "")


def test_an_error_of_a_script_without_a_reader_is_told(tmp_path: Path) -> None:
    line, complaint = cut(started(tmp_path, "print('first', flush=True); raise BrokenPipeError('of a socket')"))
    assert line == "first\n"
    assert complaint == "" or complaint.endswith("BrokenPipeError: of a socket\n")
    child = started(tmp_path, "raise BrokenPipeError('of a socket')")
    assert child.communicate(timeout=60)[1].endswith("BrokenPipeError: of a socket\n")


TEXT = "@sky.compute\ndef say():\n    print('größe ✓')\n    print('lone \\ud800 end')\n"


@pytest.mark.parametrize(
    ("encoding", "first"),
    [("ascii", r"gr\xf6\xdfe \u2713"), ("latin-1", r"größe \u2713"), ("utf-8", "größe ✓")],
)
def test_what_an_encoding_cannot_show_is_escaped(tmp_path: Path, encoding: str, first: str) -> None:
    body = "say() >> pool\n"
    path = tmp_path / "script.py"
    path.write_text(BEGIN.replace("{body}", body).replace('if __name__ == "__main__"', TEXT + "if True"))
    done = subprocess.run(
        [sys.executable, path],
        cwd=tmp_path,
        env={**os.environ, "SKYWARD_PANEL": "off", "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
        check=True,
    )
    lines = [line.partition("] ")[2] for line in done.stdout.decode(encoding).splitlines()]
    assert (lines, done.stderr) == ([first, r"lone \ud800 end"], b"")


def test_a_full_disk_is_told_of_once(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        child = started(tmp_path, "talk(50) @ pool; sys.stdout = None", stdout=full)
        complaint = child.communicate(timeout=60)[1]
    assert complaint.startswith("what the nodes write is not shown: stdout cannot be written to")
    assert complaint.count("what the nodes write is not shown") == 1
    assert "Traceback" not in complaint
    assert (tmp_path / "reached").exists()


def test_a_script_without_stdout_runs(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(BEGIN.replace("{body}", "assert talk(5) @ pool == [5, 5]"))
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} {path} >&-"],
        cwd=tmp_path,
        env={**os.environ, "SKYWARD_PANEL": "off"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    assert (tmp_path / "reached").exists()


PROMPT = """
from IPython.terminal.interactiveshell import TerminalInteractiveShell
shell = TerminalInteractiveShell.instance(simple_prompt=True)
shell.run_line_magic("load_ext", "skyward")
if __name__ == "__main__":
    begin = "%sky start --nodes 2"
    cells = begin, "%%sky\\nprint('ü✓'); '✓'", "%%sky --group node\\nprint('ü'); display('✓')", "%sky logs"
    assert all(shell.run_cell(cell).success for cell in cells)
    shell.run_line_magic("sky", "stop")
"""


def test_a_prompt_of_few_characters_shows_all(tmp_path: Path) -> None:
    (tmp_path / "prompt.py").write_text(PROMPT)
    done = subprocess.run(
        [sys.executable, "prompt.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "IPYTHONDIR": str(tmp_path / "ipython")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    for part in (
        "[0-1] \\xfc\\u2713\n[0-1] '\\u2713'\n",
        "[0]\n  \\xfc\n'\\u2713'\n[1]\n  \\xfc\n",
        "stdout  \\xfc\\u2713",
    ):
        assert part in done.stdout, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
