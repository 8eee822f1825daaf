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
