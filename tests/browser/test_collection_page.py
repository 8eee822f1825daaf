"""The views of collections on a bare page: tables as the kernel keeps them, the other kinds as it tells them."""

from __future__ import annotations

import time
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from skyward_jupyter.api.viewing.table import SORTABLE
from skyward_jupyter.widgets.view import built
from tests.browser.axe import grave_faults
from tests.browser.shelf import CollectionPage

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not built("collection"), reason="the widgets are not built")]

MANY = 100_000
#: Types a text within one task of the page, however busy the machine is.
TYPED = """(field, text) => {
  for (let length = 1; length <= text.length; length++) {
    field.value = text.slice(0, length);
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
}"""
KINDS = ("dict", "set", "counter", "queue", "barrier", "lock")


@pytest.fixture
def view(page: Page) -> CollectionPage:
    return CollectionPage(page)


@pytest.fixture(scope="module")
def many() -> dict[str, int]:
    return {f"key-{number:05}": -number for number in range(MANY)}


def body_of(kind: str) -> dict[str, Any]:
    """How a collection that is no table stands."""
    now = time.time()
    curve = [[now - 40 + second, 10 + second % 7] for second in range(40)]
    people = [[0, 4, "train"], [2, 5, ""], [None, 0, ""]]
    match kind:
        case "counter":
            return {"value": "9007199254740993", "curve": curve}
        case "queue":
            front = ["{'url': 'a'}", "dict", False]
            return {"length": 12, "front": front, "takers": people, "taking": 3, "curve": curve}
        case "barrier":
            return {"parties": 4, "generation": 7, "arrived": people[:2], "came": 2, "missing": [1, 3]}
        case "lock":
            held = {"holder": [2, 9, "train"], "token": 41, "since": now - 75}
            return {**held, "waiters": people, "waiting": 3}
    return {}


def shown(view: CollectionPage, kind: str) -> None:
    if kind in ("dict", "set"):
        view.show_table({"a": 1, "b": [1, 2], 3: None}, kind)
    else:
        view.show(kind, body_of(kind))


def test_a_dict_shows_its_keys_in_order_with_their_values(view: CollectionPage) -> None:
    view.show_table({"b": {"loss": 0.5}, "a": 1, 3: None, (1, "x"): "text"})
    expect(view.rows).to_have_count(4)
    rows = [" ".join(row.inner_text().split()) for row in view.rows.all()]
    assert rows == ["3 None", "'a' 1", "'b' {'loss': 0.5}", "(1, 'x') 'text'"]
    expect(view.root.locator(".stands")).to_have_text("4 keys")


def test_a_hundred_thousand_keys_are_shown_a_page_at_a_time(view: CollectionPage, many: dict[str, int]) -> None:
    view.show_table(many)
    expect(view.rows.first).to_contain_text("'key-00000'")
    expect(view.rows).to_have_count(15)
    view.root.get_by_role("button", name="Next page").click()
    view.answer()
    expect(view.rows.first).to_contain_text("'key-00015'")
    view.root.get_by_role("button", name="Last page").click()
    view.answer()
    expect(view.rows.last).to_contain_text("'key-99999'")
    page = view.root.get_by_role("spinbutton")
    page.fill("3334")
    page.press("Enter")
    view.answer()
    expect(view.rows.first).to_contain_text("'key-49995'")
    expect(view.rows).to_have_count(15)
    assert view.shelf.read == 15 + 15 + 10 + 15
    assert view.root.locator("*").count() < 300


def test_typing_asks_once_it_rests(view: CollectionPage, many: dict[str, int]) -> None:
    view.show_table(many)
    field = view.root.get_by_role("searchbox")
    asked = len(view.sent("window"))
    field.evaluate(TYPED, "KEY-0123")
    view.answer()
    expect(view.rows).to_have_count(10)
    expect(view.root.locator(".find")).to_contain_text("10 of 100,000")
    expect(view.root.get_by_role("status")).to_have_text("10 rows found")
    assert len(view.sent("window")) == asked + 1
    field.fill("nothing has this")
    view.answer()
    expect(view.root.get_by_text("No key has “nothing has this” in it.")).to_be_visible()


