"""What is left in JupyterLab of a notebook that was saved while everything in it lived."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from skyward_jupyter.widgets.view import built
from tests.browser.lab import Lab, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not built("dashboard"), reason="the widgets are not built")]

RUN = "%%sky --bg --into run\nimport time\nprint('the first line')\nwhile True: time.sleep(0.05)"
CALL = "@sky.compute\ndef work(x): return x\nlen(sky.gather(*map(work, range(7))) >> sky.pool())"
CHANGE = "d['key'] = 'the last value'\nq.put('the next item')\nc.increment(42)"
#: The cells of each kind of view, and what must be left of it.
LEFT = {
    1: "node",
    2: "the last value",
    3: "the next item",
    4: "42",
    5: "the first line",
    6: "lock",
}
CELLS = (
    "import skyward as sky\n%load_ext skyward\n%sky start --nodes 2 --name {name}",
    "sky.pool()",
    "d = sky.dict('runs')\nd",
    "q = sky.queue('jobs')\ndisplay(q)",
    "c = sky.counter('steps')\nc",
    RUN,
    "%sky\nsky.lock('one')",
    CALL,
    CHANGE,
)
#: Whether what would be saved of cells has these texts.
HOLDS = """cells => cells.every(([index, text]) =>
    JSON.stringify(window.notebook.content.model.cells.get(Number(index)).outputs.toJSON()).includes(text))"""
#: Wait until what is kept was looked at twice.
TURNS = """
import asyncio
from skyward_jupyter.runtime.bridge import bridge
from skyward_jupyter.widgets import keeping
async def turn():
    was = keeping._clock[:]
    while not keeping._clock or keeping._clock[:] == was:
        await asyncio.sleep(0.05)
