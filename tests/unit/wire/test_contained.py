"""What code of a value raises while it is pickled or loaded."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from skyward_jupyter.wire.contained import contained


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (SystemExit(3), "loading it raised SystemExit: 3"),
        (KeyboardInterrupt(), "loading it raised KeyboardInterrupt"),
        (GeneratorExit(), "loading it raised GeneratorExit"),
        (asyncio.CancelledError("no"), "loading it raised CancelledError: no"),
    ],
)
def test_what_would_end_a_loop_is_an_error_of_the_value(raised: BaseException, text: str) -> None:
    with pytest.raises(pickle.PickleError) as caught, contained("loading"):
        raise raised
    assert str(caught.value) == text
    assert caught.value.__cause__ is raised


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(LookupError, match="x"), contained("loading"):
        raise LookupError("x")
