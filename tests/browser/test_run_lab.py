"""Runs in a real JupyterLab: when they are shown live, what their buttons do, what is left of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from skyward_jupyter.widgets.view import built
from tests.browser.axe import grave_faults
from tests.browser.lab import Lab, Notebook, place

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not built("run"), reason="the widgets are not built")]

ABOUT = "import os, sys, time\nfrom tqdm.auto import tqdm\nfrom skyward import instance_info\nn = instance_info().node"
SHORT = "%%sky\nfor _ in tqdm(range(20), desc='short'): pass\nprint('plain')"
LONG = (
    "%%sky\nfor i in tqdm(range(10**6), desc='long'):\n"
    "    time.sleep(0.02)\n    print('step', i)\n    if os.path.exists('go'): break"
)
BEHIND = (
    "%%sky --bg --into run\nimport matplotlib.pyplot as plt\nfor i in tqdm(range(10**6), desc='behind'):\n"
    "    time.sleep(0.005)\n    print('step', i, 'of', n)\n    if i % 10 == 3: print('careful', file=sys.stderr)\n"
    "    if os.path.exists('stop'): break\n"
    "plt.figure(figsize=(2, 1))\nplt.plot([1, 3, 2])\nplt.show()\nprint('late')"
)


def start(lab: Lab, page: Page, name: str, *cells: str) -> Notebook:
    for flag in ("go", "stop"):
        (lab.root / flag).unlink(missing_ok=True)
    first = f"%load_ext skyward\n%sky start --nodes 2 --name {name}"
    notebook = lab.open_notebook(page, [first, f"%%sky\n{ABOUT}", *cells], name=name)
    notebook.run_all(wait=False)
    return notebook


def shows_widget(notebook: Notebook, index: int) -> bool:
    """Whether a live view has a place among a cell's outputs."""
    return any(place(output.get("data", {})) for output in notebook.outputs(index))


def test_a_short_cell_stays_plain(lab: Lab, page: Page) -> None:
    notebook = start(lab, page, "short-run", SHORT)
    notebook.finished()
    expect(page.locator(".skyward-run")).to_have_count(0)
    assert "[0-1] short: 100%" in notebook.text(2)
    assert {kind for output in notebook.outputs(2) for kind in output.get("data", {})} == {"text/plain"}


def test_a_long_cell_is_shown_live_and_leaves_text(lab: Lab, page: Page) -> None:
    notebook = start(lab, page, "long-run", LONG)
    panel = notebook.cell(2).locator(".skyward-run")
    expect(panel.get_by_role("progressbar").first).to_be_visible(timeout=30_000)
    panel.locator(".bar-group summary").click()
    expect(panel.get_by_role("list", name="long by node").get_by_role("listitem")).to_have_count(2)
    panel.get_by_text("Output", exact=False).first.click()
    expect(panel.get_by_role("region", name="Output")).to_contain_text("step")
    (lab.root / "go").touch()
    notebook.finished()
    expect(panel).to_have_count(0)
    notebook.wait_text(2, "unfinished on [0-1]")
    assert not shows_widget(notebook, 2)


def test_its_button_interrupts_it(lab: Lab, page: Page) -> None:
    notebook = start(lab, page, "button-run", LONG)
    button = notebook.cell(2).locator(".skyward-run").get_by_role("button", name="Interrupt")
    button.click(timeout=30_000)
    notebook.finished()
    assert "KeyboardInterrupt" in notebook.text(2)
    assert notebook.evaluate("import skyward as sky\nprint(sky.last_run().state)") == "cancelled\n"


def test_a_run_in_the_background(lab: Lab, page: Page) -> None:
    notebook = start(lab, page, "behind-run", BEHIND, "1 + 1")
    notebook.finished()
    panel = notebook.cell(2).locator(".skyward-run")
    expect(panel.locator(".line.wrong").first).to_be_visible()
    panel.get_by_role("button", name="Following").click()
    panel.get_by_label("Lines of").select_option("Node 1")
    panel.get_by_label("Search the output").fill("step 7 of 1")
    panel.get_by_label("Search the output").press("Enter")
    expect(panel.locator(".line.current")).to_have_text("[1] step 7 of 1")
    for dark in (True, False):
        notebook.theme(dark=dark)
        assert grave_faults(page, ".skyward-run") == []
    (lab.root / "stop").touch()
    expect(panel).to_have_count(0)
    area = notebook.cell(2).locator(".jp-Cell-outputArea")
    expect(area).to_contain_text("] late")
    expect(area.locator("img").first).to_be_visible()
    assert "late" not in notebook.text(3)
    assert not shows_widget(notebook, 2)


def test_two_views_of_a_run_share_a_model(lab: Lab, page: Page) -> None:
    notebook = start(lab, page, "two-views", BEHIND, "run")
    notebook.finished()
    panels = page.locator(".skyward-run")
    expect(panels).to_have_count(2)
    for panel in panels.all():
        panel.scroll_into_view_if_needed()
        expect(panel.locator(".line").first).to_be_visible()
    models = {place(output["data"]) for index in (2, 3) for output in notebook.outputs(index)}
    assert len(models - {""}) == 1
    notebook.evaluate("run.cancel()")
    expect(panels).to_have_count(0)
    for index in (2, 3):
        notebook.wait_text(index, "cancelled")


def test_it_is_read_without_kernel_and_trust(lab: Lab, page: Page) -> None:
    notebook = start(lab, page, "signed-run", BEHIND, "1 + 1")
    notebook.finished()
    expect(notebook.cell(2).locator(".line").first).to_be_visible()
    (lab.root / "stop").touch()
    expect(notebook.cell(2).locator(".skyward-run")).to_have_count(0)
    notebook.command("docmanager:save")
    lab.shut_down_kernels()
    stranger(lab.root / "signed-run.ipynb", lab.root / "stranger.ipynb")
    again = Notebook(page, "stranger.ipynb")
    page.evaluate(SHOW, "stranger.ipynb")
    area = again.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").nth(2).locator(".jp-Cell-outputArea")
    expect(area).to_contain_text("run on nodes 0-1: done")
    expect(area).to_contain_text("] late")
    expect(area.locator("img").first).to_be_visible()


SHOW = """async path => {
    const panel = await window.jupyterapp.commands.execute("docmanager:open",
        { path, factory: "Notebook", kernel: { name: null } });
    await panel.context.ready;
    if (panel.content.model.cells.get(2).trusted) throw new Error("it is trusted");
}"""


def stranger(file: Path, copy: Path) -> None:
    """Write the same notebook as somebody else would have: what it shows was not made here, so it is not trusted."""
    book = json.loads(file.read_text())
    book["metadata"]["of"] = "somebody else"
    book["cells"][3]["source"] = "print('not the cell that was signed')"
    copy.write_text(json.dumps(book))
