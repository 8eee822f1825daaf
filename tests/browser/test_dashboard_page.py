"""The dashboard on a bare page, against a mock model."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import grave_faults
from tests.browser.stage import Stage, mixed, node, numbers, snapshot

pytestmark = pytest.mark.browser


def eight() -> list[list[float]]:
    return numbers(snapshot(*mixed(8)))


def test_shows_the_pool_its_state_and_every_node(stage: Stage) -> None:
    stage.show(snapshot(*mixed(8), note="2 nodes wait for a machine"))
    panel = stage.panel
    for text in ("brisk-otter", "Ready", "local", "8 nodes", "2 nodes wait for a machine"):
        expect(panel.get_by_text(text, exact=True).first).to_be_visible()
    expect(panel.locator(".age")).to_have_text(re.compile(r"^4m 1\ds$"))
    expect(panel.get_by_role("table", name="Nodes").get_by_role("rowheader")).to_have_count(8)
    expect(panel.get_by_role("button", name="Active 5")).to_be_visible()


def test_a_delta_fills_in_the_live_numbers(stage: Stage) -> None:
    stage.show(snapshot(node(0, "idle"), node(1, "idle")))
    stage.delta([[2, 87.4, 512, 3, 41, 1], [3, 0, 0, 0, 7, 0]], queued=12, rate=9.5)
    first, second = stage.panel.locator(".tile").all()
    expect(first).to_contain_text("active")
    expect(first).to_contain_text("87%")
    expect(first).to_contain_text("512 MiB")
    expect(first).to_contain_text("3 running")
    expect(second).to_contain_text("lost")
    expect(stage.panel.locator(".figure", has_text="Queued")).to_contain_text("12")
    expect(stage.panel.locator(".figure", has_text="Tasks/s").locator(".value span").first).to_have_text("9.5")
    expect(stage.panel.locator(".figure", has_text="Done")).to_contain_text("48")


def test_numbers_stay_with_their_rank_when_the_pool_changes(stage: Stage) -> None:
    stage.show(snapshot(node(0), node(1)))
    stage.delta([[0, 1, 100, 0, 10, 0], [0, 2, 200, 0, 20, 0]])
    stage.change(snapshot(node(1), node(2)))
    tiles = stage.panel.locator(".tile")
    expect(tiles.nth(0)).to_contain_text("20 done")
    expect(tiles.nth(1)).to_contain_text("0 done")


def test_a_delta_of_another_pool_size_changes_no_node(stage: Stage) -> None:
    stage.show(snapshot(node(0), node(1)))
    stage.delta([[2, 50, 100, 1, 10, 1]], rate=4)
    expect(stage.panel.locator(".figure", has_text="Tasks/s")).to_contain_text("4.0")
    expect(stage.panel.get_by_role("button", name="Idle 2")).to_be_visible()


@pytest.mark.parametrize("count", [3, 30])
def test_a_node_that_is_not_ready_says_what_it_does(stage: Stage, count: int) -> None:
    since = stage.at - 61
    waits = {"state": "waiting", "phase": "installing packages", "since": since, "said": "Downloaded numpy"}
    away = {"state": "active", "phase": "not reachable (connection refused)", "since": since, "reachable": False}
    nodes = [node(rank) for rank in range(count)]
    nodes[0] |= waits  # type: ignore[typeddict-item]
    nodes[1] |= away  # type: ignore[typeddict-item]
    nodes[2] = node(2, "lost", "me@gpu2 accepts none of our keys for me")
    stage.show(snapshot(*nodes, state="starting"))
    tiles = stage.panel.locator(".tile")
    expect(tiles.nth(0).locator(".doing")).to_contain_text(re.compile("installing packages1m 0\\ds"))
    expect(tiles.nth(1).locator(".doing")).to_contain_text(re.compile(r"not reachable \(connection refused\)1m 0\ds"))
    expect(tiles.nth(2).locator(".doing")).to_have_text("me@gpu2 accepts none of our keys for me")
    expect(tiles.nth(0).locator(".load")).to_have_count(0)
    assert grave_faults(stage.page, ".skyward") == []
    right = "element => element.getBoundingClientRect().right"
    inside = f"tile => [...tile.querySelectorAll('*')].every(it => ({right})(it) <= ({right})(tile) + 1)"
    assert all(tiles.nth(place).evaluate(inside) for place in range(3))
    stage.change(snapshot(*[node(rank) for rank in range(count)]))
    expect(tiles.nth(0).locator(".load")).to_be_visible()


def test_an_older_delta_is_ignored(stage: Stage) -> None:
    stage.show(snapshot(node(0)))
    stage.delta([[0, 1, 1, 0, 30, 0]])
    stage.seq -= 1
    stage.delta([[0, 1, 1, 0, 20, 0]])
    stage.delta([[0, 2, 1, 0, 31, 0]])
    expect(stage.panel.locator(".tile")).to_contain_text("31 done")


def test_the_page_is_painted_once_a_frame(stage: Stage) -> None:
    stage.show(snapshot(node(0)))
    frames = stage.page.evaluate(
        """() => {
            for (let seq = 1; seq <= 50; seq++) mock.custom({ kind: "delta", seq, at: seq, queued: 0, rate: 1 }, []);
            return alive().frames;
        }"""
    )
    assert frames == 1


def test_scale_sends_the_number_typed(stage: Stage) -> None:
    stage.show(snapshot(*mixed(8)))
    field, button = stage.panel.get_by_role("spinbutton"), stage.panel.get_by_role("button", name="Scale", exact=True)
    expect(button).to_be_disabled()
    field.fill("12")
    button.click()
    assert stage.until_sent("scale") == [{"kind": "scale", "nodes": 12}]
    expect(stage.panel.get_by_text("asked for 12 nodes").first).to_be_visible()


def test_scale_steps_within_the_pools_bounds(stage: Stage) -> None:
    stage.show(snapshot(node(0), node(1), largest=3))
    more, fewer = (stage.panel.get_by_role("button", name=f"One node {name}") for name in ("more", "fewer"))
    more.click()
    expect(stage.panel.get_by_role("spinbutton")).to_have_value("3")
    expect(more).to_be_disabled()
    fewer.click()
    fewer.click()
    expect(stage.panel.get_by_role("spinbutton")).to_have_value("1")
    expect(fewer).to_be_disabled()


def test_the_box_stops_at_the_largest_size_and_says_why(stage: Stage) -> None:
    stage.show(snapshot(*mixed(8), smallest=2, limit="it was started with nodes=(2, 16)"))
    field, why = stage.panel.get_by_role("spinbutton"), stage.panel.locator(".why")
    expect(why).to_be_empty()
    for typed, kept in (("40", "16"), ("160", "16"), ("17", "16"), ("16", "16")):
        field.press("Control+a")
        field.press_sequentially(typed)
        expect(field).to_have_value(kept)
        expect(why).to_have_text("at most 16: it was started with nodes=(2, 16)")
    field.fill("9")
    expect(why).to_be_empty()
    field.fill("1")
    expect(why).to_have_text("at least 2")
    expect(stage.panel.get_by_role("button", name="Scale", exact=True)).to_be_disabled()
    field.fill("999")
    field.press("Enter")
    assert stage.until_sent("scale") == [{"kind": "scale", "nodes": 16}]


def test_the_last_step_says_why_it_is_the_last(stage: Stage) -> None:
    stage.show(snapshot(node(0), node(1), largest=3, limit="it was started with 3 machines, and has one node on each"))
    more = stage.panel.get_by_role("button", name="One node more")
    more.click()
    expect(more).to_be_disabled()
    expect(more).to_have_attribute("title", re.compile("^At most 3: it was started with 3 machines"))
    expect(stage.panel.locator(".why")).to_contain_text("at most 3")


def test_done_failed_and_cancelled_are_apart(stage: Stage) -> None:
    stage.show(snapshot(node(0), node(1), ended=(40, 2, 0)))
    stage.delta([[0, 1, 1, 0, 30, 0], [0, 1, 1, 0, 10, 0]], ended=[41, 3, 5], faults={"1": [3, 4]})
    figures = stage.panel.locator(".figures")
    for name, value in (("Done", "41"), ("Failed", "3"), ("Cancelled", "5")):
        expect(figures.locator(".figure", has_text=name).locator(".value span").first).to_have_text(value)
    expect(stage.panel.locator(".tile").nth(1)).to_contain_text("10 done, 3 failed, 4 cancelled")
    expect(stage.panel.locator(".tile").first).not_to_contain_text("failed")
    stage.delta([[2, 1, 1, 1, 30, 1], [2, 1, 1, 1, 133, 1]], ended=[163, 3, 5], faults={"1": [3, 4]})
    tile = stage.panel.locator(".tile").nth(1)
    expect(tile).to_contain_text("133 done, 3 failed, 4 cancelled")
    assert tile.locator(".tasks").evaluate("tasks => tasks.scrollWidth <= tasks.clientWidth")


def test_what_was_counted_stays_when_nodes_leave(stage: Stage) -> None:
    stage.show(snapshot(node(0), node(1)))
    stage.delta([[0, 1, 1, 0, 30, 0], [0, 1, 1, 0, 12, 0]])
    stage.change(snapshot(node(0), ended=(42, 0, 0)))
    stage.delta([[0, 1, 1, 0, 30, 0]], ended=[42, 0, 0])
    expect(stage.panel.locator(".tile")).to_have_count(1)
    expect(stage.panel.locator(".figure", has_text="Done")).to_contain_text("42")


def test_no_node_is_idle_beside_what_it_runs(stage: Stage) -> None:
    stage.show(snapshot(node(0, "active", "running")))
    stage.delta([[2, 90, 300, 1, 7, 1]])
    expect(stage.panel.locator(".tile")).to_contain_text("1 running")
    stage.change(snapshot(node(0)))
    expect(stage.panel.locator(".tile")).to_contain_text("idle")
    expect(stage.panel.locator(".tile")).not_to_contain_text("running")
    expect(stage.panel.locator(".figure", has_text="Running").locator(".value span").first).to_have_text("0")


def test_what_is_no_number_cannot_be_sent(stage: Stage) -> None:
    stage.show(snapshot(node(0)))
    for text in ("", "-3", "1.5"):
        stage.panel.get_by_role("spinbutton").fill(text)
        expect(stage.panel.get_by_role("button", name="Scale", exact=True)).to_be_disabled()


def test_interrupt_is_sent_at_once(stage: Stage) -> None:
    stage.show(snapshot(*mixed(2)))
    stage.panel.get_by_role("button", name="Interrupt").click()
    assert stage.until_sent("interrupt") == [{"kind": "interrupt"}]


def test_stop_asks_once_more(stage: Stage) -> None:
    stage.show(snapshot(*mixed(8)))
    stage.panel.get_by_role("button", name="Stop", exact=True).click()
    expect(stage.panel.get_by_text("Stop 8 nodes?")).to_be_visible()
    assert stage.sent("stop") == []
    stage.panel.get_by_role("button", name="Keep").click()
    expect(stage.panel.get_by_text("Stop 8 nodes?")).to_have_count(0)
    stage.panel.get_by_role("button", name="Stop", exact=True).click()
    stage.panel.get_by_role("button", name="Stop pool").click()
    assert stage.until_sent("stop") == [{"kind": "stop"}]


def test_everything_works_from_the_keyboard(stage: Stage) -> None:
    stage.show(snapshot(*mixed(8)))
    keys, focused = stage.page.keyboard, stage.page.locator("*:focus")
    keys.press("Tab")
    expect(focused).to_have_attribute("aria-label", "One node fewer")
    keys.press("Tab")
    keys.press("Control+a")
    keys.type("9")
    keys.press("Enter")
    assert stage.until_sent("scale") == [{"kind": "scale", "nodes": 9}]
    stage.panel.get_by_role("button", name="Stop", exact=True).focus()
    keys.press("Enter")
    expect(focused).to_have_text("Keep")
    keys.press("Escape")
    expect(focused).to_have_text("Stop")
    stage.panel.locator("summary").first.focus()
    keys.press("Enter")
    expect(stage.panel.get_by_role("region", name="Boot log of node 0")).to_be_visible()


def test_keys_do_not_reach_the_host(stage: Stage) -> None:
    stage.show(snapshot(node(0)))
    stage.page.evaluate("window.keys = 0; document.body.addEventListener('keydown', () => { window.keys += 1; })")
    stage.panel.get_by_role("button", name="Interrupt").press("d")
    stage.panel.get_by_role("spinbutton").press("1")
    assert stage.page.evaluate("window.keys") == 0
    assert stage.panel.get_attribute("data-lm-suppress-shortcuts") == "true"


def test_a_refusal_is_an_alert_until_it_is_dismissed(stage: Stage) -> None:
    stage.show(snapshot(node(0)))
    alert = stage.panel.locator("[role=alert]")
    expect(alert).to_be_hidden()
    stage.refuse("this pool has at most 16 nodes; 40 were asked for")
    expect(stage.panel.get_by_role("alert")).to_contain_text("at most 16 nodes")
    stage.panel.get_by_role("button", name="Dismiss").click()
    expect(alert).to_be_hidden()


def test_data_is_text_never_markup(stage: Stage) -> None:
    evil = "<img src=x onerror='window.evil = true'>"
    stage.show(snapshot(node(0, phase=evil), pool=evil, note=evil))
    stage.refuse(evil)
    expect(stage.panel.locator(".name")).to_have_text(evil)
    expect(stage.panel.locator("img")).to_have_count(0)
    assert stage.page.evaluate("window.evil") is None


def test_the_boot_log_opens_and_follows(stage: Stage) -> None:
    one = node(0, "waiting", "starting")
    stage.show(snapshot(one, state="starting"))
    stage.panel.locator("summary").click()
    log = stage.panel.get_by_role("region", name="Boot log of node 0")
    expect(log).to_contain_text("forked from the template")
    stage.page.evaluate("lines => mock.set({ logs: { 0: lines } })", [*one["log"], "12:00:02 ready"])
    expect(log).to_contain_text("12:00:02 ready")
    expect(stage.panel.locator(".details")).to_contain_text("127.0.1.1:25520")


def test_the_details_of_a_node_have_its_gpus(stage: Stage) -> None:
    shown = snapshot(node(0, "active"), node(1, "active"))
    stage.show(shown)
    stage.delta(numbers(shown, 0), gpus={"0": [[0, 98, 70312, 81559], [1, None, None, None], [2, 0, 4, None]]})
    for number in range(2):
        stage.panel.locator(".tile summary").nth(number).click()
    first, second = (stage.panel.locator(".details").nth(number) for number in range(2))
    expect(second).to_be_visible()
    expect(first.locator("dl > div", has_text="GPU")).to_have_text(
        ["GPU 098% busy, 68.7 GiB of 79.6 GiB", "GPU 1–", "GPU 20% busy, 4 MiB"]
    )
    expect(second.locator("dl > div", has_text="GPU")).to_have_count(0)
    stage.delta(numbers(shown, 1), gpus={"0": [[0, 7, 70312, 81559]]})
    expect(first.locator("dl > div", has_text="GPU")).to_have_text(["GPU 07% busy, 68.7 GiB of 79.6 GiB"])


def test_a_count_shows_only_its_nodes(stage: Stage) -> None:
    stage.show(snapshot(*mixed(24)))
    lost = stage.panel.get_by_role("button", name="Lost 1")
    lost.click()
    expect(lost).to_have_attribute("aria-pressed", "true")
    expect(stage.panel.locator(".tile")).to_have_count(1)
    expect(stage.panel.locator(".tile .rank")).to_contain_text("11")
    lost.click()
    expect(stage.panel.locator(".tile")).to_have_count(24)


def test_no_state_is_told_by_colour_alone(stage: Stage) -> None:
    stage.show(snapshot(*mixed(24)))
    shapes = set()
    for state in ("idle", "waiting", "active", "lost"):
        tile = stage.panel.locator(f".tile.{state}").first
        expect(tile.locator(".state")).to_have_text(state)
        shapes.add(tile.locator("path").get_attribute("d"))
    assert len(shapes) == 4


@pytest.mark.parametrize(
    ("state", "scale", "interrupt", "stop"),
    [
        ("starting", False, False, True),
        ("ready", True, True, True),
        ("stopping", False, False, False),
        ("stopped", False, False, False),
        ("failed", False, False, False),
    ],
)
def test_controls_follow_the_pools_state(stage: Stage, state: str, scale: bool, interrupt: bool, stop: bool) -> None:
    stage.show(snapshot(node(0), node(1), state=state))
    expect(stage.panel.get_by_text(state.capitalize(), exact=True)).to_be_visible()
    expect(stage.panel.get_by_role("spinbutton")).to_be_enabled(enabled=scale)
    expect(stage.panel.get_by_role("button", name="Interrupt")).to_be_enabled(enabled=interrupt)
    expect(stage.panel.get_by_role("button", name="Stop", exact=True)).to_be_enabled(enabled=stop)


def test_the_final_state_stays_legible(stage: Stage) -> None:
    shown = snapshot(node(0), node(1))
    stage.show(shown)
    stage.delta([[2, 90, 300, 1, 70, 1], [2, 90, 300, 1, 30, 1]], rate=12)
    final = snapshot(node(0), node(1), state="stopped", started=shown["started"])
    stage.change(final, ended=shown["started"] + 65, last={"finished": 100, "done": [70, 30]})
    expect(stage.panel.locator(".facts")).to_contain_text("ran 1m 05s")
    expect(stage.panel.locator(".figure", has_text="Done")).to_contain_text("100")
    expect(stage.panel.locator(".tile").first).to_contain_text("70 done")
    expect(stage.panel.locator(".tile").first).not_to_contain_text("running")


def test_the_final_state_survives_a_reload(stage: Stage) -> None:
    shown = snapshot(state="stopped")
    stage.show(shown, ended=shown["started"] + 5, last={"finished": 1234, "done": []})
    expect(stage.panel.locator(".figure", has_text="Done")).to_contain_text("1,234")


def test_the_kernel_hears_when_the_view_is_seen(stage: Stage) -> None:
    stage.show(snapshot(*mixed(8)))
    first = stage.until_sent("visible")[0]
    assert first["visible"] is True
    stage.page.evaluate("document.getElementById('host').style.marginTop = '5000px'")
    assert stage.until_sent("visible", 2)[1] == first | {"visible": False}
    assert stage.page.evaluate("alive().timers") == 0
    stage.page.evaluate("document.getElementById('host').style.marginTop = ''")
    assert stage.until_sent("visible", 3)[2] == first


def test_a_hidden_tab_is_not_seen(stage: Stage) -> None:
    stage.show(snapshot(node(0)))
    stage.until_sent("visible")
    stage.page.evaluate(
        """() => {
            Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    assert stage.until_sent("visible", 2)[1]["visible"] is False
    assert stage.page.evaluate("alive().timers") == 0


def test_a_dead_kernel_is_said(stage: Stage) -> None:
    stage.show(snapshot(node(0)))
    stage.until_sent("visible")
    stage.page.evaluate("mock.dead = true")
    stage.panel.get_by_role("button", name="Interrupt").click()
    expect(stage.panel.get_by_role("alert")).to_contain_text("The kernel cannot be reached")
    stage.page.evaluate("mock.dead = false")


def test_cleanup_leaves_nothing_running(stage: Stage) -> None:
    before = stage.page.evaluate("alive()")
    stage.show(snapshot(*mixed(8)))
    stage.until_sent("visible")
    stage.delta(eight())
    assert stage.page.evaluate("mock.listening()") == 6
    assert stage.page.evaluate("alive().listeners") > before["listeners"]
    stage.page.evaluate("mock.cleanup()")
    assert stage.page.evaluate("mock.listening()") == 0
    stage.page.wait_for_function("alive().frames === 0")
    assert stage.page.evaluate("alive()") == before
    assert stage.page.evaluate("document.getElementById('host').childElementCount") == 0
    assert stage.sent("visible")[-1]["visible"] is False


def test_a_hundred_nodes_are_tiles_and_three_hundred_a_table(stage: Stage) -> None:
    hundred, many = snapshot(*mixed(100), largest=400), snapshot(*mixed(300), largest=400)
    stage.show(hundred)
    stage.delta(numbers(hundred))
    expect(stage.panel.locator(".tile")).to_have_count(100)
    stage.change(many)
    stage.delta(numbers(many))
    expect(stage.panel.locator(".tile")).to_have_count(0)
    rows = stage.panel.get_by_role("table", name="Nodes by state").get_by_role("row")
    expect(rows).to_have_count(5)
    stage.panel.get_by_role("button", name="Lost 1").click()
    expect(stage.panel.locator(".tile")).to_have_count(1)


def test_live_numbers_keep_the_elements_in_place(stage: Stage) -> None:
    hundred = snapshot(*mixed(100), largest=100)
    stage.show(hundred)
    stage.delta(numbers(hundred))
    tile = stage.panel.locator(".tile").first.element_handle()
    for step in range(5):
        stage.delta(numbers(hundred, step))
    assert tile.evaluate("tile => tile.isConnected")


@pytest.mark.parametrize("width", [320, 640, 1400])
def test_nothing_overflows_at_any_width(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    stage = Stage(page)
    shown = snapshot(*mixed(12), largest=100)
    stage.show(shown)
    stage.delta(numbers(shown), queued=100_000, rate=1234)
    expect(stage.panel.locator(".tile")).to_have_count(12)
    assert stage.panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_empty_pool_says_so(stage: Stage) -> None:
    stage.show(snapshot(state="starting", note="starting 8 nodes"))
    expect(stage.panel.get_by_text("No nodes yet.")).to_be_visible()
    expect(stage.panel.get_by_role("status")).to_contain_text("Pool brisk-otter is starting with 0 nodes")


def luminance(colour: str) -> float:
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", colour)[:3])
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.fixture
def themed(browser: Browser, tmp_path: Path) -> Callable[[str], tuple[float, float]]:
    """Render in one colour scheme, keep a picture, and return the luminance of text and background."""

    def render(scheme: str) -> tuple[float, float]:
        context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
        stage = Stage(context.new_page())
        shown = snapshot(*mixed(8))
        stage.show(shown)
        stage.minute(shown)
        style = "panel => { const s = getComputedStyle(panel); return [s.color, s.backgroundColor]; }"
        text, back = stage.panel.locator(".panel").evaluate(style)
        picture = tmp_path / f"{scheme}.png"
        stage.panel.screenshot(path=picture)
        assert picture.stat().st_size > 10_000
        context.close()
        return luminance(text), luminance(back)

    return render


def test_light_and_dark_are_readable(themed: Callable[[str], tuple[float, float]]) -> None:
    for scheme in ("light", "dark"):
        text, back = themed(scheme)
        assert (text < back) == (scheme == "light")
        assert (max(text, back) + 0.05) / (min(text, back) + 0.05) >= 7


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_accessibility_checker_finds_nothing_grave(stage: Stage, scheme: Literal["light", "dark"]) -> None:
    stage.page.emulate_media(color_scheme=scheme)
    stage.show(snapshot(*mixed(8), note="2 nodes wait for a machine"))
    stage.minute(snapshot(*mixed(8)))
    stage.refuse("This pool has at most 16 nodes; 40 were asked for.")
    expect(stage.panel.get_by_role("alert")).to_be_visible()
    assert grave_faults(stage.page, ".skyward-dashboard") == []