def test_order_is_by_key_or_by_value(view: CollectionPage) -> None:
    view.show_table({"a": 2, "b": "text", "c": 1.5, "d": None})
    view.root.get_by_role("button", name="Key").click()
    view.answer()
    expect(view.rows.first).to_contain_text("'d'")
    expect(view.root.get_by_role("columnheader", name="Key")).to_have_attribute("aria-sort", "descending")
    view.root.get_by_role("button", name="Value").click()
    view.answer()
    expect(view.root.get_by_role("columnheader", name="Value")).to_have_attribute("aria-sort", "ascending")
    assert [row.locator("code").first.inner_text() for row in view.rows.all()] == ["'d'", "'c'", "'a'", "'b'"]


def test_too_many_are_not_ordered_by_value(view: CollectionPage) -> None:
    view.show_table({number: number for number in range(SORTABLE + 1)})
    expect(view.root.get_by_role("button", name="Value")).to_be_disabled()
    assert view.shelf.read == 15


@pytest.mark.usefixtures("apart")
def test_rows_that_changed_are_marked_for_a_moment(view: CollectionPage) -> None:
    begun = time.time()
    view.page.clock.set_fixed_time(begun)
    view.show_table({"a": 1, "b": 2, "c": 3})
    expect(view.rows).to_have_count(3)
    expect(view.root.locator("tr.flash")).to_have_count(0)
    view.change(b=20, d=4, c=None)
    expect(view.rows.nth(1)).to_contain_text("20")
    marks = view.root.locator("td.mark span[title]")
    assert [mark.get_attribute("title") for mark in marks.all()] == ["Changed", "New"]
    expect(marks.first).to_contain_text("changed")
    view.page.clock.set_fixed_time(begun + 5)
    expect(marks).to_have_count(0)


def test_messages_are_painted_once_a_frame(view: CollectionPage) -> None:
    view.show("counter", body_of("counter"))
    frames = view.page.evaluate(
        """() => {
            const body = { value: "1", curve: [] };
            for (let at = 1; at <= 50; at++) mock.custom({ kind: "state", read: at, at, note: "", body }, []);
            return alive().frames;
        }"""
    )
    assert frames == 1


def test_values_are_text_never_markup(view: CollectionPage) -> None:
    evil = "<img src=x onerror='window.evil = true'>"
    view.show_table({evil: evil})
    expect(view.rows.first).to_contain_text("<img src=x")
    expect(view.root.locator("img")).to_have_count(0)


def test_a_counter_shows_its_exact_value_and_its_curve(view: CollectionPage) -> None:
    now = time.time()
    view.show("counter", {"value": "9007199254740993", "curve": [[now - 20, 0], [now - 2, 100]]})
    expect(view.root.locator(".figure", has_text="Value")).to_contain_text("9,007,199,254,740,993")
    expect(view.root.locator(".figure", has_text="Per second")).to_contain_text("20")
    expect(view.root.get_by_role("img")).to_be_visible()


def test_a_queue_shows_what_is_next_and_who_waits(view: CollectionPage) -> None:
    view.show("queue", body_of("queue"))
    for text in ("{'url': 'a'}", "node 0 train", "the notebook"):
        expect(view.root.get_by_text(text)).to_be_visible()
    view.tell({"length": 0, "front": None, "takers": [], "taking": 0, "curve": []})
    expect(view.root.get_by_text("Nothing is in it.")).to_be_visible()


def test_a_barrier_shows_who_has_come_and_who_has_not(view: CollectionPage) -> None:
    view.show("barrier", body_of("barrier"))
    places = view.root.get_by_role("list", name="Who has come").get_by_role("listitem")
    expect(places.first).to_be_visible()
    texts = [" ".join(place.inner_text().split()) for place in places.all()]
    assert texts[:2] == ["✓ node 0 train has come", "✓ node 2 task 5 has come"]
    assert texts[2:] == ["○ node 1 has not come", "○ node 3 has not come"]
    view.tell({"parties": 9, "generation": 7, "arrived": [[0, 1, ""]], "came": 1, "missing": []})
    expect(view.root.get_by_text("8 more to come")).to_be_visible()


def test_a_lock_shows_who_has_it_and_its_age_ticks(view: CollectionPage) -> None:
    view.show("lock", body_of("lock"))
    held = view.root.locator(".figure", has_text="For").locator(".value")
    first = held.inner_text()
    expect(view.root.locator(".figure", has_text="Held by")).to_contain_text("node 2 train")
    expect(view.root.locator(".figure", has_text="Token")).to_contain_text("41")
    expect(held).not_to_have_text(first, timeout=10_000)


