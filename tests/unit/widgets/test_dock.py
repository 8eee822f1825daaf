"""Where `%sky dock` shows a dashboard, by what is known of the front end."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from skyward_jupyter.widgets import dock, hosting


def _front_end(monkeypatch: pytest.MonkeyPatch, *, asks: bool = True, **names: object) -> None:
    shell = SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=asks), user_ns=names)
    monkeypatch.setattr(hosting, "kernel_shell", lambda: shell)
    monkeypatch.setattr(dock, "built", lambda family: True)


def test_a_kernel_that_somebody_looks_at_may_have_a_side_area(monkeypatch: pytest.MonkeyPatch) -> None:
    _front_end(monkeypatch)
    assert dock.possible()


def test_vscode_and_a_notebook_that_is_executed_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    _front_end(monkeypatch, __vsc_ipynb_file__="a.ipynb")
    assert not dock.possible()
    _front_end(monkeypatch, asks=False)
    assert not dock.possible()


def test_colab_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    _front_end(monkeypatch)
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    assert not dock.possible()


def test_a_terminal_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    _front_end(monkeypatch)
    monkeypatch.setattr(hosting, "kernel_shell", lambda: None)
    assert not dock.possible()


def test_without_the_package_or_the_built_script_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    _front_end(monkeypatch)
    monkeypatch.setattr(dock, "find_spec", lambda name: None)
    assert not dock.possible()
    _front_end(monkeypatch)
    monkeypatch.setattr(dock, "find_spec", lambda name: object())
    monkeypatch.setattr(dock, "built", lambda family: False)
    assert not dock.possible()
