"""What is written below an error of Python's own."""

from __future__ import annotations

import linecache
from typing import Any

import pytest

import skyward as sky
from skyward_jupyter.advice import advice_for


@sky.compute
def train(n: int) -> int:
    """Return its double."""
    return n * 2


def advised(code: str) -> str:
    """What is advised for code that fails."""
    name = f"<advised {hash(code)}>"
    linecache.cache[name] = len(code), None, code.splitlines(keepends=True), name
    space: dict[str, Any] = {"sky": sky, "train": train, "plain": lambda n: n}
    with pytest.raises((TypeError, NameError)) as caught:
        exec(compile(code, name, "exec"), space)
    return advice_for(caught.value)


@pytest.mark.parametrize(
    "code",
    [
        *("train(1) + 1", "2 * train(1)", "train(1)[0]", "for x in train(1): pass", "float(train(1))", "len(train(1))"),
        *("sum([train(1), train(2)])", "f'{train(1):.2f}'", "-train(1)", "a, b = train(1)", "train(1) ** 2"),
        *("sky.gather(train(1)) + 1", "3 in train(1)", "round(train(1))", "with train(1): pass"),
    ],
)
def test_a_call_that_was_not_sent(code: str) -> None:
    assert "has no result yet: write `result = f(...) >> pool`" in advised(code)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("plain(3) >> sky", "has run here already, and gave a value (int)"),
        ("plain >> sky", "put @sky.compute on it"),
        ("[train(1)] >> sky", "sky.gather(*calls)"),
        ("(train(n) for n in range(3)) @ sky", "sky.gather(*calls)"),
        ("sky.gather(train(1)) @ sky", "`@` takes one call"),
        ("train(1) >> pool", "%sky start --nodes 4"),
        ("pool.run(train(1))", "%sky start --nodes 4"),
        ("skyward.pool()", "import skyward"),
    ],
)
def test_what_is_sent_is_no_call_or_there_is_no_pool(code: str, said: str) -> None:
    assert said in advised(code)


@pytest.mark.parametrize("code", ["1 + 'a'", "pool", "nowhere", "len(3)", "[1] >> 3", "plain(3)(4)"])
def test_others_are_left_as_they_are(code: str) -> None:
    assert advised(code) == ""
