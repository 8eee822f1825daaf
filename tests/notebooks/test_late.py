"""What threads and child processes write when their cell has ended."""

from __future__ import annotations

import time

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

THREAD = """
import subprocess, sys, threading
def late(name):
    while not os.path.exists(name): time.sleep(.01)
    print('late', name)
    print('trouble', name, file=sys.stderr)
"""


def until(nodes: Kernel, code: str, wanted: str) -> str:
    """Ask until what `code` shows has `wanted`."""
    deadline = time.monotonic() + 30
    while wanted not in (found := nodes.ok(code)).stdout + found.text:
        assert time.monotonic() < deadline, found
    return found.stdout + found.text


def test_a_thread_that_goes_on_writes_to_the_log_of_its_run(nodes: Kernel) -> None:
    nodes.ok(f"%%sky{THREAD}\nprint('now')\nthreading.Thread(target=late, args=('one',)).start()")
    nodes.ok("import asyncio, skyward as sky\nmine = sky.last_run()")
    during = "while not os.path.exists('two'): time.sleep(.01)\ntime.sleep(.2)\nprint('other')"
    shown = nodes.start(f"%%sky\n{during}")
    (nodes.folder / "one").touch()
    (nodes.folder / "two").touch()
    nodes.finish(shown)
    assert "other" in shown.stdout
    assert "one" not in shown.stdout + shown.stderr
    until(nodes, "await asyncio.sleep(.05)\nsum(line.text == 'late one' for line in mine.log.tail(100))", "3")
    lines = nodes.ok("sorted((line.stream, line.text, line.ranks) for line in mine.log.tail(100))").text
    assert "('stderr', 'trouble one', '2')" in lines
    assert nodes.ok("mine[1].output").text == "'now\\nlate one\\ntrouble one\\n'"
    assert "late" not in nodes.ok("sky.last_run().log.tail(100)").text


def test_logs_have_it_though_nothing_runs(nodes: Kernel) -> None:
    child = "import os, time\\nwhile not os.path.exists('three'): time.sleep(.01)\\nprint('late child')"
    nodes.ok(f"%%sky{THREAD}\nsubprocess.Popen([sys.executable, '-c', \"{child}\"]);")
    nodes.ok("mine = sky.last_run()")
    (nodes.folder / "three").touch()
    assert until(nodes, "%sky logs", "late child")
    until(nodes, "await asyncio.sleep(.05)\nsum(line.text == 'late child' for line in mine.log.tail(100))", "3")


def test_what_a_call_left_behind_writes_to_the_logs(nodes: Kernel) -> None:
    nodes.ok(
        "import os, threading, time\ndef later():\n    while not os.path.exists('four'): time.sleep(.01)\n"
        "    print('late of a call')\n@sky.compute\ndef leave(): threading.Thread(target=later).start()\nleave() >> sky"
    )
    (nodes.folder / "four").touch()
    until(nodes, "%sky logs", "late of a call")


def test_threads_of_a_pool_write_to_the_cell_that_runs(nodes: Kernel) -> None:
    nodes.ok("%%sky\nfrom concurrent.futures import ThreadPoolExecutor\nexecutor = ThreadPoolExecutor(1)")
    for n in range(2):
        assert nodes.ok(f"%%sky --on 0\nlist(executor.map(print, ['of {n}']));").stdout == f"of {n}\n"


def test_characters_of_a_child_that_goes_on_stay_whole(nodes: Kernel) -> None:
    child = (
        "import sys, time\\nfor b in 'ü€😀'.encode() * 20: sys.stdout.buffer.write(bytes([b])); sys.stdout.flush(); "
        "time.sleep(.005)\\nprint()\\nprint('the end')"
    )
    nodes.ok(f"%%sky\nimport subprocess, sys\nsubprocess.Popen([sys.executable, '-c', \"{child}\"]);")
    for _ in range(5):
        nodes.ok("%%sky\ntime.sleep(.02)")
    assert "\ufffd" not in until(nodes, "%sky logs", "the end") + nodes.stdout
