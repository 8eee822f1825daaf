"""What an output holds of a living view, by what is known of front ends.

VS Code shows widgets of outputs that name them, in a web view of its own in which HTML may bring no script that is not
in it (https://code.visualstudio.com/api/extension-guides/notebook); Colab draws each output in a frame of its own and
has to be told who draws widgets that are not its own. Neither has require.js to rely on.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from skyward_jupyter.widgets import hosting
from skyward_jupyter.widgets.dashboard import Dashboard
from skyward_jupyter.widgets.hosting import MIME
from skyward_jupyter.widgets.view import View
from tests.unit.widgets.fakes import Source, node, snapshot

COLAB = "google.colab.output"


class Shell:
    """A kernel's shell, as far as it tells who is at the other end."""

    def __init__(self, *, asks: bool = True, **names: object) -> None:
        self.kernel = SimpleNamespace(_allow_stdin=asks)
        self.user_ns = names


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Shell:
    made = Shell(**getattr(request, "param", {}))
    monkeypatch.setattr(hosting, "kernel_shell", lambda: made)
    return made


@pytest.fixture
def colab(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Colab's own module, which keeps what is asked of it."""
    from anywidget import _util

    asked: list[str] = []
    output = ModuleType(COLAB)
    output.enable_custom_widget_manager = lambda: asked.append("enabled")  # type: ignore[attr-defined]
    output._widgets = SimpleNamespace(_installed_url="https://colab.test/manager.js")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.setitem(sys.modules, COLAB, output)
    _util.enable_custom_widget_manager_once.cache_clear()
    yield asked
    _util.enable_custom_widget_manager_once.cache_clear()


@pytest.fixture
def views() -> Iterator[list[View]]:
    made: list[View] = []
    yield made
    for view in made:
        view.close()


def bundle(views: list[View]) -> tuple[dict[str, Any], dict[str, Any]]:
    view = Dashboard(Source(snapshot(node(0), node(1))))
    views.append(view)
    return view._repr_mimebundle_()


def test_an_output_names_no_widget_where_scripts_run_by_themselves(shell: Shell, views: list[View]) -> None:
    data, said = bundle(views)
    assert set(data) == {"text/plain", "text/html"}
    assert data["text/html"].startswith(f'<div data-skyward="{views[0].place}">')
    assert said == {}


@pytest.mark.parametrize("shell", [{"__vsc_ipynb_file__": "/home/me/book.ipynb"}], indirect=True)
def test_vs_code_is_told_of_the_widget(shell: Shell, views: list[View]) -> None:
    data, _ = bundle(views)
    assert data[MIME] == {"version_major": 2, "version_minor": 0, "model_id": views[0].model_id}
    needs_nothing(data)


def test_colab_is_told_of_the_widget_and_who_draws_it(shell: Shell, colab: list[str], views: list[View]) -> None:
    data, said = bundle(views)
    assert data[MIME]["model_id"] == views[0].model_id
    assert said == {MIME: {"colab": {"custom_widget_manager": {"url": "https://colab.test/manager.js"}}}}
    assert colab == ["enabled"]
    needs_nothing(data)


@pytest.mark.parametrize("shell", [{"asks": False}], indirect=True)
def test_who_executes_a_notebook_gets_no_widget(shell: Shell, views: list[View]) -> None:
    data, said = bundle(views)
    assert set(data) == {"text/plain", "text/html"}
    assert "data-skyward" not in data["text/html"]
    assert views[0].comm is None
    assert said == {}
    shell.kernel._allow_stdin = True
    assert "data-skyward" in views[0].bundle()["text/html"], "somebody has come to look"


@pytest.mark.parametrize(
    ("shell", "seen", "renewed"),
    [({"__vsc_ipynb_file__": "a"}, True, 1), ({"__vsc_ipynb_file__": "a"}, False, 3), ({}, True, 3)],
    indirect=["shell"],
)
def test_a_widget_that_somebody_sees_is_seldom_drawn_anew(
    shell: Shell, views: list[View], monkeypatch: pytest.MonkeyPatch, seen: bool, renewed: int
) -> None:
    now, updates = 1000.0, []
    monkeypatch.setattr("skyward_jupyter.widgets.view.time.monotonic", lambda: now)
    monkeypatch.setattr("skyward_jupyter.widgets.keeping.keep", lambda view: None)
    source = Source(snapshot(node(0)))
    view = Dashboard(source)
    views.append(view)
    view.stand(updates.append)
    if seen:
        view._sights.see("a page's")
    for after, note in ((5.0, "one"), (10.0, "two"), (31.0, "three")):
        now, source.current = 1000.0 + after, snapshot(node(0), note=note)
        view.keep()
        view.keep()
    assert len(updates) == renewed
    assert "three" in updates[-1]["text/plain"]


def needs_nothing(data: dict[str, Any]) -> None:
    """The HTML has no script, in it or elsewhere, and asks for nothing."""
    page = data["text/html"]
    assert not re.search(r"<script|<style|<link|<iframe|require|\bon\w+=|javascript:|(?:src|href)=.(?!data:)", page)
    assert data["text/plain"]
