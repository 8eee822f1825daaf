"""README's cells run as they stand in an empty notebook, and its script as a script."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebooks.conftest import environment
from tests.notebooks.kernel import Kernel
from tests.pages import blocks

pytestmark = pytest.mark.kernel


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel in which nothing was typed yet."""
    made = Kernel(tmp_path, environment(tmp_path))
    try:
        yield made
    finally:
        made.stop()


def test_every_cell_runs_in_an_empty_notebook(empty: Kernel) -> None:
    cells = [block.code for block in blocks("README.md", "In a notebook")]
    load, cell, call, stop = (empty.ok(each) for each in cells)
    assert load.stderr == ""
    lines = sorted(re.findall(r"\[(\d)\] gamma=\S+ (\d\.\d{3})", cell.stdout))
    assert [node for node, _ in lines] == list("01234567")
    assert max(float(score) for _, score in lines) > 0.98
    assert len(re.findall(r"\b0\.9\d+", call.text)) == 4
    assert "stopped" in stop.stdout
    (script,) = (block.code for block in blocks("README.md", "In Python"))
    assert empty.ok(script).stdout.startswith("0.348")


def test_the_script_is_a_script(tmp_path: Path) -> None:
    (block,) = blocks("README.md", "In Python")
    (tmp_path / "example.py").write_text(block.code)
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env=environment(tmp_path),
        timeout=60,
        capture_output=True,
        text=True,
        check=True,
    )
    loss, rest = done.stdout.split(maxsplit=1)
    assert float(loss) == pytest.approx(0.9**10)
    assert rest.count(loss) == 5
    assert "Traceback" not in done.stderr


def test_no_block_is_left_out() -> None:
    tested = len(blocks("README.md", "In a notebook")) + len(blocks("README.md", "In Python"))
    assert tested == len(blocks("README.md"))
