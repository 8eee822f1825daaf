"""Every notebook in notebooks/ runs from a fresh kernel, and shows what its text promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tools.execute import execute

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def executed(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The name of a notebook and its code cells by id, after a fresh run."""
    notebook = execute(request.param, timeout=120)
    return request.param.stem, {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def printed(cell: Any) -> str:
    """All that a cell shows as text: streams, displays and its value."""
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", [])
    )


def images(cell: Any) -> int:
    """Count the pictures that a cell shows."""
    return sum("image/png" in output.get("data", {}) for output in cell["outputs"])


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


def test_no_cell_warns_or_fails(executed: tuple[str, dict[str, Any]]) -> None:
    _, cells = executed
    for identity, cell in cells.items():
        text = printed(cell)
        assert not [output for output in cell.outputs if output.output_type == "error"], identity
        assert "Traceback" not in text, f"{identity}:\n{text}"
        assert "Warning" not in text, f"{identity}:\n{text}"


def test_saved_without_outputs() -> None:
    """What is committed is the source: outputs come from a run."""
    import nbformat

    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs"), f"{path.name}, cell {cell.id}"
            assert cell.get("execution_count") is None, f"{path.name}, cell {cell.id}"


class TestQuickstart:
    """What 01_quickstart.ipynb promises, cell by cell."""

    @pytest.fixture
    def cells(self, executed: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        name, cells = executed
        if name != "01_quickstart":
            pytest.skip("another notebook")
        return cells

    def test_eight_processes_answer_the_first_cell(self, cells: dict[str, Any]) -> None:
        pids = re.findall(r"hello from process (\d+)", printed(cells["first"]))
        assert len(set(pids)) == 8

    def test_equal_answers_are_shown_once(self, cells: dict[str, Any]) -> None:
        assert "[0-7]" in printed(cells["expression"])

    def test_the_dashboard_leaves_text_and_html(self, cells: dict[str, Any]) -> None:
        (output,) = [output for output in cells["dashboard"].outputs if "data" in output]
        assert "text/plain" in output.data
        assert "text/html" in output.data

    def test_every_pair_was_tried_once(self, cells: dict[str, Any]) -> None:
        tried = re.findall(r"C=(\S+) +gamma=(\S+) +accuracy", printed(cells["search-nodes"]))
        assert len(tried) == len(set(tried)) == 32
        text = printed(cells["best"])
        assert "32 pairs tried on 8 nodes" in text
        assert float(re.findall(r"accuracy (0\.\d+)", text)[0]) > 0.98

    def test_a_figure_drawn_on_a_node_shows_here(self, cells: dict[str, Any]) -> None:
        assert images(cells["curve"]) == 1
        assert printed(cells["curve-value"]).startswith("{")

    def test_python_and_await_agree(self, cells: dict[str, Any]) -> None:
        assert re.search(r"0\.9\d+", printed(cells["compute"]))
        assert "15/15" in printed(cells["gather"])
        assert "all 8 nodes agree: True" in printed(cells["await"])
        assert re.search(r"new pictures: 0\.9\d", printed(cells["final"]))
