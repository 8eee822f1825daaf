"""Cells that fork: only the parent answers."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

FORK = "import os, sys\nif (child := os.fork()) == 0:\n    {}\nos.waitstatus_to_exitcode(os.waitpid(child, 0)[1])"
ENDS = [("os._exit(3)", 3), ("sys.exit(3)", 3), ("raise ValueError('of the child')", 1), ("os.abort()", -6)]


@pytest.mark.parametrize(("how", "status"), ENDS)
@pytest.mark.parametrize("before", ["", "import asyncio\nawait asyncio.sleep(0)\n"])
def test_a_cell_forks(nodes: Kernel, how: str, status: int, before: str) -> None:
    nodes.ok("%%sky\nimport os\nsession = os.getpid()")
    shown = nodes.ok(f"%%sky\n{before}{FORK.format(how)}")
    assert shown.text == f"[0-2] {status}"
    assert shown.stderr.count("ValueError: of the child") == (3 if status == 1 else 0) or "[0-2]" in shown.stderr
    assert nodes.ok("%sky session == os.getpid()").text == "[0-2] True"


def test_a_child_falls_off_the_end_of_its_cell(nodes: Kernel) -> None:
    nodes.ok("%%sky\nimport os\nsession = os.getpid()")
    code = "if (child := os.fork()):\n    os.waitpid(child, 0)\n'parent' if child else 'child'"
    for _ in range(3):
        assert nodes.ok(f"%%sky\n{code}").text == "[0-2] 'parent'"
    assert nodes.ok("%sky session == os.getpid()").text == "[0-2] True"
