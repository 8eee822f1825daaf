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
AREA = "#jp-right-stack .jupyterlab-sidecar"
CROSS = ".jp-SideBar.jp-mod-right .lm-TabBar-tab:has-text('Skyward') .lm-TabBar-tabCloseIcon"
LIVE, CUT = ".skyward-dashboard:not(.is-cut)", ".skyward-dashboard.is-cut"


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


def test_its_cross_closes_it_and_it_opens_again(lab: Lab, page: Page) -> None:
    cells = ["%load_ext skyward\n%sky start --nodes 1 --name again", "%sky dock"]
    notebook = lab.open_notebook(page, cells, name="again")
    notebook.run_all()
    notebook.wait_text(1, OPENED)
    page.locator(CROSS).click()
    expect(page.locator(AREA)).to_have_count(0)
    run(notebook, 1)
    expect(docked(page)).to_be_visible()
    expect(page.locator(AREA)).to_have_count(1)


@pytest.mark.parametrize("left", ["open", "closed by hand", "with a pool that is over"])
def test_after_a_restart_a_new_one_takes_the_place_of_the_dead_one(lab: Lab, page: Page, left: str) -> None:
    start, stop = "%load_ext skyward\n%sky start --nodes 1 --name anew", "%sky stop"
    notebook = lab.open_notebook(page, [start, "%sky dock", stop], name="anew")
    run(notebook, 0)
    run(notebook, 1)
    notebook.wait_text(1, OPENED)
    if left == "closed by hand":
        page.locator(CROSS).click()
        expect(page.locator(AREA)).to_have_count(0)
    elif left != "open":
        run(notebook, 2)
        expect(docked(page)).to_have_count(0)
    page.evaluate(RESTART)
    if left == "open":
        expect(page.locator(AREA).locator(CUT)).to_have_count(1)
    run(notebook, 0)
    run(notebook, 1)
    expect(page.locator(AREA).locator(LIVE)).to_have_count(1)
    expect(page.locator(AREA)).to_have_count(1)


def test_two_notebooks_have_one_each(lab: Lab, page: Page) -> None:
    def cells(name: str) -> list[str]:
        return [f"%load_ext skyward\n%sky start --nodes 1 --name {name}", "%sky dock"]

    lab.open_notebook(page, cells("west"), name="west").run_all()
    expect(page.locator(AREA).filter(has_text="west")).to_have_count(1)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells("east")])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (lab.root / "east.ipynb").write_text(nbformat.writes(book))
    notebook = Notebook(page, "east.ipynb")
    notebook.open()
    notebook.run_all()
    expect(page.locator(AREA).filter(has_text="east").locator(LIVE)).to_have_count(1)
    expect(page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)").get_by_text(OPENED)).to_be_visible()
    page.evaluate(RESTART)
    expect(page.locator(AREA).filter(has_text="east").locator(CUT)).to_have_count(1)
    notebook.run_all()
    expect(page.locator(AREA).filter(has_text="east").locator(LIVE)).to_have_count(1)
    expect(page.locator(AREA)).to_have_count(2)
    expect(page.locator(AREA).filter(has_text="west").locator(LIVE)).to_have_count(1)


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
