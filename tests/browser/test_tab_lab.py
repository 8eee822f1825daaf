"""Tab in a real JupyterLab: the first of a kernel, which JupyterLab waits for no longer than a second, and others."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.lab import Lab, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def tab(notebook: Notebook, index: int) -> list[str]:
    """What Tab at the end of a cell offers."""
    page = notebook.page
    editor = notebook.cell(index).locator(".cm-content")
    editor.click()
    page.keyboard.press("Control+End")
    page.keyboard.press("Tab")
    page.locator(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item").first.wait_for(timeout=20_000)
    offered = page.locator(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item code").all_inner_texts()
    page.keyboard.press("Escape")
    page.locator(".jp-Completer:not(.lm-mod-hidden)").wait_for(state="detached")
    return offered


def test_the_first_tab_of_a_kernel_offers_what_the_nodes_have(lab: Lab, page: Page) -> None:
    cells = ["%load_ext skyward", "%%sky --nodes 2\nonly_there = other_there = 1", "%%sky\nonly_there.b"]
    notebook = lab.open_notebook(page, cells, name="tab")
    for index in (0, 1):
        page.evaluate("i => { window.notebook.content.activeCellIndex = i; }", index)
        notebook.command("notebook:run-cell")
    assert "bit_length" in tab(notebook, 2)
    notebook.evaluate("sky_pool = __import__('skyward').pool(); sky_pool.stop()")


def test_the_first_tab_of_a_kernel_in_a_plain_cell(lab: Lab, page: Page) -> None:
    notebook = lab.open_notebook(page, ["%load_ext skyward\nonly_here = 5", "only_here.b"], name="tab-plain")
    page.evaluate("() => { window.notebook.content.activeCellIndex = 0; }")
    notebook.command("notebook:run-cell")
    assert "bit_length" in tab(notebook, 1)
