"""The timeline of a real pool in JupyterLab: what runs grows, what waits has a line, each cell has its own picture."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from skyward_jupyter.widgets.view import built
from tests.browser.lab import Lab, Notebook

pytestmark = [
    pytest.mark.browser,
    pytest.mark.kernel,
    pytest.mark.skipif(not built("dashboard"), reason="the widgets are not built"),
]

PREPARE = """
import time
import skyward as sky

@sky.compute
def prepare(seconds):
    time.sleep(seconds)

@sky.compute
def train(seconds):
    time.sleep(seconds)

@sky.compute
def fail():
    raise ValueError("as it should")

pool = sky.ComputePool(nodes=2).start()
"""
FORMER = "sky.gather(*[prepare(0.2) for _ in range(4)]) >> pool"
RUNNING = "running = [train(600) > pool for _ in range(6)]\nfailed = fail() > pool"


def timeline(notebook: Notebook) -> Locator:
    return notebook.cell(1).locator(".skyward-dashboard .timeline")


def width(bar: Locator) -> float:
    return float(bar.evaluate("path => path.getBBox().width"))


@pytest.mark.timeout(300)
def test_it_shows_what_goes_on_and_each_cell_by_itself(lab: Lab, page: Page) -> None:
    notebook = lab.open_notebook(page, [PREPARE, "pool", FORMER, RUNNING], name="ongoing")
    notebook.run_all()
    timeline(notebook).scroll_into_view_if_needed()
    shown, legend = timeline(notebook), timeline(notebook).locator(".legend li")
    bars = shown.locator("path.running")
    expect(bars).to_have_count(1)
    expect(legend).to_have_text([re.compile("train"), re.compile("fail")])
    counts = re.compile(r"In \[4\] · \d\d:\d\d:\d\d to .* · 2 running, 5 waiting")
    expect(shown.locator(".about")).to_contain_text(counts)
    expect(shown.locator(".labels div")).to_have_text(["0", "1", "queue"])
    before = shown.locator(".about").inner_text()
    expect(shown.locator(".about")).not_to_have_text(before)
    assert width(bars) > 0
    expect(shown.locator(".ticks").first.locator("span").first).to_have_text(re.compile(r"^\d\d:\d\d:\d\d"))
    shown.get_by_role("button", name="All").click()
    expect(shown.locator(".about")).to_contain_text("2 cells")
    expect(shown.locator(".cells span")).to_have_text(["[3]", "[4]"])
    expect(legend).to_have_text([re.compile("prepare"), re.compile("train"), re.compile("fail")])
    shown.get_by_role("button", name="All").click()
    notebook.evaluate("for future in running: future.cancel()")
    notebook.evaluate("failed.exception()")
    # Those that no node had yet have no bar.
    expect(shown.locator(".about")).to_contain_text("1 failed, 2 cancelled")
    figures = notebook.cell(1).locator(".figures")
    for name, value in (("Done", "4"), ("Failed", "1"), ("Cancelled", "6")):
        expect(figures.locator(".figure", has_text=name).locator(".value span").first).to_have_text(value)
    expect(shown.locator("path.running")).to_have_count(0)
    notebook.evaluate("pool.stop()")
