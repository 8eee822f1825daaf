"""Every line of the page for those who come from another library runs as it stands, in a notebook with a pool."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.notebooks.conftest import environment
from tests.notebooks.kernel import Kernel, kernel_in
from tests.pages import blocks

pytestmark = pytest.mark.kernel

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "coming-from.md"
#: What stands above each decorator and cell of the page, and below it.
BELOW = {"@": "def h(x=0): return x", "%%sky": "x = 1"}


def rows() -> list[list[str]]:
    """The cells of every row of every table, its header left out."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    split = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [cells for cells in split if cells[-1] != "here"]


def lines() -> list[str]:
    """The code of the last column: what stands between backquotes and is more than a word of a sentence."""
    found = [one for cells in rows() for one in re.findall(r"`([^`]+)`", cells[-1])]
    return list(dict.fromkeys(one for one in found if not re.fullmatch(r'[a-zA-Z]+|"\w+"|\[[\w.]+\]|provider=', one)))


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A kernel with what the page takes for granted, and a profile."""
    folder = tmp_path_factory.mktemp("coming")
    (folder / "skyward.toml").write_text("[pools.training]\nnodes = 2\n")
    with kernel_in(folder, environment(folder)) as made:
        for block in blocks("docs/howto/coming-from.md"):
            made.ok(block.code.replace("%load_ext skyward\n", ""))
        made.ok("items = list(range(8)); x = 5; other = sky.ComputePool(nodes=2)")
        made.ok("%%sky -i items\nx = 1")
        yield made


def cell_of(line: str) -> str:
    """A line of the page as a cell."""
    if line.startswith("for "):
        made = "@sky.compute\ndef f(x=0):\n    yield x\n"
        return f"def here():\n    {made.replace(chr(10), chr(10) + '    ')}\n    {line}\nhere()"
    below = next((text for mark, text in BELOW.items() if line.startswith(mark)), "")
    return f"{line}\n{below}".strip()


def test_there_are_lines() -> None:
    assert len(lines()) > 60


@pytest.mark.parametrize("line", lines())
def test_a_line_runs_as_it_stands(there: Kernel, line: str) -> None:
    shown = there.run(cell_of(line))
    assert shown.status == "ok", f"{line}\n{shown.evalue}\n{shown.traceback}"
    there.ok("%sky off" if line.startswith("%sky on") else "pool.scale(4)")
