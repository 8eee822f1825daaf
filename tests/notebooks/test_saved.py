"""What of a cell's output is in a saved notebook: no live view, everything readable without kernel or scripts."""

from __future__ import annotations

import re
import tempfile
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbconvert import HTMLExporter, MarkdownExporter
from nbformat import NotebookNode

from tests.notebooks.conftest import environment
from tools.kernels import reached_in

pytestmark = pytest.mark.kernel

VIEW = "application/vnd.jupyter.widget-view+json"
BARS = """%%sky
import time
from tqdm.auto import tqdm
for i in tqdm(range(25), desc="train"):
    time.sleep(0.1)
print("trained")"""
BEHIND = """%%sky --bg --into run
import sys
from IPython.display import HTML, display
for i in tqdm(range(5), desc="behind"):
    print("step", i)
print("<b>careful</b>", file=sys.stderr)
display(HTML("<i>a figure</i>"))"""
CELLS = ["%load_ext skyward", "%%sky --nodes 2\n1", BARS, BEHIND, "await run", "%sky stop"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """The notebook after Run All; its kernel is gone."""
    folder = tmp_path_factory.mktemp("saved")
    book: NotebookNode = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    with tempfile.TemporaryDirectory(prefix="skyward-kernel-") as sockets:
        manager = reached_in(AsyncKernelManager(kernel_name="python3"), sockets)
        client = NotebookClient(book, km=manager, timeout=120, store_widget_state=True)
        client.execute(env=environment(folder), cwd=str(folder), cleanup_kc=True)
    nbformat.validate(book)
    return book


def bundle(saved: NotebookNode, cell: int) -> Any:
    (found,) = [output.data for output in saved.cells[cell].outputs if "text/html" in output.get("data", {})]
    return found


def test_no_live_view_is_left(saved: NotebookNode) -> None:
    outputs = [output for cell in saved.cells for output in cell.get("outputs", [])]
    assert all(VIEW not in output.get("data", {}) for output in outputs)


def test_a_long_cell_keeps_its_bars(saved: NotebookNode) -> None:
    data = bundle(saved, 2)
    assert data["text/plain"].startswith("[0-1] train: 100%|██████████| 50/50 [00:02")
    assert "[0-1] train: 100%" in data["text/html"]
    assert "trained" not in data["text/html"]
    assert "".join(output.get("text", "") for output in saved.cells[2].outputs).count("trained") in (1, 2)


def test_a_run_keeps_its_output_and_displays(saved: NotebookNode) -> None:
    data = bundle(saved, 3)
    lines = data["text/plain"].splitlines()
    assert lines[0].startswith("run on nodes 0-1: done")
    assert lines[1].startswith("[0-1] behind: 100%")
    assert lines[2:7] == [f"[0-1] step {step}" for step in range(5)]
    assert "[0-1] &lt;b&gt;careful&lt;/b&gt;" in data["text/html"]
    assert "<i>a figure</i>" in data["text/html"]
    assert len(saved.cells[3].outputs) == 1


def test_the_html_needs_nothing(saved: NotebookNode) -> None:
    for cell in (2, 3):
        page = bundle(saved, cell)["text/html"]
        assert not any(word in page for word in ("<script", "<style", "<link", "class=", "src=", "href="))


@pytest.mark.parametrize("state", [True, False])
def test_it_converts_with_and_without_saved_widgets(saved: NotebookNode, state: bool) -> None:
    book = nbformat.from_dict(saved)
    if not state:
        book.metadata.pop("widgets", None)
    page, _ = HTMLExporter().from_notebook_node(book)
    text, _ = MarkdownExporter().from_notebook_node(book)
    for shown in (page, text):
        assert "train: 100%" in shown
        assert "step 4" in shown
        assert "<i>a figure</i>" in shown


def test_it_is_read_where_all_styles_are_stripped(saved: NotebookNode) -> None:
    bare = re.sub(r' style="[^"]*"', "", bundle(saved, 3)["text/html"])
    assert "<pre>[0-1] step 0\n[0-1] step 1" in bare
