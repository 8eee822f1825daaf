"""The dashboard in a real JupyterLab, fed by playpool.py in the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from skyward_jupyter.widgets.view import built
from tests.browser.lab import Lab, Notebook, place

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not built("dashboard"), reason="the widgets are not built")]

CELLS = ("import asyncio\nfrom playpool import *", "source = Source(8)\nPool(source)")


def opened(lab: Lab, page: Page, name: str, *, dark: bool = False, then: tuple[str, ...] = ()) -> Notebook:
    lab.add(Path(__file__).with_name("playpool.py"))
    notebook = lab.open_notebook(page, [*CELLS, *then], name=name, dark=dark)
    notebook.run_all(wait=not then)
    return notebook


def test_it_goes_live_and_its_buttons_reach_the_pool(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "live")
    panel = notebook.cell(1).locator(".skyward-dashboard")
    expect(panel.locator(".tile")).to_have_count(8)
    expect(panel.locator(".figure", has_text="Queued")).to_contain_text("37")
    field = panel.get_by_role("spinbutton")
    field.fill("40")
    expect(field).to_have_value("16")
    expect(panel.locator(".why")).to_have_text("at most 16: it was started with nodes=(1, 16)")
    field.fill("12")
    panel.get_by_role("button", name="Scale", exact=True).press("Enter")
    expect(panel.locator(".tile")).to_have_count(12)
    panel.get_by_role("button", name="Stop", exact=True).press("Enter")
    panel.get_by_role("button", name="Stop pool").click()
    expect(panel.get_by_text("Stopped", exact=True)).to_be_visible()
    assert "'kind': 'stop'" in notebook.evaluate("print(source.commands)")


def test_clicks_are_served_while_a_cell_awaits(lab: Lab, page: Page) -> None:
    waiting = "while not source.commands: await asyncio.sleep(0.05)\nprint('heard', source.commands)"
    notebook = opened(lab, page, "awaiting", then=(waiting,))
    notebook.cell(1).get_by_role("button", name="Interrupt").click()
    notebook.wait_text(2, "heard [{'kind': 'interrupt'}]")
    notebook.finished()


def test_nothing_is_fed_while_it_is_scrolled_away(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "scrolled", then=("for line in range(300): print(line)",))
    notebook.finished()
    wait = "while source.seen is not {0}: await asyncio.sleep(0.02)\nprint(source.seen)"
    notebook.cell(1).locator(".skyward-dashboard").scroll_into_view_if_needed()
    assert notebook.evaluate(wait.format(True)) == "True\n"
    notebook.cell(2).get_by_text("299").scroll_into_view_if_needed()
    assert notebook.evaluate(wait.format(False)) == "False\n"


def test_a_second_display_shares_the_model(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "twice", then=("Pool(source)",))
    notebook.finished()
    panels = page.locator(".skyward-dashboard")
    expect(panels).to_have_count(2)
    first, second = (notebook.outputs(index)[0]["data"] for index in (1, 2))
    assert place(first) == place(second)
    assert "pool brisk-otter: ready, local, 8 nodes" in str(first["text/plain"])


@pytest.mark.parametrize("dark", [False, True])
def test_it_follows_the_theme(lab: Lab, page: Page, dark: bool) -> None:
    notebook = opened(lab, page, f"theme{dark:d}", dark=dark)
    panel = notebook.cell(1).locator(".skyward-dashboard .panel")
    expect(panel).to_be_visible()
    style = "panel => getComputedStyle(panel).backgroundColor"
    layout = page.evaluate("getComputedStyle(document.body).getPropertyValue('--jp-layout-color1').trim()")
    probe = page.evaluate(
        "colour => { const p = document.createElement('p'); p.style.color = colour; document.body.append(p);"
        " const seen = getComputedStyle(p).color; p.remove(); return seen; }",
        layout,
    )
    assert panel.evaluate(style) == probe
