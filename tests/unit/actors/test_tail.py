"""The last that came of a node."""

from __future__ import annotations

from skyward_jupyter.actors.tail import BOUND, Tail


def lines(tail: Tail, most: int = 100) -> list[tuple[str, str]]:
    return [(line.source, line.text) for line in tail.lines(most)]


def test_pieces_become_lines() -> None:
    tail = Tail()
    tail.add("node", "joined\n")
    for piece in ("epo", "ch 1\nepoch", " 2\n\nrest"):
        tail.add("stdout", piece)
    tail.add("stderr", "warning\n")
    assert lines(tail) == [
        ("node", "joined"),
        ("stdout", "epoch 1"),
        ("stdout", "epoch 2"),
        ("stderr", "warning"),
        ("stdout", "rest"),
    ]
    assert lines(tail, 2) == [("stderr", "warning"), ("stdout", "rest")]


def test_a_line_that_redraws_itself_has_its_last_state() -> None:
    tail = Tail()
    for done in range(5):
        tail.add("stderr", f"\r{done}/4")
    assert lines(tail) == [("stderr", "4/4")]
    tail.add("stderr", "\n")
    assert lines(tail) == [("stderr", "4/4")]


def test_it_is_bounded() -> None:
    tail = Tail()
    for number in range(20_000):
        tail.add("stdout", f"{number}\n")
    assert len(tail.lines(10**6)) == 5_000
    for _ in range(100):
        tail.add("stdout", "x" * 100_000 + "\n")
    assert sum(len(line.text) for line in tail.lines(10**6)) <= BOUND
    tail.add("stdout", "last\n")
    assert lines(tail, 1) == [("stdout", "last")]
