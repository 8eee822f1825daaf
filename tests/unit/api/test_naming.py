"""Names of pools that were given none."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

import skyward as sky
from skyward_jupyter.api import naming
from skyward_jupyter.runtime.origin import Origin


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYWARD_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(naming, "origin", lambda: Origin("search.ipynb", "search", "/home/me/search.ipynb"))
    gc.collect()  # pools of tests before that were never started


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("search", "search"),
        ("01_quickstart", "quickstart"),
        ("My search (copy)", "my-search-copy"),
        ("Größe", "grosse"),
        ("snake_case_", "snake_case"),
        ("2024", "pool"),
        ("", "pool"),
        ("検索", "pool"),
        ("a" * 40, "a" * 24),
        ("--x--", "x"),
    ],
)
def test_a_name_is_what_the_file_is_called(stem: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "origin", lambda: Origin("x", stem))
    assert naming.new_name() == name
    assert sky.ComputePool(name=name).name == name


def test_pools_that_are_still_to_start_have_names_of_their_own() -> None:
    first, second = sky.ComputePool(), sky.ComputePool()
    assert (first.name, second.name) == ("search", "search-2")
    del first
    gc.collect()
    assert sky.ComputePool().name == "search"


def test_a_pool_that_starts_again_has_another_name_while_its_own_is_taken() -> None:
    first = sky.ComputePool().start()
    assert first.name == "search"
    first.stop()
    with sky.ComputePool() as second:
        assert second.name == "search"
        with first:
            assert first.name == "search-2"
            assert sky.pool("search-2") is first
            assert sky.pool("search") is second
    with first:
        assert first.name == "search-2"
