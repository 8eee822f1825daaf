"""Every block of the pages runs as it stands, in order, and shows what the page says it shows.

A block of Python is a cell of one notebook, or the file that its first line names; one of `sh` is for a shell, one of
`toml` names pools. What a reader is taken to have, such as functions and a pool, is in a comment (``<!-- given:``). A
block that is not run has the reason above it.
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
from tests.pages import DIRECTIVE, ROOT, Block, blocks

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

KINDS = {"python", "sh", "text", "toml", "given"}


def found() -> list[str]:
    """The pages that have blocks, by their path below docs/."""
    docs = ROOT / "docs"
    every = (file.relative_to(docs).as_posix() for file in docs.glob("**/*.md") if "_build" not in file.parts)
    return sorted(name for name in every if "```" in DIRECTIVE.sub("", (docs / name).read_text()))


PAGES = found()


def page(name: str) -> str:
    return f"docs/{name}"


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
        case Block(kind="toml"):
            (kernel.folder / "skyward.toml").write_text(block.code)
            for name in re.findall(r"^\[(?:profiles|pools)\.(\w+)\]", block.code, re.MULTILINE):
                kernel.ok(f"import skyward as sky\nsky.ComputePool.Named({name!r})")
            return ""
        case Block(file=str(file)) if file:
            (kernel.folder / file).write_text(block.code)
            return ""
        case _:
            return written(kernel.ok(block.code))


@pytest.mark.parametrize("name", PAGES)
def test_every_block_runs_in_its_order(name: str, tmp_path: Path) -> None:
    if name == "howto/testing.md":
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
    code = DIRECTIVE.sub("", text)
    assert sum(block.kind != "given" for block in found) == len(re.findall(r"^```\w*$", code, re.MULTILINE)) / 2
    assert {block.kind for block in found} <= KINDS
    assert text.count("<!-- not run:") == sum(bool(block.why) for block in found)


@pytest.mark.parametrize("file", sorted((ROOT / "docs").glob("**/*.md")), ids=lambda file: str(file.name))
def test_code_is_fenced(file: Path) -> None:
    text = re.sub(r"^```.*?^```$|<!--.*?-->", "", file.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"^\n    \S", text, re.MULTILINE)
