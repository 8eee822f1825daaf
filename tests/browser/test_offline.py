"""Pages that nbconvert makes of an executed notebook, opened in Chromium without a network."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from playwright.sync_api import Page, Route, expect

from tests.notebooks.conftest import environment
from tests.notebooks.test_executed import CELLS, LEFT
from tools.kernels import reached_in

pytestmark = pytest.mark.browser

TASKS = "@sky.compute\ndef work(x): return x\nlen(sky.gather(*map(work, range(7))) >> sky.pool())"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """A notebook whose pool lived when its kernel was ended."""
    folder = tmp_path_factory.mktemp("offline")
    cells = [*CELLS, TASKS]
    made: NotebookNode = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with tempfile.TemporaryDirectory(prefix="skyward-kernel-") as sockets:
        manager = reached_in(AsyncKernelManager(kernel_name="python3"), sockets)
        NotebookClient(made, km=manager, timeout=110).execute(env=environment(folder), cwd=str(folder), cleanup_kc=True)
    return made


def asked(page: Page, book: NotebookNode, file: Path, **options: str) -> list[str]:
    """Open the notebook's page with no network; returns what it asked the network for."""
    exporter = HTMLExporter(**options)
    exporter.sanitize_html = False
    text, _ = exporter.from_notebook_node(book)
    file.write_text(text)
    urls: list[str] = []

    def refuse(route: Route) -> None:
        urls.append(route.request.url)
        route.abort()

    page.route(lambda url: not url.startswith(("file:", "data:")), refuse)
    page.goto(file.as_uri(), wait_until="load")
    return urls


def test_everything_is_there_without_a_network(page: Page, book: NotebookNode, tmp_path: Path) -> None:
    own = asked(page, nbformat.v4.new_notebook(), tmp_path / "empty.html")
    assert sorted(asked(page, book, tmp_path / "book.html")) == sorted(own), "nbconvert's own scripts and no other"
    for cell, words in LEFT.items():
        for word in words:
            expect(page.locator(".jp-Cell").nth(cell).locator(".jp-Cell-outputArea")).to_contain_text(word)
    picture = page.locator(".jp-Cell").nth(2).locator("img")
    expect(picture).to_be_visible()
    assert picture.evaluate("picture => picture.complete && picture.naturalWidth > 0")


def test_no_request_leaves_when_nbconvert_makes_none(page: Page, book: NotebookNode, tmp_path: Path) -> None:
    options = {"require_js_url": "", "mathjax_url": "", "jquery_url": "", "mermaid_js_url": ""}
    assert asked(page, book, tmp_path / "book.html", **options) == []
    expect(page.locator(".jp-Cell").nth(5)).to_contain_text("the last value")


@pytest.mark.parametrize("template", ["lab", "classic"])
def test_a_run_looks_like_the_output_beside_it(page: Page, book: NotebookNode, tmp_path: Path, template: str) -> None:
    asked(page, book, tmp_path / "book.html", template_name=template)
    font = "element => [getComputedStyle(element).fontFamily, getComputedStyle(element).fontSize]"
    head = page.get_by_text("run on nodes 0-1: done")
    output = page.locator("pre", has_text="step 2").last
    assert head.evaluate(font) == output.evaluate(font)
    assert "mono" in head.evaluate(font)[0]
