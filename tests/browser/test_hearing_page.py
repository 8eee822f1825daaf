"""What the live views show of a kernel that cannot be heard, on a bare page against a mock model."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import grave_faults
from tests.browser.bare import BarePage
from tests.browser.runstage import RunStage
from tests.browser.runstage import snapshot as run_snapshot
from tests.browser.shelf import CollectionPage
from tests.browser.stage import Stage, mixed, numbers, snapshot

pytestmark = pytest.mark.browser

#: What must be said within 5 seconds of the last word, on a machine that does much else beside.
WITHIN_MS = 5_000


def dashboard(page: Page, *, tells: bool = False) -> Stage:
    stage = Stage(page)
    if tells:
        page.evaluate("mock.tells()")
    shown = snapshot(*mixed(8))
    stage.show(shown)
    stage.delta(numbers(shown))
    stage.until_sent("visible")
    return stage


def buttons(stage: BarePage) -> Locator:
    return stage.root.get_by_role("group", name="Controls").locator("button, input")


def is_cut(stage: BarePage, words: str) -> None:
    expect(stage.root.locator(".cut")).to_contain_text(words, timeout=WITHIN_MS)
    assert all(button.is_disabled() for button in buttons(stage).all())
    assert "grayscale" in stage.root.locator("header").evaluate("header => getComputedStyle(header).filter")


def is_live(stage: BarePage) -> None:
    expect(stage.root.locator(".cut")).to_be_hidden(timeout=WITHIN_MS)
    expect(stage.root.get_by_role("button", name="Interrupt")).to_be_enabled()
    assert stage.root.locator("header").evaluate("header => getComputedStyle(header).filter") == "none"


def test_silence_is_said_and_over_with_the_next_word(page: Page) -> None:
    stage = dashboard(page)
    page.evaluate("mock.silent = true")
    is_cut(stage, "The kernel does not answer: this is what was seen last, at ")
    age = stage.root.locator(".age").inner_text()
    page.evaluate("() => new Promise(done => setTimeout(done, 1500))")
    assert stage.root.locator(".age").inner_text() == age
    asked = len(stage.sent("tasks"))
    page.evaluate("mock.silent = false")
    is_live(stage)
    assert stage.until_sent("tasks", asked + 1)[-1]["after"] == 0


def test_a_kernel_that_speaks_is_heard_for_longer_than_silence_takes(page: Page) -> None:
    stage = dashboard(page)
    page.evaluate("() => new Promise(done => setTimeout(done, 5000))")
    is_live(stage)


@pytest.mark.parametrize("status", ["dead", "restarting", "autorestarting", "terminating"])
def test_an_end_that_the_host_tells_of_is_said_at_once(page: Page, status: str) -> None:
    stage = dashboard(page, tells=True)
    page.evaluate("status => { mock.silent = true; mock.tell({ status }); mock.tell({ status: 'idle' }); }", status)
    is_cut(stage, "The kernel is gone: this is what was seen last, at ")
    expect(stage.root.locator(".cut")).to_contain_text("%sky attach")


def test_another_kernel_is_not_this_one(page: Page) -> None:
    stage = dashboard(page, tells=True)
    page.evaluate("() => { mock.silent = true; mock.tell({ id: 'second' }); }")
    is_cut(stage, "The kernel is gone")


def test_a_broken_connection_is_said_and_mended(page: Page) -> None:
    stage = dashboard(page, tells=True)
    page.evaluate("() => { mock.silent = true; mock.tell({ connectionStatus: 'connecting' }); }")
    is_cut(stage, "The connection to the kernel is broken")
    page.evaluate("() => { mock.silent = false; mock.tell({ connectionStatus: 'connected' }); }")
    is_live(stage)


def test_a_busy_kernel_is_not_called_gone(page: Page) -> None:
    stage = dashboard(page, tells=True)
    page.evaluate("() => { mock.silent = true; mock.tell({ status: 'busy' }); }")
    expect(stage.root.locator(".cut")).to_contain_text("The kernel is busy", timeout=WITHIN_MS)
    expect(stage.root.get_by_role("button", name="Interrupt")).to_be_enabled()
    assert stage.root.locator("header").evaluate("header => getComputedStyle(header).filter") == "none"


def test_nothing_is_expected_when_the_pool_is_over(page: Page) -> None:
    stage = Stage(page)
    page.evaluate("mock.tells()")
    shown = snapshot(*mixed(2), state="stopped")
    stage.show(shown, ended=shown["started"] + 5, last={"finished": 5, "done": []})
    page.evaluate("() => { mock.silent = true; mock.tell({ status: 'dead' }); }")
    page.evaluate("() => new Promise(done => setTimeout(done, 4500))")
    expect(stage.root.locator(".cut")).to_be_hidden()


def test_a_run_says_so_too(page: Page) -> None:
    stage = RunStage(page)
    stage.show(run_snapshot())
    stage.until_sent("visible")
    page.evaluate("mock.silent = true")
    is_cut(stage, "The kernel does not answer")
    page.evaluate("mock.silent = false")
    is_live(stage)


def test_a_collection_says_so_too(page: Page) -> None:
    stage = CollectionPage(page)
    stage.show_table({f"key-{number}": number for number in range(40)})
    expect(stage.root.locator("tbody tr").first).to_be_visible()
    page.evaluate("mock.silent = true")
    expect(stage.root.locator(".cut")).to_contain_text("The kernel does not answer", timeout=WITHIN_MS)
    assert all(control.is_disabled() for control in stage.root.locator("button, input").all())
    page.evaluate("mock.silent = false")
    expect(stage.root.locator(".cut")).to_be_hidden()
    expect(stage.root.get_by_role("searchbox")).to_be_enabled()


def test_a_view_that_is_removed_listens_to_the_host_no_more(page: Page) -> None:
    stage = dashboard(page, tells=True)
    assert page.evaluate("mock.watched()") > 0
    page.evaluate("mock.cleanup()")
    assert page.evaluate("mock.watched()") == 0
    assert stage.page.evaluate("mock.listening()") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_was_seen_last_stays_legible(page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    stage = dashboard(page, tells=True)
    page.evaluate("() => { mock.silent = true; mock.tell({ status: 'dead' }); }")
    is_cut(stage, "The kernel is gone")
    assert grave_faults(page, ".skyward-dashboard") == []
