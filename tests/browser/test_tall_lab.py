"""Long output in JupyterLab: bounded in height, all of it one click away."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import Lab

pytestmark = pytest.mark.browser

AREA = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell-outputArea"
HEIGHT = "element => element.getBoundingClientRect().height"


def test_long_output_is_bounded_and_opens_with_one_click(lab: Lab, page: Page) -> None:
    cell = "%%sky --nodes 1\nfor i in range(2000): print('line', i)"
    notebook = lab.open_notebook(page, ["%load_ext skyward", cell, "%%sky\nprint('short')", "%sky stop"], name="tall")
    notebook.run_all()
    long, short = (page.locator(AREA).nth(number) for number in (1, 2))
    more = long.get_by_text("show all of this output")
    expect(more).to_be_visible()
    assert long.evaluate(HEIGHT) < 800
    assert long.inner_text().count("line 1999") == 1
    assert "show all" not in short.inner_text()
    more.click()
    assert long.evaluate(HEIGHT) > 10_000
    more.click()
    assert long.evaluate(HEIGHT) < 800


def test_closed_from_its_far_end_the_view_comes_back_to_the_cell(lab: Lab, page: Page) -> None:
    cell = "%%sky --nodes 1\nfor i in range(2000): print('line', i)"
    notebook = lab.open_notebook(page, ["%load_ext skyward", cell, "%sky stop", "'after'"], name="tall-far")
    notebook.run_all()
    area = page.locator(AREA).nth(1)
    more = area.get_by_text("show all of this output")
    more.click()
    scrolls = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer")
    scrolls.evaluate("element => { element.scrollTop = element.scrollHeight / 2; }")
    expect(notebook.cell(1).locator(".jp-Cell-inputArea")).not_to_be_in_viewport()
    more.click()
    expect(notebook.cell(1).locator(".jp-Cell-inputArea")).to_be_in_viewport()
    assert area.evaluate(HEIGHT) < 800
    box = scrolls.evaluate("element => element.scrollTop")
    # It is held there for a moment only.
    page.wait_for_function(
        "([at, box]) => { at.scrollTop = box > 0 ? 0 : 100; return at.scrollTop !== box; }",
        arg=[scrolls.element_handle(), box],
    )
