"""What a pool shows in a real terminal, in a pipe and in terminal IPython: the screen as a user sees it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect  # type: ignore[import-untyped]
import pyte  # type: ignore[import-untyped]
import pytest

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="needs a pty"), pytest.mark.timeout(120)]

ROWS, COLUMNS = 30, 80
BEGIN = """
import os, signal, sys, time
import skyward as sky

@sky.compute
def work(path, *, say=""):
    "Print, then wait for a file to appear."
    print(say, flush=True)
    while not os.path.exists(path):
        time.sleep(0.01)
    return 7

with sky.ComputePool(nodes=2, name="lab") as pool:
"""


class Terminal:
    """A program in a pty, and the screen that it draws on."""

    def __init__(self, arguments: list[str], directory: Path, **environment: str) -> None:
        env = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1", **environment}
        for name in ("JPY_PARENT_PID", "SKYWARD_PANEL", "CI"):
            env.pop(name, None)
        self.child: Any = pexpect.spawn(
            sys.executable, arguments, env=env | environment, cwd=str(directory), dimensions=(ROWS, COLUMNS), echo=False
        )
        self.screen: Any = pyte.HistoryScreen(COLUMNS, ROWS, history=1000)
        self._parser: Any = pyte.ByteStream(self.screen)
        self.over = False

    @property
    def text(self) -> str:
        """What is on the screen now."""
        self._read()
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def until(self, what: str | Callable[[str], object]) -> str:
        """Wait until a pattern is on the screen, or until something is true of it; returns the screen."""
        found = what if callable(what) else lambda text: re.search(what, text)
        deadline = time.monotonic() + 40
        while not found(text := self.text):
            assert time.monotonic() < deadline, f"after 40 s still not {what}:\n{text}"
            assert not self.over, f"the program ended without {what}:\n{text}"
        return text

    def end(self) -> str:
        """Wait for the program to end; returns the last screen."""
        deadline = time.monotonic() + 40
        while not self.over:
            assert time.monotonic() < deadline, f"after 40 s it still runs:\n{self.text}"
            self._read()
        self.child.wait()
        return self.text

    def _read(self) -> None:
        try:
            self._parser.feed(self.child.read_nonblocking(65536, timeout=0.05))
        except pexpect.TIMEOUT:
            pass
        except pexpect.EOF:
            self.over = True


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Runs a script with a pool of two nodes in a terminal."""
    made: list[Terminal] = []

    def run(body: str, **environment: str) -> Terminal:
        path = tmp_path / "script.py"
        path.write_text(BEGIN + body)
        made.append(Terminal([str(path)], tmp_path, **environment))
        return made[-1]

    yield run
    for terminal in made:
        terminal.child.close(force=True)


def region(text: str) -> list[str]:
    """The lines of the live region."""
    lines = text.split("\n")
    start = next((place for place, line in enumerate(lines) if line.startswith("── lab")), len(lines))
    return lines[start:]


