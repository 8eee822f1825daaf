"""The errors that failures on nodes are raised as."""

from __future__ import annotations

from skyward_jupyter.actors.results import error_of
from skyward_jupyter.agent.failure import Failed


def test_a_library_that_own_code_needs_is_named_with_what_to_do() -> None:
    failed = Failed("input", "ModuleNotFoundError", "No module named 'polars.io'", facts={"lacking": "polars"})
    assert str(error_of(failed, 2)) == (
        "node 2 could not load the call: ModuleNotFoundError: No module named 'polars.io'. Your code imports polars, "
        "which is not installed there: add it to Image(pip=['polars'])"
    )
