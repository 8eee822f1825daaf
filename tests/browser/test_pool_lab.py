"""The main job in a real JupyterLab: a pool of real nodes, its dashboard, its buttons, an interrupt."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import psutil
import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Page, expect

from skyward_jupyter.widgets.view import built
from tests.browser.lab import Lab, Notebook
from tests.processes import line_of

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not built("dashboard"), reason="the widgets are not built")]

LOAD = "%load_ext skyward"
LOOP = "%%sky\nimport time\nprint('begun', flush=True)\nwhile True:\n    time.sleep(0.05)"


def dashboard(notebook: Notebook, index: int) -> Locator:
    panel = notebook.cell(index).locator(".skyward-dashboard")
    panel.scroll_into_view_if_needed()
    return panel


def start(lab: Lab, page: Page, name: str, *cells: str, wait: bool = True) -> Notebook:
    notebook = lab.open_notebook(page, [LOAD, f"%sky start --nodes 2 --name {name}", "%sky", *cells], name=name)
    notebook.run_all(wait=wait)
    return notebook


def test_the_dashboard_is_live_and_its_buttons_work_while_a_cell_runs(lab: Lab, page: Page) -> None:
    notebook = start(lab, page, "live-lab", LOOP, wait=False)
    panel = dashboard(notebook, 2)
    expect(panel.locator(".tile")).to_have_count(2)
    notebook.wait_text(3, "begun")
    expect(panel.locator(".tile", has_text="active")).to_have_count(2)
    panel.get_by_role("button", name="Interrupt").click()
    notebook.finished()
    assert "KeyboardInterrupt" in notebook.text(3)
    field = panel.get_by_role("spinbutton")
    field.fill("4")
    field.press("Enter")
    expect(panel.locator(".tile")).to_have_count(4)
    expect(panel.locator(".tile", has_text="idle")).to_have_count(4)
    assert notebook.evaluate("import skyward as sky\nprint(sky.pool().size)") == "4\n"
    panel.get_by_role("button", name="Stop", exact=True).click()
    panel.get_by_role("button", name="Stop pool").click()
    expect(notebook.cell(2).get_by_text("stopped, local")).to_be_visible()
    assert notebook.evaluate("print(sky.pools())") == "()\n"


def test_the_timeline_is_live_and_survives_a_reload(lab: Lab, page: Page) -> None:
    calls = (
        "import skyward as sky\n"
        "@sky.compute\n"
        "def half(n):\n"
        "    return n / 2 if n < 9 else n / 0\n"
        "sky.gather(*map(half, range(9))) >> sky.pool()"
    )
    notebook = start(lab, page, "timeline-lab", calls)
    timeline = dashboard(notebook, 2).locator(".timeline")
    expect(timeline.get_by_role("button", name="All 9")).to_be_visible()
    assert notebook.evaluate("print(sky.pool()._bus.tasks)") == "False\n"
    with pytest.raises(PlaywrightError, match="ZeroDivisionError"):
        notebook.evaluate("half(9) >> sky.pool()")
    expect(timeline.get_by_role("button", name="All 10")).to_be_visible()
    timeline.get_by_role("slider").press("End")
    expect(timeline.locator(".says")).to_contain_text("half ")
    expect(timeline.locator(".crosses")).to_have_attribute("d", re.compile("M"))
    notebook.command("docmanager:save")
    page.reload()
    page.wait_for_function("window.jupyterapp !== undefined")
    notebook.open()
    again = dashboard(notebook, 2).locator(".timeline")
    expect(again.get_by_role("button", name="All 10")).to_be_visible()
    notebook.evaluate("sky.pool().stop()")
    expect(dashboard(notebook, 2).get_by_text("Stopped", exact=True)).to_be_visible()
    expect(again.get_by_role("button", name="All 10")).to_be_visible()


def test_what_stays_in_a_saved_notebook_has_the_timeline(lab: Lab, page: Page) -> None:
    stop = "import skyward as sky\nsky.pool().stop()"
    notebook = start(lab, page, "saved-lab", "%%sky\nprint('here')", "%%sky\nprint('there')", stop)
    expect(notebook.cell(2).get_by_role("img", name="4 tasks in")).to_be_visible()
    notebook.command("docmanager:save")
    saved = nbformat.read(lab.root / notebook.path, as_version=4).cells[2].outputs[0].data
    assert set(saved) == {"text/plain", "text/html"}
    assert "stopped, local" in saved["text/plain"]


def test_a_button_scales_the_pool_while_a_cell_runs(lab: Lab, page: Page) -> None:
    cell = "%%sky\nimport os, time\nprint('begun', flush=True)\nwhile not os.path.exists('go'):\n    time.sleep(0.02)"
    notebook = start(lab, page, "scale-lab", cell, wait=False)
    panel = dashboard(notebook, 2)
    notebook.wait_text(3, "begun")
    field = panel.get_by_role("spinbutton")
    field.fill("3")
    field.press("Enter")
    expect(panel.locator(".tile")).to_have_count(3)
    (lab.root / "go").touch()
    notebook.finished()
    (lab.root / "go").unlink()


def test_the_menu_interrupts_a_cell_and_the_pool_lives_on(lab: Lab, page: Page) -> None:
    notebook = start(lab, page, "interrupt-lab", LOOP, wait=False)
    notebook.wait_text(3, "begun")
    notebook.interrupt()
    notebook.finished()
    assert "KeyboardInterrupt" in notebook.text(3)
    assert notebook.evaluate("import skyward as sky\n@sky.compute\ndef f(): return 7\nprint(f() @ sky.pool())") == (
        "[7, 7]\n"
    )


def test_output_figures_and_errors_show_as_they_would_here(lab: Lab, page: Page) -> None:
    draw = (
        "%%sky --on 1\nimport matplotlib.pyplot as plt\nplt.figure(figsize=(2, 1))\nplt.plot([1, 3, 2])\nprint('drawn')"
    )
    fail = "%%sky\nx = 1\n\nraise ValueError(f'no {x}')"
    notebook = start(lab, page, "show-lab", "%%sky\nprint('same here')", draw, fail, wait=False)
    notebook.finished()
    assert "[0-1] same here" in notebook.text(3)
    expect(notebook.cell(4).locator("img")).to_have_count(1)
    assert "drawn" in notebook.text(4)
    assert "----> 4 raise ValueError" in notebook.text(5)
    assert "no 1" in notebook.text(5)


def test_shutting_the_kernel_down_leaves_nothing(lab: Lab, page: Page) -> None:
    notebook = start(lab, page, "shut-lab")
    kernel = int(notebook.evaluate("import os\nprint(os.getpid())"))
    lab.shut_down_kernels()
    for _ in range(400):
        left = [p for p in psutil.process_iter() if " shut-lab/" in line_of(p)]
        if not left and not list(Path("/dev/shm").glob(f"skyward-{kernel}-*")):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"still there: {left}")
