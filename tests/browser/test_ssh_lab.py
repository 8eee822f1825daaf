"""Machines over SSH in a real JupyterLab: what is on the screen while they start, and when something is wrong."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from skyward_jupyter.widgets.view import built
from tests.browser.axe import grave_faults
from tests.browser.conftest import PICTURES
from tests.browser.lab import Lab, Notebook
from tests.far import Machines
from tests.machines import missing

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not built("dashboard"), reason="the widgets are not built"),
]

PANEL = ".skyward-dashboard"
LOOP = "%%sky\nimport time\nprint('begun', flush=True)\nwhile True:\n    time.sleep(0.05)"
#: Installing packages on a busy machine takes a while.
SLOW_MS = 120_000

_names = (f"view{os.getpid()}x{number}" for number in itertools.count())


@pytest.fixture
def name() -> str:
    """What the pool of a test is called."""
    return next(_names)


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Three machines of the test's own, which nothing was installed on yet."""
    if why := missing():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("new")
    made = Machines(folder / "machines", folder / "home", 3)
    yield made
    made.close()


def start(machines: Machines, name: str) -> str:
    """The line that starts a pool on them."""
    return f"%sky start --name {name} --provider ssh --hosts {','.join(machines.names)} --key {machines.key}"


def run(lab: Lab, page: Page, name: str, *cells: str) -> Notebook:
    """Run these cells; does not wait for them."""
    notebook = lab.open_notebook(page, ["%load_ext skyward", *cells], name=name)
    notebook.run_all(wait=False)
    return notebook


def tile(notebook: Notebook, node: int) -> Locator:
    """What the first dashboard shows of a node."""
    return notebook.cell(1).locator(f"{PANEL} .tile").nth(node)


def is_readable(notebook: Notebook, what: str) -> None:
    """Check what is shown at this moment for grave faults, light and dark, and keep pictures of both."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for dark in (True, False):
        notebook.theme(dark=dark)
        assert grave_faults(notebook.page, PANEL) == []
        notebook.page.screenshot(path=PICTURES / f"test_ssh_lab-{what}-{'dark' if dark else 'light'}.png")


def until(page: Page, condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    for _ in range(1200):
        if condition():
            return
        page.wait_for_timeout(50)
    pytest.fail(f"not in time: {what}")


def test_a_first_start_shows_what_each_machine_does(lab: Lab, page: Page, fresh: Machines, name: str) -> None:
    fresh.servers[1].stop()
    notebook = run(lab, page, name, start(fresh, name))
    expect(tile(notebook, 1)).to_contain_text("not yet: connection refused")
    expect(tile(notebook, 1)).to_contain_text(f"{fresh.names[1]}")
    # Of two that have one home the other waits.
    either = notebook.cell(1).locator(".tile", has_text="waiting for the image")
    expect(either.or_(notebook.cell(1).locator(".tile", has_text="joined")).first).to_be_visible(timeout=SLOW_MS)
    is_readable(notebook, "first-start")
    fresh.servers[1].start()
    notebook.finished(SLOW_MS)
    notebook.wait_text(1, f"pool {name}: 3 nodes ready in ")
    tile(notebook, 0).locator("summary").click()
    log = notebook.cell(1).get_by_role("region", name="Boot log of node 0")
    expect(log).to_contain_text("looking what is there")
    expect(log).to_contain_text("ready")
    is_readable(notebook, "boot-log")


def test_a_key_that_no_machine_accepts_is_said_once(lab: Lab, page: Page, fresh: Machines, name: str) -> None:
    for server in fresh.servers:
        (server.folder / "authorized_keys").write_text("")
    notebook = run(lab, page, name, start(fresh, name))
    notebook.finished(SLOW_MS)
    text = notebook.text(1)
    assert f"pool '{name}' was not started, 3 of 3 nodes failed" in text
    assert "node 0 (and nodes 1, 2 alike): " in text
    assert "Traceback" not in text
    expect(notebook.cell(1).get_by_text(f"{name} · failed, ssh, 3 nodes")).to_be_visible()
    expect(notebook.cell(1).locator(PANEL)).to_have_count(0)
    assert notebook.evaluate("import skyward as sky\nprint(sky.pools())") == "()\n"


def test_an_interrupted_start_leaves_nothing(lab: Lab, page: Page, fresh: Machines, name: str) -> None:
    fresh.servers[1].stop()  # so that it lasts
    notebook = run(lab, page, name, start(fresh, name))
    expect(tile(notebook, 1)).to_contain_text("connection refused")
    expect(tile(notebook, 0)).not_to_contain_text("onnecting")
    notebook.interrupt()
    notebook.finished(SLOW_MS)
    assert "KeyboardInterrupt" in notebook.text(1)
    assert "Traceback" not in notebook.text(1)
    expect(notebook.cell(1).get_by_text(f"{name} · stopped, ssh")).to_be_visible()
    until(page, lambda: fresh.gone(name), "nothing is left")


def test_a_broken_link_is_said_while_a_cell_runs_on(lab: Lab, page: Page, machines: Machines, name: str) -> None:
    notebook = run(lab, page, name, start(machines, name), LOOP)
    notebook.wait_text(2, "begun", SLOW_MS)
    machines.servers[1].stop()
    try:
        expect(tile(notebook, 1)).to_contain_text("not reachable (")
        is_readable(notebook, "broken-link")
    finally:
        machines.servers[1].start()
    expect(tile(notebook, 1)).to_contain_text("1 running", timeout=SLOW_MS)
    notebook.interrupt()
    notebook.finished()
    notebook.evaluate("import skyward as sky\nsky.pool().stop()")
    expect(notebook.cell(1).get_by_text(f"{name} · stopped, ssh, 3 nodes")).to_be_visible()
    notebook.command("docmanager:save")
    saved = nbformat.read(lab.root / notebook.path, as_version=4).cells[1].outputs
    assert [set(output.get("data", ())) for output in saved] == [{"text/plain", "text/html"}, set()]
