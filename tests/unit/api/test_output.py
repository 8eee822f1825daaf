"""Whose output is shown."""

from __future__ import annotations

from typing import Any

import pytest

import skyward as sky
from skyward_jupyter.api.echo import Echo
from skyward_jupyter.api.output import keeper
from skyward_jupyter.wire.events import Clear, Output


def kept(function: Any, nodes: int = 3) -> list[str]:
    """Which streams each node keeps; the head is 0."""
    keep = keeper(getattr(function, "function", function))
    return ["stdout,stderr" if keep is None else keep(rank, rank == 0) for rank in range(nodes)]


def test_everything_by_default() -> None:
    assert keeper(lambda: None) is None


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("head", ["stdout,stderr", "stderr", "stderr"]),
        ("all", ["stdout,stderr"] * 3),
        ("none", ["stderr"] * 3),
        (1, ["stderr", "stdout,stderr", "stderr"]),
        ([0, 2], ["stdout,stderr", "stderr", "stdout,stderr"]),
        (range(1, 3), ["stderr", "stdout,stderr", "stdout,stderr"]),
        ({2}, ["stderr", "stderr", "stdout,stderr"]),
    ],
)
def test_some_nodes(which: Any, expected: list[str]) -> None:
    assert kept(sky.stdout(only=which)(lambda: None)) == expected


def test_both_streams() -> None:
    assert kept(sky.stderr(only=1)(sky.stdout(only="head")(lambda: None))) == ["stdout", "stderr", "none"]
    assert kept(sky.silent(lambda: None)) == ["none"] * 3


def test_above_and_below_compute() -> None:
    @sky.stdout(only="head")
    @sky.compute
    def above() -> None: ...

    @sky.compute
    @sky.stdout(only="head")
    def below() -> None: ...

    @sky.silent
    @sky.compute
    def silent() -> None: ...

    assert kept(above) == kept(below) == ["stdout,stderr", "stderr", "stderr"]
    assert kept(silent) == ["none"] * 3
    assert silent()._call().keep is not None


def test_without_arguments() -> None:
    @sky.stdout
    @sky.stderr
    def both() -> None: ...

    assert kept(both) == ["stdout,stderr"] * 3


def test_on_whichever_node_a_call_runs() -> None:
    for which, expected in (("head", "stdout,stderr"), (1, "stdout,stderr"), ("none", "stderr")):
        keep = keeper(sky.stdout(only=which)(lambda: None))  # type: ignore[arg-type]
        assert keep is not None
        assert keep(-1, False) == expected


@pytest.mark.parametrize("which", ["heads", 1.5, None, ["head"], [1, "2"]])
def test_what_names_no_nodes(which: Any) -> None:
    for decorator in (sky.stdout, sky.stderr):
        with pytest.raises(sky.UsageError, match="names no nodes"):
            decorator(only=which)


def test_lines_are_labelled_with_their_node(capsys: pytest.CaptureFixture[str]) -> None:
    echo = Echo()
    for event in (
        Output(0, "stdout", "one\ntwo\n"),
        Output(1, "stderr", "bad\n"),
        Output(12, "stdout", "no newline"),
        Output(0, "stdout", "\n"),
        Clear(0),
    ):
        echo(event)
    shown = capsys.readouterr()
    assert shown.out == "[0] one\n[0] two\n[0] \n"
    echo.finish(12)
    assert capsys.readouterr().out == "[12] no newline\n"
    assert shown.err == "[1] bad\n"


def test_a_function_chooses_nodes(caplog: pytest.LogCaptureFixture) -> None:
    assert kept(sky.stdout(only=lambda info: info.node < 2)(lambda: None)) == ["stdout,stderr"] * 2 + ["stderr"]
    assert kept(sky.stderr(only=sky.is_head)(lambda: None)) == ["stdout,stderr", "stdout", "stdout"]
    of_all = keeper(sky.stdout(only=lambda info: info.total_nodes == 5)(lambda: None))
    assert of_all is not None
    assert (of_all(0, True, 5), of_all(0, True, 4)) == ("stdout,stderr", "stderr")
    assert kept(sky.stdout(only=lambda info: info.nothing)(lambda: None)) == ["stdout,stderr"] * 3
    assert "so what that writes is shown" in caplog.text
