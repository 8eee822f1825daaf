"""``%sky on``, ``--local`` and Tab in a real JupyterLab, by Run All and by keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.lab import Lab, Notebook

pytestmark = pytest.mark.browser

BANNER = "(%sky on; %sky off has plain cells run here again)"


def _last_cell(notebook: Notebook, page: Page, code: str) -> None:
    """Type code into the last cell, and leave the cursor at its end."""
    editor = notebook.cell(-1).locator(".cm-content")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.type(code)


def test_run_all_sends_plain_cells_between_on_and_off(lab: Lab, page: Page) -> None:
    notebook = lab.open_notebook(
        page,
        [
            "%load_ext skyward\n%sky start --nodes 2 --name plainly",
            "%sky on",
            "from skyward import instance_info\nn = instance_info().node",
            "n * 10",
            "%sky off",
            "'n' in globals()",
            "%%sky --local\nprint('both')",
            "",
        ],
        name="plainly",
    )
    notebook.run_all()
    notebook.finished()
    assert BANNER in notebook.text(3)
    assert "[0] 0" in notebook.text(3)
    assert "[1] 10" in notebook.text(3)
    assert "plain cells run here again" in notebook.text(4)
    assert notebook.text(5).strip().endswith("False")
    assert "[here] both" in notebook.text(6)
    assert "[0-1] both" in notebook.text(6)
