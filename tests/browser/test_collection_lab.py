"""Collections shown in a real JupyterLab while the nodes of a real pool change them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from skyward_jupyter.widgets.view import built
from tests.browser.lab import Lab, Notebook, place

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not built("collection"), reason="the widgets are not built")]

LOAD = "%load_ext skyward\nimport skyward as sky"
SLOWEST = 3.0
"""Seconds within which a change must be on the screen here; on a machine with nothing else to do it takes 0.2."""

# When the page first shows a text, by the clock that the kernel has too.
SEEN = """text => {
    window.seen = 0;
    const look = () => {
        if (!document.body.innerText.includes(text)) return;
        window.seen ||= Date.now() / 1000;
        observer.disconnect();
    };
    const observer = new MutationObserver(look);
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
    look();
}"""


def start(lab: Lab, page: Page, name: str, *cells: str, dark: bool = False) -> Notebook:
    pool = f"%sky start --nodes 2 --name {name}"
    notebook = lab.open_notebook(page, [LOAD, pool, *cells], name=name, dark=dark)
    notebook.run_all()
    return notebook


def view(notebook: Notebook, index: int) -> Locator:
    shown = notebook.cell(index).locator(".skyward-collection")
    shown.scroll_into_view_if_needed()
    return shown


def test_what_nodes_write_is_on_the_screen_at_once(lab: Lab, page: Page, record_property: object) -> None:
    notebook = start(lab, page, "dict-lab", "runs = sky.dict('runs')\nruns.update({'a': 1, 'b': 2})", "runs")
    shown = view(notebook, 3)
    expect(shown.locator("tbody tr")).to_have_count(2)
    write = (
        "import time\n@sky.compute\ndef write(key, value):\n    sky.dict('runs')[key] = value\n    return time.time()\n"
        "print(write({!r}, {!r}) >> sky.pool())"
    )
    notebook.evaluate(write.format("b", "warm"))
    took = []
    for number in range(5):
        page.evaluate(SEEN, f"value-{number}")
        written = float(notebook.evaluate(write.format("b", f"value-{number}")))
        page.wait_for_function("window.seen > 0", timeout=SLOWEST * 10_000)
        took.append(page.evaluate("window.seen") - written)
    print(f"on screen {sorted(took)[2]:.2f} s after it was written on a node; at most {max(took):.2f} s")
    assert sorted(took)[2] < SLOWEST
    notebook.evaluate("runs['c'] = 3\ndel runs['a']")
    expect(shown.locator("tbody tr code").first).to_have_text("'b'")
    expect(shown.locator("tbody tr")).to_have_count(2)


def test_views_of_one_collection_share_a_model_and_have_windows_of_their_own(lab: Lab, page: Page) -> None:
    fill = "many = sky.set('many')\nmany.update(f'key-{n:03}' for n in range(200))"
    notebook = start(lab, page, "two-lab", fill, "many", "display(many)")
    first, second = (notebook.outputs(index)[0]["data"] for index in (3, 4))
    assert place(first) == place(second)
    assert "set 'many' of pool 'two-lab': 200 members" in str(first["text/plain"])
    one, other = view(notebook, 3), view(notebook, 4)
    one.get_by_role("searchbox").fill("key-19")
    expect(one.locator("tbody tr")).to_have_count(10)
    expect(other.locator("tbody tr")).to_have_count(15)
    other.get_by_role("button", name="Last page").click()
    expect(other.locator("tbody tr").last).to_contain_text("key-199")
    expect(one.locator("tbody tr").first).to_contain_text("key-190")


def test_nothing_is_followed_while_no_view_is_on_screen(lab: Lab, page: Page) -> None:
    notebook = start(
        lab, page, "away-lab", "counts = sky.counter('counts')\ncounts", "for line in range(300): print(line)"
    )
    followed = (
        "import asyncio\nfrom skyward_jupyter.widgets import collection\n"
        "shown = next(iter(collection._views.values()))\n"
        "while shown.fresh is not {}: await asyncio.sleep(0.02)\nprint(shown.fresh)"
    )
    view(notebook, 2)
    assert notebook.evaluate(followed.format(True)) == "True\n"
    notebook.cell(3).get_by_text("299").scroll_into_view_if_needed()
    assert notebook.evaluate(followed.format(False)) == "False\n"
    notebook.evaluate("counts.increment(5)")
    shown = view(notebook, 2)
    expect(shown.locator(".figure", has_text="Value")).to_contain_text("5")


def test_who_waits_is_shown_while_a_cell_waits(lab: Lab, page: Page) -> None:
    held = "lock = sky.lock('one')\nlock.acquire()\nlock"
    wait = "%%sky --on 1\nimport skyward as sky\nsky.lock('one').acquire(timeout=60)"
    notebook = lab.open_notebook(page, [LOAD, "%sky start --nodes 2 --name lock-lab", held, wait], name="lock-lab")
    notebook.run_all(wait=False)
    shown = view(notebook, 2)
    expect(shown.locator(".figure", has_text="Held by")).to_contain_text("the notebook", timeout=60_000)
    expect(shown.locator(".people")).to_contain_text("node 1", timeout=60_000)
    notebook.interrupt()
    notebook.finished()
    expect(shown.locator(".people")).to_have_count(0)


def test_what_was_seen_last_stays_when_the_pool_stops(lab: Lab, page: Page) -> None:
    notebook = start(lab, page, "over-lab", "runs = sky.dict('runs')\nruns['a'] = 'the last value'", "runs")
    expect(view(notebook, 3).locator("tbody tr")).to_contain_text("the last value")
    notebook.evaluate("runs['a'] = 'the very last value'")
    expect(view(notebook, 3).locator("tbody tr")).to_contain_text("the very last value")
    notebook.evaluate("sky.pool().stop()")
    expect(notebook.cell(3).get_by_text(re.compile("Pool over-lab is over"))).to_be_visible(timeout=30_000)
    saved = notebook.outputs(3)[0]["data"]
    assert place(saved) == ""
    assert "the very last value" in str(saved["text/plain"])
    assert "the very last value" in str(saved["text/html"])
    assert notebook.evaluate("print(runs._repr_mimebundle_()['text/plain'])").endswith("this is what was seen last.\n")


def test_a_reloaded_page_goes_on_and_keeps_what_was_seen_last(lab: Lab, page: Page) -> None:
    notebook = start(lab, page, "again-lab", "runs = sky.dict('runs')\nruns['a'] = 'the last value'", "runs")
    expect(view(notebook, 3).locator("tbody tr")).to_have_count(1)
    notebook.command("docmanager:save")
    page.reload()
    page.wait_for_function("window.jupyterapp !== undefined")
    notebook.open()
    shown = view(notebook, 3)
    expect(shown.locator("tbody tr")).to_contain_text("the last value")
    notebook.evaluate("runs['a'] = 'the very last value'\nruns['b'] = 2")
    expect(shown.locator("tbody tr").first).to_contain_text("the very last value")
    notebook.evaluate("sky.pool().stop()")
    expect(shown.get_by_text("The pool is over; this is what was seen last.")).to_be_visible(timeout=30_000)
    expect(shown.locator("tbody tr").first).to_contain_text("the very last value")
    shown.get_by_role("searchbox").fill("b")
    expect(shown.locator("tbody tr")).to_have_count(1)
