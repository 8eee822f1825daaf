"""A view in the place of what an output holds, on a bare page that has outputs as JupyterLab does."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.runstage import RunStage, snapshot

pytestmark = pytest.mark.browser

CHILD = """([mark, text]) => {
    const child = document.createElement("div");
    child.innerHTML = '<div class="jp-OutputArea-output"></div>';
    document.getElementById("host").append(child);
    const still = document.createElement("div");
    if (mark) still.dataset.skyward = mark;
    still.textContent = text;
    child.firstChild.append(still);
}"""
#: What an output does when its display is updated.
REFILL = """([index, mark, text]) => {
    const output = document.querySelectorAll(".jp-OutputArea-output")[index];
    output.textContent = "";
    const still = document.createElement("div");
    if (mark) still.dataset.skyward = mark;
    still.textContent = text;
    output.append(still);
}"""


@pytest.fixture
def stage(page: Page) -> RunStage:
    """A page that knows the model of a run."""
    made = RunStage(page)
    page.evaluate(CHILD, ["mine", "as it was saved"])
    page.evaluate(CHILD, ["another's", "of another"])
    page.evaluate("values => mock.initialize(values)", {"snapshot": snapshot(2), "opened": True, "place": "mine"})
    return made


def test_it_is_drawn_where_its_mark_is_and_hides_what_was_there(stage: RunStage, page: Page) -> None:
    expect(stage.panel).to_have_count(1)
    expect(page.get_by_text("as it was saved")).to_be_hidden()
    expect(page.get_by_text("of another")).to_be_visible()
    page.evaluate(CHILD, ["mine", "shown again"])
    expect(stage.panel).to_have_count(2)
    expect(page.get_by_text("shown again")).to_be_hidden()


def test_it_stays_as_it_is_while_what_is_kept_changes(stage: RunStage, page: Page) -> None:
    page.evaluate("() => { window.drawn = document.querySelector('.skyward-run'); window.seen = []; }")
    # Whoever looks, looks after a frame: what is kept may be seen in none.
    page.evaluate(
        "() => { const look = () => { window.seen.push(document.body.innerText.includes('as it is'));"
        " window.looking = requestAnimationFrame(look); }; look(); }"
    )
    for number in range(20):
        page.evaluate(REFILL, [0, "mine", f"as it is now, {number}"])
        page.wait_for_function("count => window.seen.length > count", arg=page.evaluate("window.seen.length"))
    assert page.evaluate("window.drawn.isConnected")
    assert not any(page.evaluate("window.seen"))


def test_it_goes_where_the_mark_goes(stage: RunStage, page: Page) -> None:
    page.evaluate(REFILL, [0, "", "how it ended"])
    expect(stage.panel).to_have_count(0)
    expect(page.get_by_text("how it ended")).to_be_visible()
    page.evaluate("mock.destroy()")
    assert page.evaluate("mock.listening()") == 0


def test_it_stays_when_the_model_goes_before_the_mark(stage: RunStage, page: Page) -> None:
    page.evaluate("values => mock.set(values)", {"snapshot": snapshot(2, state="done", seconds=4.0)})
    page.evaluate("mock.destroy()")
    expect(stage.panel).to_contain_text("Done")
    page.evaluate(CHILD, ["mine", "too late"])
    expect(page.get_by_text("too late")).to_be_visible()
    page.evaluate("document.querySelector('.jp-OutputArea-output').parentNode.remove()")
    expect(stage.panel).to_have_count(0)
    alive = page.evaluate("mock.listening()"), page.evaluate("alive()")
    assert alive[0] == 0, alive


def test_many_cells_away_are_not_kept_forever(stage: RunStage, page: Page) -> None:
    for number in range(30):
        page.evaluate(CHILD, ["mine", f"output {number}"])
    expect(stage.panel).to_have_count(31)
    page.evaluate("() => { for (const each of [...document.getElementById('host').children]) each.remove(); }")
    page.evaluate(CHILD, ["mine", "the last"])
    expect(stage.panel).to_have_count(1)
    page.wait_for_function("alive().observers <= 9")
