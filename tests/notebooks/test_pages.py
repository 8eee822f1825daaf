"""Every block of the pages for the first hour runs as it stands, in order, and shows what the page says it shows.

A block of Python is a cell of one notebook, or the file that its first line names; one of `sh` is for a shell. A block
that is not run has the reason above it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.notebooks.conftest import environment
from tests.notebooks.kernel import Kernel, Shown
from tests.pages import ROOT, Block, blocks

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

PAGES = ("install", "first-notebook", "several-pools", "testing", "errors")
KINDS = {"python", "sh", "text"}


def page(name: str) -> str:
    return f"docs/howto/{name}.md"


def in_a_shell(code: str, folder: Path) -> str:
    """Run a block as a shell does that has this environment's programs, and return what it wrote."""
    env = environment(folder)
    env["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), env["PATH"]))
    command = ["bash", "-euc", code]
    done = subprocess.run(command, cwd=folder, env=env, timeout=120, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def written(shown: Shown) -> str:
    return "\n".join(filter(None, (shown.stdout, shown.text)))


def follow(kernel: Kernel, block: Block, before: str) -> str:
    """Do what a reader does with a block; return what it shows."""
    match block:
        case Block(why=str(why)) if why:
            return ""
        case Block(kind="text"):
            missing = [line for line in block.code.splitlines() if line not in before.splitlines()]
            assert not missing, f"the page shows {missing}, the block before it\n{before}"
            return before
        case Block(kind="sh"):
            return in_a_shell(block.code, kernel.folder)
        case Block(file=str(file)) if file:
            (kernel.folder / file).write_text(block.code)
            return ""
        case _:
            return written(kernel.ok(block.code))


@pytest.mark.parametrize("name", PAGES)
def test_every_block_runs_in_its_order(name: str, tmp_path: Path) -> None:
    if name == "testing":
        pytest.importorskip("papermill")
    kernel = Kernel(tmp_path, environment(tmp_path))
    before = ""
    try:
        for block in blocks(page(name)):
            before = follow(kernel, block, before)
    finally:
        kernel.stop()


@pytest.mark.parametrize("name", PAGES)
def test_a_block_is_run_or_says_why_not(name: str) -> None:
    text = (ROOT / page(name)).read_text()
    found = blocks(page(name))
    assert len(found) == len(re.findall(r"^```\w*$", text, re.MULTILINE)) / 2
    assert {block.kind for block in found} <= KINDS
    assert text.count("<!-- not run:") == sum(bool(block.why) for block in found)
    assert not re.search(r"^    \S", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
