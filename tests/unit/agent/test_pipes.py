"""Looking into pipes without reading them."""

import os
from collections.abc import Iterator

import pytest

from skyward_jupyter.agent.pipes import Watch


@pytest.fixture
def pipes() -> Iterator[list[tuple[int, int]]]:
    made = [os.pipe(), os.pipe()]
    yield made
    for fd in {fd for pair in made for fd in pair}:
        try:
            os.close(fd)
        except OSError:
            continue


def test_a_watch_names_the_pipes_in_which_something_waits(pipes: list[tuple[int, int]]) -> None:
    (out, to_out), (err, to_err) = pipes
    watch = Watch((out, err))
    assert watch.ready() == []
    os.write(to_err, b"x")
    assert watch.ready() == [err]
    os.write(to_out, b"x")
    assert watch.ready() == [out, err]
    os.read(err, 1)
    assert watch.ready() == [out]


def test_a_pipe_at_its_end_is_ready_until_it_is_left(pipes: list[tuple[int, int]]) -> None:
    (out, to_out), (err, _) = pipes
    watch = Watch((out, err))
    os.close(to_out)
    assert watch.ready() == [out]
    watch.leave(out)
    assert watch.ready() == []
