"""Figures and tables of several nodes in JupyterLab, saved notebooks and pages: side by side, folded beyond four."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import grave_faults
from tests.browser.conftest import PICTURES
from tests.browser.lab import Lab, Notebook
from tests.browser.test_run_lab import SHOW, stranger

pytestmark = pytest.mark.browser

START = "import matplotlib.pyplot, pandas\n%load_ext skyward\n%sky start --nodes 8 --name figures"
ABOUT = (
    "%%sky\nimport matplotlib.pyplot as plt\nimport pandas\nfrom skyward import instance_info\nn = instance_info().node"
)
FIGURES = "%%sky\nprint('before')\nplt.plot([0, n, 3])\nplt.title(f'node {n}')\nplt.show()\nprint('after')"
TABLES = "%%sky\npandas.DataFrame({'epoch': range(4), 'loss': [(n + 1) / (i + 1) for i in range(4)]})"
WIDE = "%%sky --on 0-2\npandas.DataFrame([[n * i for i in range(12)] for _ in range(90)])"
FOLD = "4 of 8 nodes; show the others"


def area(notebook: Notebook, index: int) -> Locator:
    return (
        notebook.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")
        .nth(index)
        .locator(".jp-Cell-outputArea")
    )


def columns(images: Locator) -> int:
    """How many of the images in sight stand beside the first one."""
    boxes = [box for image in images.all() if (box := image.bounding_box()) is not None]
    return sum(box["y"] == boxes[0]["y"] for box in boxes)


def look(page: Page, cell: Locator, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    cell.scroll_into_view_if_needed()
    cell.screenshot(path=PICTURES / f"figures-{name}.png")


@pytest.mark.timeout(300)
def test_figures_and_tables_stand_side_by_side(lab: Lab, page: Page) -> None:
    notebook = lab.open_notebook(page, [START, ABOUT, FIGURES, TABLES, WIDE, "%sky stop"], name="figures")
    notebook.run_all()
    figures, tables, wide = (area(notebook, index) for index in (2, 3, 4))
    expect(figures.locator("img")).to_have_count(8)
    expect(figures.locator("img:visible")).to_have_count(4)
    for dark in (False, True):
        notebook.theme(dark=dark)
        assert grave_faults(page, ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell-outputArea") == []
        for name, cell in (("row", figures), ("tables", tables), ("wide", wide)):
            look(page, cell, f"{name}-{'dark' if dark else 'light'}")
    assert columns(figures.locator("img:visible")) > 1
    figures.get_by_text(FOLD).click()
    expect(figures.locator("img:visible")).to_have_count(8)
    look(page, figures, "open-dark")
    notebook.command("application:toggle-left-area")
    page.set_viewport_size({"width": 700, "height": 800})
    assert columns(figures.locator("img:visible")) == 2
    for name, cell in (("row", figures), ("tables", tables), ("wide", wide)):
        look(page, cell, f"{name}-700")
        assert cell.evaluate("element => element.scrollWidth <= element.clientWidth")
    page.set_viewport_size({"width": 1000, "height": 800})
    notebook.command("application:toggle-left-area")
    notebook.command("docmanager:save")
    read_without_kernel(lab, page)
    read_as_a_page(lab, page)


def read_without_kernel(lab: Lab, page: Page) -> None:
    lab.shut_down_kernels()
    stranger(lab.root / "figures.ipynb", lab.root / "others.ipynb")
    page.evaluate(SHOW, "others.ipynb")
    again = area(Notebook(page, "others.ipynb"), 2)
    expect(again.locator("img:visible")).to_have_count(4)
    look(page, again, "stranger")
    assert columns(again.locator("img:visible")) > 1
    again.get_by_text(FOLD).click()
    expect(again.locator("img:visible")).to_have_count(8)


def read_as_a_page(lab: Lab, page: Page) -> None:
    book = lab.root / "figures.ipynb"
    subprocess.run([sys.executable, "-m", "nbconvert", "--to", "html", str(book)], check=True, capture_output=True)
    made = page.context.new_page()
    made.context.set_offline(True)
    made.goto(Path(book).with_suffix(".html").as_uri())
    images = made.locator(".jp-Cell").nth(2).locator("img:visible")
    expect(images).to_have_count(4)
    look(made, made.locator(".jp-Cell").nth(2), "page")
    look(made, made.locator(".jp-Cell").nth(3), "page-tables")
    assert columns(images) > 1
    made.get_by_text(FOLD).first.click()
    expect(images).to_have_count(8)
    made.context.set_offline(False)
    made.close()