def test_everything_works_from_the_keyboard(view: CollectionPage, many: dict[str, int]) -> None:
    view.show_table(many)
    keys, focused = view.page.keyboard, view.page.locator("*:focus")
    expect(view.rows.first).to_be_visible()
    keys.press("Tab")
    expect(focused).to_have_attribute("aria-label", "Search keys")
    keys.type("key-000")
    view.answer()
    expect(view.root.locator(".find")).to_contain_text("100 of 100,000")
    keys.press("Tab")
    expect(focused).to_have_text("Key▴")
    keys.press("Enter")
    view.answer()
    expect(view.rows.first).to_contain_text("'key-00099'")
    for name in ("First page", "Previous page"):
        keys.press("Tab")
        expect(focused).to_have_attribute("aria-label", name)
        expect(focused).to_have_attribute("aria-disabled", "true")
        keys.press("Enter")
    keys.press("Tab")
    expect(focused).to_have_role("spinbutton")
    keys.press("Tab")
    expect(focused).to_have_attribute("aria-label", "Next page")
    keys.press("Enter")
    view.answer()
    expect(view.rows.first).to_contain_text("'key-00084'")
    expect(focused).to_have_attribute("aria-label", "Next page")


def test_a_view_that_comes_back_says_what_it_shows(view: CollectionPage, many: dict[str, int]) -> None:
    view.show_table(many)
    view.root.get_by_role("button", name="Next page").click()
    view.answer()
    asked = len(view.sent("window"))
    view.page.evaluate("document.getElementById('host').style.marginTop = '5000px'")
    assert [one["visible"] for one in view.until_sent("visible", 2)] == [True, False]
    view.page.evaluate("document.getElementById('host').style.marginTop = ''")
    assert view.until_sent("window", asked + 1)[-1]["offset"] == 15


def test_it_keeps_what_was_seen_last_when_the_pool_is_over(view: CollectionPage) -> None:
    view.show_table({"a": 1, "b": 2})
    view.windows[""] = next(iter(view.windows.values()))
    view.update(shown=view.content(view.table.body(view.windows)), ended=time.time())
    expect(view.root.get_by_text("The pool is over; this is what was seen last.")).to_be_visible()
    expect(view.rows).to_have_count(2)


def test_what_is_wrong_is_said_and_what_is_known_stays(view: CollectionPage) -> None:
    view.show_table({"a": 1})
    view.tell(view.table.body(view.windows), note="The nodes do not answer.")
    expect(view.root.get_by_text("The nodes do not answer.")).to_be_visible()
    expect(view.rows).to_have_count(1)
    view.page.evaluate("mock.dead = true")
    view.root.get_by_role("button", name="Key").click()
    expect(view.root.get_by_text("The kernel cannot be reached.")).to_be_visible()
    view.page.evaluate("mock.dead = false")


@pytest.mark.parametrize("kind", KINDS)
def test_removing_the_view_leaves_nothing_running(view: CollectionPage, kind: str) -> None:
    before = view.page.evaluate("alive()")
    shown(view, kind)
    view.until_sent("visible")
    assert view.page.evaluate("alive().listeners") > before["listeners"]
    view.page.evaluate("mock.cleanup()")
    assert view.page.evaluate("mock.listening()") == 0
    view.page.wait_for_function("alive().frames === 0")
    assert view.page.evaluate("alive()") == before
    assert view.page.evaluate("document.getElementById('host').childElementCount") == 0
    assert view.sent("visible")[-1]["visible"] is False


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_accessibility_checker_finds_nothing_grave(
    view: CollectionPage, kind: str, scheme: Literal["light", "dark"]
) -> None:
    view.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    shown(view, kind)
    if kind == "dict":
        view.change(b=5)
    expect(view.root.locator(".panel")).to_be_visible()
    assert grave_faults(view.page, ".skyward-collection") == []


@pytest.mark.parametrize("width", [320, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_overflows(view: CollectionPage, kind: str, width: int) -> None:
    view.page.set_viewport_size({"width": width, "height": 800})
    if kind in ("dict", "set"):
        view.show_table({f"{number} {'x' * 200}": "y" * 300 for number in range(200)}, kind)
    else:
        shown(view, kind)
    expect(view.root.locator(".panel")).to_be_visible()
    assert view.root.evaluate("root => root.scrollWidth <= root.clientWidth")
