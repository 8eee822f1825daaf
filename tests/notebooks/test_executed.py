"""Notebooks that are executed with nobody at them and end with a living pool: what is in them, and in pages of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from tests.notebooks.conftest import environment

pytestmark = pytest.mark.kernel

VIEW = "application/vnd.jupyter.widget-view+json"
WITHIN = 110

#: No cell stops the pool; what the last ones do must be in what earlier ones show.
CELLS = (
    "%load_ext skyward\nimport skyward as sky",
    "%%sky --nodes 2\n1",
    "sky.pool()",
    "display(sky.pool())",
    "%sky",
    "d = sky.dict('runs')\nd",
    "q = sky.queue('jobs')\ndisplay(q)",
    "c = sky.counter('steps')\nc",
    "%%sky --bg --into run\nfor step in range(3): print('step', step)",
    "await run",
    "%sky pools",
    "%%sky --on 1\nimport skyward as sky\nsky.dict('runs')['far'] = 'from a node'",
    "%%sky --bg --into other\nimport time\nprint('it goes on')\nwhile True: time.sleep(0.05)",
    "sky.pool().scale(3)",
    "d['here'] = 'the last value'\nq.put('the next item')\nc.increment(42)",
)
#: Which cell has a table of pools,
POOLS = 10
#: and what must be left of others.
LEFT = {
    2: ("ready", "3 nodes"),
    3: ("ready", "3 nodes"),
    4: ("ready", "3 nodes"),
    5: ("from a node", "the last value"),
    6: ("the next item",),
    7: ("42",),
    8: ("step 2", "done"),
    12: ("it goes on", "running"),
}


def write(folder: Path) -> Path:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    file = folder / "book.ipynb"
    nbformat.write(book, file)
    return file


@pytest.fixture(scope="module", params=["nbclient", "papermill", "nbconvert"])
def executed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """The notebook as each of them leaves it."""
    folder = tmp_path_factory.mktemp(request.param)
    file = write(folder)
    commands = {
        "nbclient": ["jupyter", "execute", "--inplace", file.name],
        "papermill": ["papermill", "--no-progress-bar", file.name, file.name],
        "nbconvert": ["nbconvert", "--to", "notebook", "--execute", "--inplace", file.name],
    }
    if request.param == "papermill":
        pytest.importorskip("papermill")
    command = [sys.executable, "-m", *commands[request.param]]
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), timeout=WITHIN, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    book: NotebookNode = nbformat.read(file, 4)
    nbformat.validate(book)
    return book


def bundles(book: NotebookNode, cell: int) -> list[dict[str, Any]]:
    return [output.data for output in book.cells[cell].outputs if "data" in output]


def test_it_holds_the_last_state_as_html_and_as_text(executed: NotebookNode) -> None:
    for cell, words in LEFT.items():
        (bundle,) = bundles(executed, cell)
        for kind in ("text/plain", "text/html"):
            assert all(word in bundle[kind] for word in words), (cell, kind, bundle[kind])


def test_a_table_of_pools_is_text(executed: NotebookNode) -> None:
    assert "this kernel, active" in "".join(output.get("text", "") for output in executed.cells[POOLS].outputs)


def test_it_holds_no_widget_and_nothing_of_one(executed: NotebookNode) -> None:
    assert "widgets" not in executed.metadata
    for cell in executed.cells:
        for output in cell.outputs:
            assert VIEW not in output.get("data", {})
            assert "data-skyward" not in str(output)


def test_it_stays_small(executed: NotebookNode) -> None:
    shown = [str(bundle) for cell in LEFT for bundle in bundles(executed, cell)]
    assert max(map(len, shown)) < 20_000
