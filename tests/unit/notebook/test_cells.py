"""A cell's source, and what counts as the same value."""

from __future__ import annotations

import math

from skyward_jupyter.agent.cells import LineKeepingTransformer, Source, fingerprint
from skyward_jupyter.notebook.source import source_of


def test_lines_are_counted_from_the_magic() -> None:
    source = Source.of("%%sky\nx\n", "x\n", 3)
    assert (source.code, source.offset) == ("x\n", 1)


def test_blank_lines_count() -> None:
    source = Source.of("%%sky\n\n  \nx", "\n  \nx\n", 3)
    assert (source.code, source.offset) == ("x\n", 3)


def test_lines_above_the_magic_count() -> None:
    assert source_of("\n\n%%sky\nx", "", "x\n", 1).offset == 3
    assert source_of("%%time\n%%sky\nx", "", "x", 1).offset == 2


def test_a_cell_that_was_not_typed_is_written_out() -> None:
    source = source_of("f()", "--on 0", "x\ny", 1)
    assert source.written == "%%sky --on 0\nx\ny"
    assert source.offset == 1


def test_code_below_a_continued_line_keeps_its_number() -> None:
    code = "!echo a \\\n  b\nx = %time \\\n f()\ny"
    after = LineKeepingTransformer().transform_cell(code).splitlines()
    assert len(after) == 5
    assert after[4] == "y"


def test_equal_values_have_equal_fingerprints() -> None:
    assert fingerprint([1, "a", {"b": None}]) == fingerprint([1, "a", {"b": None}])
    assert fingerprint(1) != fingerprint(1.0)
    assert fingerprint(math) == fingerprint(math)
    assert fingerprint(math.sqrt) == fingerprint(math.sqrt)
    assert fingerprint(object()) is None
    assert fingerprint([object()]) is None
    assert fingerprint("x" * 100_000) is None
