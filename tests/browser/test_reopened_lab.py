"""A notebook that is closed and opened again in the same page, while its kernel lives, has each view once, and live."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from skyward_jupyter.widgets.view import built
from tests.browser.lab import RUN_MS, Lab, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not built("dashboard"), reason="the widgets are not built")]

CELLS = ("import skyward as sky\n%load_ext skyward\n%sky start --nodes 2", "sky.pool()", "sky.counter('steps')")
#: Close the notebook's tab, as its cross does.
CLOSE = "() => { window.notebook.context.model.dirty = false; window.notebook.close(); }"
CONSOLE = ".jp-CodeConsole"
#: Close the console's tab.
CLOSE_CONSOLE = """() => {
    for (const widget of window.jupyterapp.shell.widgets("main")) if (widget.console) widget.close();
}"""
CUT = ".skyward-dashboard.is-cut"


def opened(lab: Lab, page: Page, name: str) -> Notebook:
    notebook = lab.open_notebook(page, CELLS, name=name)
    notebook.run_all()
    each_once(notebook)
    notebook.command("docmanager:save")
    return notebook


def each_once(notebook: Notebook) -> None:
    """Each view is there once, and hears its kernel."""
    for index, family in ((1, "dashboard"), (2, "collection")):
        shown = notebook.cell(index).locator(f".skyward-{family}")
        expect(shown).to_have_count(1)
        expect(shown).to_be_visible()
    expect(notebook.page.locator(CUT)).to_have_count(0)
    before = notebook.cell(2).locator(".skyward-collection").inner_text()
    notebook.evaluate("_ = sky.counter('steps').increment(1)")
    expect(notebook.cell(2).locator(".skyward-collection")).not_to_have_text(before)
    notebook.cell(1).get_by_role("button", name="Interrupt").click()
    expect(notebook.cell(1).locator(".skyward-dashboard")).not_to_contain_text("cannot be reached")


def test_each_view_is_there_once(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "reopened")
    for _ in range(2):
        page.evaluate(CLOSE)
        expect(page.locator(".jp-NotebookPanel")).to_have_count(0)
        notebook.open()
        each_once(notebook)
    lab.shut_down_kernels()
    expect(notebook.cell(1).locator(CUT)).to_have_count(1, timeout=RUN_MS)
    expect(notebook.cell(1).locator(".skyward-dashboard")).to_have_count(1)


def test_a_console_of_the_same_kernel_adds_none(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "with-console")
    notebook.command("notebook:create-console")
    expect(page.locator(CONSOLE)).to_have_count(1)
    page.evaluate("() => window.jupyterapp.shell.activateById(window.notebook.id)")
    each_once(notebook)
    page.evaluate(CLOSE)
    expect(page.locator(".jp-NotebookPanel")).to_have_count(0)
    notebook.open()
    page.evaluate(CLOSE_CONSOLE)
    expect(page.locator(CONSOLE)).to_have_count(0)
    page.evaluate("() => window.jupyterapp.shell.activateById(window.notebook.id)")
    each_once(notebook)