def test_a_script_is_drawn_while_it_waits(script: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = script("    print('before')\n    print(work('go', say='working') @ pool)\n    print('after')\n")
    text = terminal.until(r"0 +▶ active +\S+ +\d+% +\d+ MiB +1 +0\n +1 +▶ active +\S+ +\d+%")
    assert region(text)[0].startswith("── lab · ready · 2 nodes · local ──")
    assert len(region(text)) == 4
    assert sorted(text.split("── lab")[0].split("\n")[:3]) == ["[0] working", "[1] working", "before"]
    (tmp_path / "go").touch()
    lines = terminal.end().split("\n")
    assert (lines[0], sorted(lines[1:3]), lines[3:]) == ("before", ["[0] working", "[1] working"], ["[7, 7]", "after"])
    assert terminal.child.exitstatus == 0
    assert not terminal.screen.cursor.hidden


def test_a_bar_of_many_calls_is_in_the_panel(script: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = script(
        "    calls = [work('/'), *(work('go') for _ in range(3))]\n"
        "    print('gave', sky.gather(*calls, progress=True) >> pool)\n"
    )
    text = terminal.until(
        r"work:  25%\|██▌       \| 1/4 \[00:\d\d<00:\d\d, .* 1 done, 3 left\]\n── lab.*\nnode .*\n +0 .*\n +1 .*"
    )
    assert len(region(text)) == 4
    (tmp_path / "go").touch()
    text = terminal.end()
    assert text.split("\n")[-1] == "gave [7, 7, 7, 7]"
    assert "done" not in text


def test_a_bar_is_nowhere_where_stderr_is_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(
        BEGIN + "    _ = sky.gather(*(sky.compute(time.sleep)(2.5) for _ in range(4)), progress=True) >> pool\n"
    )
    env = {name: value for name, value in os.environ.items() if name not in ("SKYWARD_PANEL", "JPY_PARENT_PID")}
    done = subprocess.run([sys.executable, path], env=env, capture_output=True, text=True, check=True, timeout=100)
    assert (done.stdout, "done" in done.stderr, "|" in done.stderr) == ("", False, False)


def test_output_stays_whole_and_in_order(script: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = script(
        "    import logging, threading\n"
        "    logging.basicConfig(format='%(message)s')\n"
        "    def talk():\n"
        "        while not os.path.exists('drawn'): time.sleep(0.01)\n"
        "        for n in range(100):\n"
        "            print('out', end=' '); print(n)\n"
        "            logging.warning('log %d', n)\n"
        "        open('go', 'w')\n"
        "    thread = threading.Thread(target=talk); thread.start()\n"
        "    print('begun ', end='')\n"
        "    work('go').with_timeout(60) >> pool\n"
        "    thread.join()\n"
    )
    terminal.until(r"begun \[\d\]\n(.*\n)*.*▶ active")
    (tmp_path / "drawn").touch()
    terminal.end()
    rows = [*terminal.screen.history.top, *(terminal.screen.buffer[row] for row in range(ROWS))]
    lines = ["".join(row[column].data for column in range(COLUMNS)).rstrip() for row in rows]
    assert [line for line in lines if line][1:] == [f"{kind} {n}" for n in range(100) for kind in ("out", "log")]


def test_short_calls_are_not_drawn(script: Callable[..., Terminal]) -> None:
    terminal = script(
        "    time.sleep(1.1)  # what follows a long wait at once is drawn sooner\n"
        "    print('begin')\n"
        "    slowest = 0\n"
        "    for n in range(100):\n"
        "        began = time.monotonic()\n"
        "        work('/') >> pool\n"
        "        slowest = max(slowest, time.monotonic() - began)\n"
        "    print('slowest', slowest)\n"
    )
    seen: list[str] = []
    while not terminal.over:
        seen.append(terminal.text)
    slowest = re.search(r"slowest (\S+)", seen[-1])
    assert slowest is not None
    drawn = [text for text in seen if "[0]" in text and region(text)]
    assert not drawn or float(slowest[1]) > 0.4  # on a machine that busy it may be


def test_an_interrupt_leaves_the_terminal_as_it_was(script: Callable[..., Terminal]) -> None:
    terminal = script("    print('before')\n    work('never', say='working') @ pool\n")
    terminal.until("▶ active")
    terminal.child.sendintr()
    text = terminal.end()
    assert "KeyboardInterrupt" in text
    assert "── lab" not in text
    assert "active" not in text
    assert not terminal.screen.cursor.hidden
    assert terminal.child.signalstatus == 2


def test_a_lost_node_is_told_and_seen(script: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = script(
        "    future = work('go') > pool\n"
        "    while not any(node.running for node in pool.nodes): time.sleep(0.01)\n"
        "    idle = next(node for node in pool.nodes if not node.running)\n"
        "    os.kill(idle.pid, signal.SIGKILL)\n"
        "    while pool.nodes[idle.rank].pid == idle.pid: time.sleep(0.01)\n"
        "    work('go').with_timeout(60) >> pool\n"
    )
    terminal.until(r"pool lab: node \d was lost \(signal 9\), another is started\n")
    terminal.until(r"pool lab: node \d is back\n")
    terminal.until("── lab · ready · 2 nodes")
    (tmp_path / "go").touch()
    assert terminal.end().count("pool lab:") == 2


@pytest.mark.parametrize("mode", ["off", "lines"])
def test_the_environment_turns_it_off(mode: str, script: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = script(
        "    print('before', flush=True); time.sleep(0.3)\n"
        "    import threading; threading.Timer(1.5, lambda: open('go', 'w')).start()\n"
        "    work('go') >> pool\n",
        SKYWARD_PANEL=mode,
    )
    text = terminal.end()
    assert "──" not in text
    assert ("pool lab: 2 nodes ready in" in text) == (mode == "lines")


def piped(tmp_path: Path, body: str, **environment: str) -> subprocess.Popen[str]:
    """A script whose output goes nowhere near a terminal."""
    path = tmp_path / "script.py"
    path.write_text(BEGIN + body)
    return subprocess.Popen(
        [sys.executable, path],
        cwd=tmp_path,
        env={**os.environ, "TERM": "xterm-256color", "SKYWARD_PANEL": "auto", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_pipe_gets_lines_where_they_are_wanted(tmp_path: Path) -> None:
    with piped(tmp_path, "    work('go') >> pool\n", SKYWARD_PANEL="lines") as child:
        assert child.stderr is not None
        lines = [child.stderr.readline()]
        while " ready in " not in lines[-1]:
            lines.append(child.stderr.readline())
            assert lines[-1].startswith("pool lab: ")
        (tmp_path / "go").touch()
        _, rest = child.communicate(timeout=60)
    assert lines[:-1] in ([], ["pool lab: starting 2 nodes\n"])
    assert re.fullmatch(r"pool lab: 2 nodes ready in \d+\.\d s\n", lines[-1])
    assert re.fullmatch(r"pool lab: stopped after \d+s\n", rest)


def test_a_pipe_hears_of_slow_starts_and_losses_only(tmp_path: Path) -> None:
    with piped(tmp_path, "    os.kill(pool.nodes[1].pid, signal.SIGKILL)\n    work.local('go')\n") as child:
        assert child.stderr is not None
        lines = [child.stderr.readline()]
        while "is back" not in lines[-1]:
            lines.append(child.stderr.readline())
            assert lines[-1].startswith("pool lab: ")
        (tmp_path / "go").touch()
        out, rest = child.communicate(timeout=60)
    told = [line for line in lines if "2 nodes" not in line]  # a start of more than 2 s is told too
    assert told == ["pool lab: node 1 was lost (signal 9), another is started\n", "pool lab: node 1 is back\n"]
    assert re.fullmatch(r"pool lab: stopped after \d+s\n", rest)
    assert "\x1b" not in out


@pytest.fixture
def ipython(tmp_path: Path) -> Iterator[Terminal]:
    """Terminal IPython with the extension."""
    arguments = ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor", "--ext=skyward"]
    made = Terminal(arguments, tmp_path, IPYTHONDIR=str(tmp_path))
    made.until(r"In \[1\]:$")
    yield made
    made.child.close(force=True)


@pytest.mark.kernel
def test_terminal_ipython(ipython: Terminal, tmp_path: Path) -> None:
    ipython.child.send(
        "%%sky --nodes 2\nimport os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('went')\n\n\n"
    )
    ipython.until(r"── ipython · ready · 2 nodes · local .*\nnode .*\n +0 +▶ active .*\n +1 +▶ active .*$")
    (tmp_path / "go").touch()
    text = ipython.until(
        r"\[0-1\] went\nthe name pool now stands for pool ipython: f\(\) >> pool runs a call on it\n\nIn \[2\]:$"
    )
    assert "──" not in text
    ipython.child.send("import skyward; pool = skyward.pool(); pool\n")
    text = ipython.until(r"In \[3\]:$")
    assert re.search(r"ipython: ready, local, 2 nodes, 2 idle, 2 tasks done, up \d+s\nnode +state +CPU", text)
    assert re.search(r"0 +○ idle +\d+% +\d+ MiB +0 +1 +127\.\S+\n", text)
    ipython.child.send("os = __import__('os'); os.kill(pool.nodes[1].pid, 9)\n")
    ipython.until(r"In \[4\]:$")
    ipython.child.send("%sky scale 3\n")
    text = ipython.until(r"In \[5\]:$")
    assert re.search(r"node 1 was lost \(signal 9\), another is started", text)
    ipython.child.send("exit\n")
    ipython.end()
    assert not ipython.screen.cursor.hidden