await bridge(turn())
await bridge(turn())
"""
#: Open a notebook without a kernel, as somebody does who only reads it.
READ = """async path => {
    const panel = await window.jupyterapp.commands.execute("docmanager:open",
        { path, factory: "Notebook", kernel: { name: null } });
    await panel.context.ready;
    window.notebook = panel;
    return panel.content.model.cells.get(2).trusted;
}"""
#: The same of Notebook 7, where it is all there is.
SEVEN = """async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
    window.notebook = panel;
}"""
AREA = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell"
GONE = ("not found", "Loading widget", "Error displaying")


def lived(lab: Lab, page: Page, name: str) -> Notebook:
    """A notebook that has shown everything, saved while all of it lives."""
    notebook = lab.open_notebook(page, [cell.format(name=name) for cell in CELLS], name=name)
    notebook.run_all()
    live(notebook, 5, "run").get_by_text("the first line").first.wait_for()
    page.wait_for_function(HOLDS, arg=[[str(index), text] for index, text in LEFT.items()])
    notebook.command("docmanager:save")
    return notebook


def live(notebook: Notebook, index: int, family: str) -> Locator:
    shown = notebook.cell(index).locator(f".skyward-{family}")
    shown.first.scroll_into_view_if_needed()
    return shown


def strangers(file: Path) -> Path:
    """The same notebook as somebody else would have it: what it shows was not made here, so it is not trusted."""
    book = json.loads(file.read_text())
    book["cells"][0]["source"] = "print('not the cell that was signed')"
    copy = file.with_name(f"strange-{file.name}")
    copy.write_text(json.dumps(book))
    return copy


def reads(page: Page, path: str, *, trusted: bool) -> None:
    """Everything is there to be read in a page that never had the kernel."""
    page.reload()
    page.wait_for_function("window.jupyterapp !== undefined")
    page.evaluate("async () => { await window.jupyterapp.restored; }")
    assert page.evaluate(READ, path) is trusted
    for index, text in LEFT.items():
        area = page.locator(AREA).nth(index).locator(".jp-Cell-outputArea")
        expect(area).to_contain_text(text)
        for word in GONE:
            expect(area).not_to_contain_text(word)
    expect(page.locator(".skyward")).to_have_count(0)


@pytest.mark.parametrize("end", ["shut down", "killed"])
def test_it_is_read_when_the_kernel_is_gone(lab: Lab, page: Page, end: str) -> None:
    name = end.replace(" ", "-")
    notebook = lived(lab, page, name)
    if end == "killed":
        os.kill(int(notebook.evaluate("import os; print(os.getpid())")), signal.SIGKILL)
    lab.shut_down_kernels()
    strange = strangers(lab.root / notebook.path)
    reads(page, notebook.path, trusted=True)
    page.evaluate("document.querySelector('.jp-NotebookPanel .jp-WindowedPanel-outer').scrollTop = 0")
    reads(page, strange.name, trusted=False)


def test_it_is_live_in_notebook_7_and_stays_there(lab: Lab, page: Page) -> None:
    pytest.importorskip("notebook")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.format(name="seven")) for cell in CELLS])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (lab.root / "seven.ipynb").write_text(nbformat.writes(book))
    notebook = Notebook(page, "seven.ipynb")
    seven(lab, page)
    notebook.run_all()
    for index, family in ((1, "dashboard"), (2, "collection"), (5, "run")):
        expect(live(notebook, index, family).first).to_be_visible()
    page.wait_for_function(HOLDS, arg=[[str(index), text] for index, text in LEFT.items()])
    notebook.command("docmanager:save")
    lab.shut_down_kernels()
    seven(lab, page)
    for index, text in LEFT.items():
        expect(notebook.cell(index).locator(".jp-Cell-outputArea")).to_contain_text(text)
    expect(page.locator(".skyward")).to_have_count(0)


def seven(lab: Lab, page: Page) -> None:
    """Open the notebook in Notebook 7 and wait for its kernel."""
    page.goto(f"{lab.url}/notebooks/seven.ipynb")
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.context !== undefined")
    page.evaluate(SEVEN)


def test_a_page_that_is_loaded_again_goes_on(lab: Lab, page: Page) -> None:
    notebook = lived(lab, page, "loaded-again")
    page.reload()
    page.wait_for_function("window.jupyterapp !== undefined")
    notebook.open()
    for index, family in ((1, "dashboard"), (2, "collection"), (3, "collection"), (5, "run"), (6, "dashboard")):
        expect(live(notebook, index, family).first).to_be_visible()
    notebook.evaluate("d['key'] = 'a later value'")
    expect(live(notebook, 2, "collection")).to_contain_text("a later value")


def test_what_is_kept_changes_under_a_live_view_and_leaves_it_alone(lab: Lab, page: Page) -> None:
    fill = "d = sky.dict('runs')\nd.update({f'key-{n:03}': n for n in range(40)})\nd"
    first = "import skyward as sky\n%load_ext skyward\n%sky start --nodes 2 --name under"
    notebook = lab.open_notebook(page, [first, fill], name="under")
    notebook.run_all()
    shown = live(notebook, 1, "collection")
    search = shown.get_by_role("searchbox")
    search.fill("key-03")
    expect(shown.locator("tbody tr")).to_have_count(10)
    shown.evaluate("shown => { window.drawn = shown; }")
    undo = (
        "() => [window.notebook.content, ...window.notebook.content.widgets].some(it => it.model.sharedModel.canUndo())"
    )
    assert page.evaluate(undo) is False
    sizes = set()
    for value in range(3):
        notebook.evaluate(f"d['key-000'] = 'value-{value}'")
        text = f"() => JSON.stringify({OUTPUTS}).includes('value-{value}')"
        page.wait_for_function(text)
        sizes.add(len(json.dumps(notebook.outputs(1))))
        assert len(notebook.outputs(1)) == 1
    assert max(sizes) - min(sizes) < 100
    assert page.evaluate(undo) is False
    assert page.evaluate("window.drawn.isConnected")
    expect(search).to_be_focused()
    expect(search).to_have_value("key-03")
    expect(shown.locator("tbody tr")).to_have_count(10)


def test_a_notebook_in_which_nothing_goes_on_stays_saved(lab: Lab, page: Page) -> None:
    first = "import skyward as sky\n%load_ext skyward\n%sky start --nodes 2 --name quiet"
    notebook = lab.open_notebook(page, [first, "sky.pool()"], name="quiet")
    notebook.run_all()
    expect(live(notebook, 1, "dashboard").first).to_be_visible()
    notebook.evaluate(TURNS)
    notebook.command("docmanager:save")
    notebook.evaluate(TURNS)
    assert page.evaluate("window.notebook.context.model.dirty") is False


OUTPUTS = "window.notebook.content.widgets[1].model.outputs.toJSON()"


def test_a_run_that_ends_after_the_page_was_loaded_again_is_seen_to_end(lab: Lab, page: Page) -> None:
    (lab.root / "over").unlink(missing_ok=True)
    first = "%load_ext skyward\n%sky start --nodes 2 --name ends"
    run = "%%sky --bg --into run\nimport os, time\nprint('a line')\nwhile not os.path.exists('over'): time.sleep(0.05)"
    notebook = lab.open_notebook(page, [first, run], name="ends")
    notebook.run_all()
    live(notebook, 1, "run").get_by_text("a line").first.wait_for()
    notebook.command("docmanager:save")
    page.reload()
    page.wait_for_function("window.jupyterapp !== undefined")
    notebook.open()
    live(notebook, 1, "run").get_by_text("a line").first.wait_for()
    (lab.root / "over").touch()
    expect(notebook.cell(1).locator(".skyward-run")).to_contain_text("Done")
    assert "running" not in notebook.text(1), "what was saved is hidden behind it"
    notebook.command("notebook:clear-all-cell-outputs")
    expect(page.locator(".skyward")).to_have_count(0)
