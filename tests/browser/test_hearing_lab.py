"""What the live views say in a real JupyterLab when their kernel is killed, restarted, shut down, cut off or busy."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from skyward_jupyter.widgets.view import built
from tests.browser.lab import Lab, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not built("dashboard"), reason="the widgets are not built")]

CELLS = ("import asyncio, os, time\nfrom playpool import *", "source = Source(8)\nPool(source)")
#: What a person waits for it; and what this machine may need on top of it when it does much else.
SAID_WITHIN, BESIDE = 5.0, 2.0

#: The page notes by itself when it says so: asking it takes time on a busy machine.
NOTE_WHEN_SAID = """() => {
    window.saidAt = 0;
    const look = () => {
        if (document.querySelector(".skyward-dashboard .cut:not([hidden])")) window.saidAt = Date.now();
        else setTimeout(look, 20);
    };
    look();
}"""


@contextlib.contextmanager
def busy_machine() -> Iterator[None]:
    """Two processes that keep computing, for a minute at most."""
    code = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
    busy = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def opened(lab: Lab, page: Page, name: str) -> Notebook:
    lab.add(Path(__file__).with_name("playpool.py"))
    notebook = lab.open_notebook(page, CELLS, name=name)
    notebook.run_all()
    expect(panel(notebook).locator(".tile")).to_have_count(8)
    expect(panel(notebook).locator(".figure", has_text="Queued")).to_contain_text("37")
    return notebook


def panel(notebook: Notebook) -> Locator:
    return notebook.cell(1).locator(".skyward-dashboard")


def is_said(notebook: Notebook, since: float, *words: str) -> None:
    """Wait until the dashboard says so, in time, and check that nothing can be asked of it."""
    said = panel(notebook).locator(".cut:not([hidden])")
    expect(said).to_be_visible(timeout=(SAID_WITHIN + BESIDE) * 1000)
    assert time.monotonic() - since < SAID_WITHIN + BESIDE
    for name in ("Interrupt", "Stop", "Scale"):
        expect(panel(notebook).get_by_role("button", name=name, exact=True)).to_be_disabled()
    for word in words:
        expect(said).to_contain_text(word)
    assert "grayscale" in panel(notebook).locator("header").evaluate("header => getComputedStyle(header).filter")


def is_live(notebook: Notebook) -> None:
    expect(panel(notebook).locator(".cut")).to_be_hidden()
    expect(panel(notebook).get_by_role("button", name="Interrupt")).to_be_enabled()


def begin(notebook: Notebook, code: str) -> None:
    """Run code in the kernel, and return while it runs."""
    notebook.page.evaluate(
        """code => {
            const kernel = window.notebook.sessionContext.session.kernel;
            window.awake = false;
            kernel.requestExecute({ code }).done.then(() => { window.awake = true; });
        }""",
        code,
    )


def test_a_kernel_that_was_killed(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "killed")
    pid = int(notebook.evaluate("print(os.getpid())"))
    since = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    is_said(notebook, since, "The kernel is gone")
    page.locator(".jp-Dialog").get_by_role("button").first.click()


def test_a_kernel_that_was_killed_beside_others_that_want_the_machine(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "killed-busy")
    pid = int(notebook.evaluate("print(os.getpid())"))
    page.evaluate(NOTE_WHEN_SAID)
    with busy_machine():
        since = time.time()
        os.kill(pid, signal.SIGKILL)
        page.wait_for_function("window.saidAt > 0")
    assert page.evaluate("window.saidAt") / 1000 - since < SAID_WITHIN
    is_said(notebook, time.monotonic(), "The kernel is gone")
    page.locator(".jp-Dialog").get_by_role("button").first.click()


def test_a_kernel_that_was_restarted(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "restarted")
    since = time.monotonic()
    page.evaluate("() => { window.notebook.sessionContext.session.kernel.restart(); }")
    is_said(notebook, since, "The kernel is gone")
    assert notebook.evaluate("print(6 * 7)") == "42\n"
    page.evaluate("() => new Promise(done => setTimeout(done, 4000))")
    is_said(notebook, time.monotonic(), "The kernel is gone")


def test_a_kernel_that_was_shut_down(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "shutdown")
    since = time.monotonic()
    page.evaluate("() => { window.notebook.sessionContext.shutdown(); }")
    is_said(notebook, since, "The kernel is gone")


def test_a_connection_that_broke_and_came_back(lab: Lab, page: Page) -> None:
    lines: list[WebSocketRoute] = []
    broken = False

    def through(line: WebSocketRoute) -> None:
        if broken:
            line.close()
        else:
            line.connect_to_server()
            lines.append(line)

    page.route_web_socket("**/api/kernels/*/channels*", through)
    page.goto("about:blank")  # JupyterLab takes its sockets from the page as that is loaded
    notebook = opened(lab, page, "cut")
    since, broken = time.monotonic(), True
    for line in lines:
        line.close()
    is_said(notebook, since, "The connection to the kernel is broken")
    broken = False
    is_live(notebook)
    assert notebook.evaluate("print(6 * 7)") == "42\n"
    panel(notebook).get_by_role("button", name="Interrupt").click()
    assert "interrupt" in notebook.evaluate(
        "while not source.commands: await asyncio.sleep(0.05)\nprint(source.commands)"
    )
    page.goto("about:blank")


def test_a_cell_that_sleeps_keeps_nobody_from_being_heard(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "sleeps")
    begin(notebook, "time.sleep(8)")
    while not page.evaluate("window.awake"):
        assert panel(notebook).locator(".cut").is_hidden()
        page.evaluate("() => new Promise(done => setTimeout(done, 100))")


def test_code_that_lets_no_thread_run_is_busy_and_not_gone(lab: Lab, page: Page) -> None:
    #: PyDLL keeps the interpreter's lock, as C code does that was not written for threads.
    notebook = opened(lab, page, "stuck")
    begin(
        notebook, "import ctypes, time\ntime.sleep(1)\nctypes.PyDLL(None).sleep(9)"
    )  # its word that it runs goes first
    said = panel(notebook).locator(".cut:not([hidden])")
    expect(said).to_contain_text("The kernel is busy")
    expect(panel(notebook).get_by_role("button", name="Interrupt")).to_be_enabled()
    page.wait_for_function("window.awake")
    is_live(notebook)
