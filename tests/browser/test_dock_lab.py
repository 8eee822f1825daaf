"""``%sky dock`` in a real JupyterLab, and in Notebook 7, which has no such area."""

from __future__ import annotations

from collections.abc import Iterator

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from skyward_jupyter.widgets.view import built
from tests.browser.lab import Lab, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not built("dashboard"), reason="the widgets are not built")]

OPENED = "The dashboard of the active pool is in the side area; %sky dock off closes it."
RUN = "index => { window.notebook.content.activeCellIndex = index; }"
RESTART = "() => window.notebook.sessionContext.session.kernel.restart()"
SEVEN = """() => {
    window.notebook = window.jupyterapp.shell.currentWidget;
    return window.notebook.sessionContext.ready;
}"""
# What the cross of its tab does; a mouse cannot find the cross in a tab that is turned.
CLOSE_TAB = """() => {
    const [area] = [...window.jupyterapp.shell.widgets("right")].filter(({ node }) =>
        node.classList.contains("jupyterlab-sidecar"));
    area.title.owner.dispose();
}"""
AREA = "#jp-right-stack .jupyterlab-sidecar"


@pytest.fixture(autouse=True)
def closed(desk: Page) -> Iterator[None]:
    """Leave no area open, not even a dead one, once the page has had its picture taken."""
    yield
    desk.goto("about:blank")


def run(notebook: Notebook, index: int) -> None:
    notebook.page.evaluate(RUN, index)
    notebook.command("notebook:run-cell")


def docked(page: Page) -> Locator:
    return page.locator(AREA).locator(".skyward-dashboard")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_dashboard_is_in_the_side_area_and_a_line_in_the_file(lab: Lab, page: Page, dark: bool) -> None:
    cells = ["%load_ext skyward\n%sky start --nodes 3 --name docked", "%sky dock", "%%sky\n1 + 1"]
    notebook = lab.open_notebook(page, cells, name="docked", dark=dark)
    notebook.run_all()
    expect(docked(page)).to_be_visible()
    expect(docked(page)).to_contain_text("docked")
    notebook.wait_text(1, OPENED)
    expect(docked(page).get_by_text("Ready", exact=True)).to_be_visible()
    run(notebook, 1)
    notebook.wait_text(1, OPENED)
    expect(page.locator(AREA)).to_have_count(1)
    expect(docked(page)).to_be_visible()
    notebook.command("docmanager:save")
    saved = nbformat.read(lab.root / notebook.path, as_version=4)
    assert [output["data"] for output in saved.cells[1].outputs] == [{"text/plain": OPENED}]
    assert "widgets" not in saved.metadata


def test_it_follows_the_active_pool_to_its_end(lab: Lab, page: Page) -> None:
    cells = ["%load_ext skyward\n%sky start --nodes 1 --name one", "%sky dock", "%sky start --nodes 2 --name two"]
    notebook = lab.open_notebook(page, [*cells, "%sky use one", "%sky stop", "%sky stop", "%sky dock off"], name="many")
    for index, name in ((0, ""), (1, "one"), (2, "two"), (3, "one"), (4, "two")):
        run(notebook, index)
        if name:
            expect(docked(page).locator("header, .head").first).to_contain_text(name)
            expect(docked(page)).to_have_count(1)
    run(notebook, 5)
    expect(page.locator(AREA)).to_contain_text("two")
    expect(page.locator(AREA)).to_contain_text("topped")
    expect(docked(page)).to_have_count(0)
    run(notebook, 6)
    expect(page.locator(AREA)).to_have_count(0)
    assert "The side area is closed." in notebook.text(1)


def test_one_that_was_closed_by_hand_opens_again_and_says_when_its_kernel_is_gone(lab: Lab, page: Page) -> None:
    cells = ["%load_ext skyward\n%sky start --nodes 1 --name again", "%sky dock"]
    notebook = lab.open_notebook(page, cells, name="again")
    notebook.run_all()
    notebook.wait_text(1, OPENED)
    page.evaluate(CLOSE_TAB)
    expect(page.locator(AREA)).to_have_count(0)
    run(notebook, 1)
    expect(docked(page)).to_be_visible()
    page.evaluate(RESTART)
    expect(docked(page)).to_have_class("skyward skyward-dashboard is-cut")


def test_notebook_seven_has_it_in_the_cell(lab: Lab, page: Page) -> None:
    pytest.importorskip("notebook")
    book = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("%load_ext skyward\n%sky start --nodes 1 --name seventh"),
            nbformat.v4.new_code_cell("%sky dock"),
        ]
    )
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (lab.root / "seventh.ipynb").write_text(nbformat.writes(book))
    page.goto(f"{lab.url}/notebooks/seventh.ipynb")
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.context !== undefined")
    page.evaluate(SEVEN)
    notebook = Notebook(page, "seventh.ipynb")
    notebook.run_all()
    expect(notebook.cell(1).locator(".skyward-dashboard")).to_contain_text("seventh")
