"""Names and settings of collections."""

from __future__ import annotations

import pickle

import pytest

from skyward_jupyter import errors
from skyward_jupyter.collections import place
from skyward_jupyter.collections.address import Who, checked
from skyward_jupyter.collections.pieces import HEARD, Cutter, piece
from skyward_jupyter.collections.values import LIMIT, decoded, encoded


@pytest.mark.parametrize("name", ["a", "a.b:c/d-e", "0", "_x", "x" * 100])
def test_names_that_may_be(name: str) -> None:
    assert checked("dict", name).name == name


@pytest.mark.parametrize("name", ["", " a", "a b", "-a", "é", "x" * 101, "a\n", None, 3])
def test_names_that_may_not(name: object) -> None:
    with pytest.raises(errors.UsageError, match="cannot name a queue"):
        checked("queue", name)


def test_settings_are_told_in_words() -> None:
    assert checked("dict", "a", "eventual").settings == "an eventual dict"
    assert checked("barrier", "a").settings == "a barrier of as many parties as nodes"
    assert str(checked("lock", "a")) == "lock 'a'"
    assert str(Who(None)) == "the notebook"
    assert str(Who(3, 7, "train")) == "node 3 (train)"


def test_messages_are_cut_as_they_were_sent() -> None:
    sent = piece(b"one") + HEARD + piece(b"x" * 100_000)
    cutter = Cutter()
    cut = [body for start in range(0, len(sent), 7) for body in cutter.feed(sent[start : start + 7])]
    assert cut == [b"one", b"", b"x" * 100_000]


def test_values_come_back() -> None:
    for value in (None, 1, "a", b"x", [1, {"a": (2,)}], lambda: 5):
        back = decoded(encoded(value, "it"))
        assert back == value or callable(back)
    with pytest.raises(errors.ValueTooLarge, match="it takes 4,194,3"):
        encoded(b"x" * LIMIT, "it")


@pytest.mark.parametrize(
    "error",
    [
        errors.BarrierTimeout("b", 1.5, (1, 2), 1, 3),
        errors.ValueTooLarge("this key", 5000, 4096),
        errors.LockLost("a", 7),
        errors.LockMisused("text"),
        place.not_clustered("p"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_travel(error: Exception) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)
