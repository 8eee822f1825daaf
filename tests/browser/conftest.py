"""A browser for a module's tests, and pages that play a widget's host.

Playwright's synchronous API keeps an event loop running in the main thread for as long as it is
open, which asyncio tests would trip over; so a browser lives for one module, not for the session.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from tests.browser.lab import Lab, clear
from tests.browser.stage import Stage

#: How the page of each test looked in the end.
PICTURES = Path(__file__).resolve().parents[2] / "build" / "screenshots"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
#: How long what a page shows may take, on a machine that does much else; no test is about it.
SHOWN_MS = 30_000
#: What Notebook 7 says of an empty notebook, of settings that only JupyterLab has.
SETTINGS = "Cannot read properties of undefined (reading 'schema')"
#: What JupyterLab says of a request to its server or kernel that was cut short, and of a notebook that is closed while
#: it still works on it; the widgets say neither.
NOT_OURS = ("Failed to fetch", "Disposed", "Canceled future for", SETTINGS)

expect.set_options(timeout=SHOWN_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is None:
        pytest.skip(f"there is no Chromium on PATH (looked for {', '.join(CHROMIUMS)})")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def desk(browser: Browser) -> Iterator[Page]:
    """The page in which the tests of a module have JupyterLab: to load it anew takes longer than most of them."""
    with _context(browser) as context:
        yield context.new_page()


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[BrowserContext]:
    """The window in which each test of a module has a page of its own: a new window costs more than most tests."""
    with _context(browser) as context:
        context.new_page()  # with no page at all its processes would end, and start with the next one
        yield context


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An empty page, whose last picture is kept; an error that no script caught fails the test.

    Tests of JupyterLab get the one of their module, in which no notebook is open. One that sets the clock takes
    ``apart`` too: a clock is the window's.
    """
    errors: list[str] = []

    def caught(error: Error) -> None:
        errors.append(str(error))

    with contextlib.ExitStack() as stack:
        if in_lab := "lab" in request.fixturenames:
            page: Page = request.getfixturevalue("desk")
            stack.callback(page.remove_listener, "pageerror", caught)
        elif "apart" in request.fixturenames:
            page = stack.enter_context(_context(browser)).new_page()
        else:
            page = request.getfixturevalue("window").new_page()
            stack.callback(page.close)
        page.on("pageerror", caught)
        yield page
        PICTURES.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(Error):  # a page that the test has closed
            page.screenshot(path=PICTURES / f"{_file_name(request.node)}.png", timeout=5000)
        if in_lab:
            clear(page)
    assert not [error for error in errors if not any(known in error for known in NOT_OURS)]


@pytest.fixture
def apart() -> None:
    """Says that the test's page has a window of its own."""


@pytest.fixture
def stage(page: Page) -> Stage:
    """A bare page with the dashboard's model, nothing rendered yet."""
    return Stage(page)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab server; the first page of it takes seconds, the next ones less."""
    with Lab.started(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def lab(server: Lab) -> Iterator[Lab]:
    """The session's JupyterLab server, whose kernels end with the test."""
    yield server
    server.shut_down_kernels()


@contextlib.contextmanager
def _context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1000, "height": 800}, color_scheme="light")
    try:
        yield context
    finally:
        context.close()


def _file_name(test: pytest.Item) -> str:
    return re.sub(r"[^\w-]+", "-", f"{test.path.stem}-{test.name}").strip("-")
