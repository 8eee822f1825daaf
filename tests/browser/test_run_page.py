"""The live view of a run on a bare page, against a mock model."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import grave_faults
from tests.browser.runstage import RunStage, lines, mixed, progress, snapshot

pytestmark = pytest.mark.browser


@pytest.fixture
def stage(page: Page) -> RunStage:
    return RunStage(page)


def scrolled(stage: RunStage) -> float:
    """How far above its end the log is."""
    gap: float = stage.log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight")
    return gap


def test_it_says_what_runs_and_how_each_node_stands(stage: RunStage) -> None:
    stage.show(mixed())
    expect(stage.panel.get_by_text("history = train(epochs=50)")).to_be_visible()
    expect(stage.panel.locator(".badge")).to_have_text("Running")
    parts = stage.panel.get_by_role("list", name="Nodes").get_by_role("listitem")
    expect(parts).to_have_count(8)
    for rank, state in ((0, "running"), (1, "done"), (4, "failed"), (6, "queued")):
        expect(parts.nth(rank)).to_contain_text(state)
    expect(parts.nth(4)).to_have_attribute("title", "ValueError: the loss is not a number")
    expect(stage.panel.get_by_role("status").last).to_contain_text("running, 1 of 8 nodes done, 1 failed")


def test_states_differ_in_shape_and_word(stage: RunStage) -> None:
    stage.show(mixed())
    shapes = {stage.panel.locator(f".part.{name} path").first.get_attribute("d") for name in ("queued", "running")}
    shapes |= {stage.panel.locator(f".part.{name} path").first.get_attribute("d") for name in ("done", "failed")}
    assert len(shapes) == 4


def test_many_nodes_are_counted_and_those_that_failed_named(stage: RunStage) -> None:
    nodes = [(rank, "running", "") for rank in range(300)]
    nodes[77] = (77, "failed", "lost")
    stage.show(snapshot(nodes=nodes))
    expect(stage.panel.get_by_role("list", name="Nodes by state")).to_contain_text("running 299")
    expect(stage.panel.get_by_role("list", name="Nodes", exact=True)).to_contain_text("77")


def test_a_bar_for_all_nodes_opens_to_one_for_each(stage: RunStage) -> None:
    stage.show(snapshot())
    stage.delta(bars=progress())
    groups = stage.panel.locator(".bar-group")
    expect(groups).to_have_count(3)
    first = groups.first
    expect(first.get_by_role("progressbar").first).to_have_attribute("aria-valuenow", "48")
    for fact in ("[0-7]", "train", "3,888/8,000", "324 it/s", "slowest [0] 30 it/s", "fastest [7] 51 it/s"):
        expect(first).to_contain_text(fact)
    expect(groups.nth(1)).to_contain_text("unfinished on [3]")
    expect(stage.panel.get_by_role("list", name="train by node")).to_be_hidden()
    first.locator("summary").press("Enter")
    expect(stage.panel.get_by_role("list", name="train by node").get_by_role("listitem")).to_have_count(8)


def test_only_lines_in_sight_are_in_the_page(stage: RunStage) -> None:
    stage.show(snapshot())
    for start in range(0, 100_000, 10_000):
        stage.write(lines(10_000, start), start, end=100_000)
    expect(stage.panel.get_by_text("line 99999:")).to_be_visible()
    assert stage.log.locator(".line").count() < 100
    expect(stage.panel.get_by_role("region", name="Output, 100,000 lines")).to_be_visible()
    slowest = stage.page.evaluate(
        """async () => {
            const log = document.querySelector(".lines");
            const frame = () => new Promise(requestAnimationFrame);
            let [slowest, before] = [0, performance.now()];
            for (let step = 0; step < 60; step++) {
                log.scrollTop = (step * 7919 * 18) % log.scrollHeight;
                await frame();
                const now = performance.now();
                [slowest, before] = [Math.max(slowest, now - before), now];
            }
            return slowest;
        }"""
    )
    assert slowest < 3000  # a page that draws all lines takes many seconds


def test_search_goes_from_match_to_match(stage: RunStage) -> None:
    stage.show(snapshot())
    stage.write(lines(2000))
    field = stage.panel.get_by_label("Search the output")
    field.fill("LINE 19")
    found = stage.panel.locator(".found")
    expect(found).to_have_text("111 lines")
    field.press("Enter")
    expect(found).to_have_text("1 of 111")
    expect(stage.panel.locator(".line.current")).to_contain_text("line 19:")
    field.press("Shift+Enter")
    expect(found).to_have_text("111 of 111")
    expect(stage.panel.locator(".line.current mark")).to_have_text("line 19")
    expect(stage.panel.locator(".line.current")).to_contain_text("line 1999:")
    stage.panel.get_by_role("button", name="Next match").click()
    expect(found).to_have_text("1 of 111")
    expect(stage.panel.get_by_text("line 19:")).to_be_visible()
    stage.write([("3", 0, "line 19 is here again")], 2000)
    expect(found).to_have_text("1 of 112")
    field.press("Escape")
    expect(field).to_have_value("")
    field.fill("nowhere (")
    expect(found).to_have_text("no match")


def test_one_nodes_lines(stage: RunStage) -> None:
    stage.show(snapshot())
    stage.write(lines(1000))
    stage.panel.get_by_label("Lines of").select_option("Node 3")
    shown = stage.log.locator(".line")
    expect(stage.panel.get_by_role("region", name="Output, 300 lines")).to_be_visible()
    assert all(text.startswith(("[3]", "[0-7]")) for text in shown.all_inner_texts())
    stage.panel.get_by_label("Search the output").fill("line 99")
    expect(stage.panel.locator(".found")).to_have_text("3 lines")


def test_it_follows_the_end_until_somebody_looks_elsewhere(stage: RunStage) -> None:
    stage.show(snapshot())
    stage.write(lines(500))
    follow = stage.panel.get_by_role("button", name="Following")
    expect(follow).to_have_attribute("aria-pressed", "true")
    expect(stage.panel.get_by_text("line 499:")).to_be_visible()
    stage.log.hover()
    stage.page.mouse.wheel(0, -2000)
    expect(stage.panel.get_by_role("button", name="Paused")).to_be_visible()
    seen = stage.log.evaluate("log => log.scrollTop")
    stage.write(lines(500, 500), 500)
    expect(stage.panel.get_by_role("region", name="Output, 1,000 lines")).to_be_visible()
    assert stage.log.evaluate("log => log.scrollTop") == seen
    stage.panel.get_by_role("button", name="Paused").click()
    expect(stage.panel.get_by_text("line 999:")).to_be_visible()
    assert scrolled(stage) < 18


def test_what_is_read_stays_in_place_while_old_lines_go(stage: RunStage) -> None:
    stage.show(snapshot())
    stage.write(lines(1000))
    stage.panel.get_by_label("Search the output").fill("line 500:")
    stage.panel.get_by_label("Search the output").press("Enter")
    line = stage.panel.locator(".line.current")
    before = line.bounding_box()
    stage.write(lines(300, 1000), 1000, first=300)
    expect(stage.panel.get_by_text("300 older lines not kept")).to_be_visible()
    after = line.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 18


def test_lines_come_in_any_order_and_holes_are_filled(stage: RunStage) -> None:
    stage.show(snapshot())
    stage.write(lines(5, 95), 95, end=100)
    expect(stage.panel.locator(".line.hole").first).to_be_visible()
    stage.write(lines(95), 0, end=100)
    expect(stage.panel.locator(".line.hole")).to_have_count(0)
    expect(stage.panel.get_by_text("line 94:")).to_be_visible()


def test_an_error_line_says_so_in_words(stage: RunStage) -> None:
    stage.show(snapshot())
    stage.write([("0", 0, "fine"), ("1", 1, "careful"), ("", 1, "of this side")])
    expect(stage.log.locator(".line").nth(1)).to_have_text("[1] err careful")
    expect(stage.log.locator(".line").nth(2)).to_have_text("err of this side")
    expect(stage.log.locator(".stream")).to_have_count(2)


def test_lines_that_were_lost_are_counted(stage: RunStage) -> None:
    stage.show(snapshot())
    stage.write(lines(10, 90), 90, first=90, missing=12_345)
    expect(stage.panel.get_by_text("12,345 lines came too fast to be kept")).to_be_visible()


def test_output_is_text_never_markup(stage: RunStage) -> None:
    evil = "<img src=x onerror='window.evil = true'>"
    stage.show(snapshot(title=evil))
    stage.write([("0", 0, evil)])
    stage.panel.get_by_label("Search the output").fill("img")
    expect(stage.log.locator("mark")).to_have_text("img")
    assert stage.panel.locator("img").count() == 0
    assert stage.page.evaluate("window.evil") is None


def test_displays_are_shown_and_replaced(stage: RunStage) -> None:
    stage.show(snapshot())
    stage.delta(pictures=[1, 0, ["[0-7]", "<b>first</b>"]])
    stage.delta(pictures=[2, 1, ["[3]", "<b>second</b>"]])
    expect(stage.panel.locator("figure")).to_have_text(["[0-7]first", "[3]second"])
    stage.delta(pictures=[2, 0, ["[0-7]", "<b>changed</b>"]])
    expect(stage.panel.locator("figure").first).to_have_text("[0-7]changed")
    stage.delta(pictures=[0, 0, []])
    expect(stage.panel.locator("figure")).to_have_count(0)


def test_interrupt_then_end_harder(stage: RunStage) -> None:
    stage.show(snapshot())
    stage.panel.get_by_role("button", name="Interrupt").click()
    assert stage.until_sent("stop") == [{"kind": "stop"}]
    stage.update(snapshot=snapshot(stops=1))
    expect(stage.panel.get_by_text("waiting for it to stop")).to_be_visible()
    stage.panel.get_by_role("button", name="End processes").click()
    assert len(stage.until_sent("stop", 2)) == 2
    stage.update(snapshot=snapshot(state="cancelled", seconds=75.0, stops=2))
    expect(stage.panel.get_by_role("button", name="End processes")).to_have_count(0)
    expect(stage.panel.locator(".age")).to_have_text("1m 15s")


def test_everything_works_from_the_keyboard(stage: RunStage) -> None:
    stage.show(snapshot())
    stage.delta(bars=progress())
    stage.write(lines(500))
    keys, focused = stage.page.keyboard, stage.page.locator("*:focus")
    keys.press("Tab")
    expect(focused).to_have_text("Interrupt")
    keys.press("Enter")
    assert len(stage.until_sent("stop")) == 1
    keys.press("Tab")
    keys.press("Enter")
    expect(stage.panel.get_by_role("list", name="train by node")).to_be_visible()
    stage.panel.get_by_label("Search the output").focus()
    keys.type("line 42")
    keys.press("Enter")
    expect(stage.panel.locator(".line.current")).to_contain_text("line 42:")
    stage.log.focus()
    keys.press("End")
    expect(stage.panel.get_by_role("button", name="Following")).to_be_visible()


def test_a_new_page_asks_for_the_log_once_and_views_share_it(stage: RunStage) -> None:
    stage.show(snapshot())
    stage.until_sent("want")
    stage.write(lines(50))
    expect(stage.panel.get_by_text("line 49:")).to_be_visible()
    stage.page.evaluate(
        """async () => {
            const second = document.createElement("div");
            document.body.append(second);
            await mock.another(second);
        }"""
    )
    expect(stage.page.locator(".skyward-run")).to_have_count(2)
    expect(stage.page.locator(".skyward-run").nth(1).get_by_text("line 49:")).to_be_visible()
    assert len(stage.sent("want")) == 1


def test_cleanup_leaves_nothing_running(stage: RunStage) -> None:
    before = stage.page.evaluate("alive()")
    stage.show(snapshot())
    stage.until_sent("visible")
    stage.delta(bars=progress())
    stage.write(lines(500))
    expect(stage.panel.get_by_text("line 499:")).to_be_visible()
    stage.page.evaluate("mock.cleanup()")
    assert stage.page.evaluate("mock.listening()") == 0
    stage.page.wait_for_function("alive().frames === 0")
    assert stage.page.evaluate("alive()") == before
    assert stage.sent("visible")[-1]["visible"] is False


@pytest.mark.parametrize("width", [320, 640, 1400])
def test_nothing_overflows_at_any_width(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    stage = RunStage(page)
    stage.show(mixed())
    stage.delta(bars=progress())
    stage.write([("0-7", 0, "long " * 500), *lines(20)])
    expect(stage.panel.locator(".bar-group")).to_have_count(3)
    assert stage.panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_accessibility_checker_finds_nothing_grave(stage: RunStage, scheme: Literal["light", "dark"]) -> None:
    stage.page.emulate_media(color_scheme=scheme)
    stage.show(mixed())
    stage.delta(bars=progress())
    stage.write(lines(300))
    stage.delta(pictures=[1, 0, ["[0-7]", '<img alt="a figure" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">']])
    for summary in stage.panel.locator(".bar-group summary").all():
        summary.click()
    stage.panel.get_by_label("Search the output").fill("line 29")
    stage.panel.get_by_label("Search the output").press("Enter")
    expect(stage.panel.locator(".line.current")).to_be_visible()
    assert grave_faults(stage.page, ".skyward-run") == []
