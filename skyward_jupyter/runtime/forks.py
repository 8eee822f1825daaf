"""A child that was forked from this process: it has none of its pools, and may start its own.

A fork copies all that a process has of its pools, but not the threads that work for them, and whatever the child said
on their connections would harm its parent. So the child forgets them, and keeps what it forgot as it is: nothing of it
may be finalized there. What was made before the fork refuses to work.

The parent's loop stands still meanwhile, for a second at most: else the child would have what it was in the middle of,
such as the lock of a module that it imported, or the pipes of a program that it started.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401
import logging  # noqa: F401
import os
from collections.abc import Callable

from skyward_jupyter.errors import NoPool


class _State:
    """How many forks lie between the first process and this one, who the parent was, and what is left of it."""

    depth = 0
    pid = 0
    parent = 0
    left: tuple[object, ...] = ()
    forgetting: tuple[Callable[[], object], ...] = ()
    pausing: tuple[Callable[[], object], ...] = ()
    going_on: tuple[Callable[[], object], ...] = ()


def forget_in_child(forget: Callable[[], object]) -> None:
    """Have `forget` called in every child that is forked from here on; what it returns is never collected there."""
    _State.forgetting = (*_State.forgetting, forget)


def stand_still(pause: Callable[[], object], go_on: Callable[[], object]) -> None:
    """Have `pause` called before every fork of this process, and `go_on` after it in the parent."""
    _State.pausing = (*_State.pausing, pause)
    _State.going_on = (*_State.going_on, go_on)


def depth() -> int:
    """Tell this process from those it was forked from."""
    return _State.depth


def left_behind(depth: int) -> bool:
    """Whether what was made at `depth` belongs to a process that this one was forked from."""
    return depth != _State.depth


def refuse(depth: int, what: str) -> None:
    """Raise NoPool if `what`, made at `depth`, belongs to a process that this one was forked from."""
    if depth != _State.depth:
        raise NoPool(
            f"{what} belongs to process {_State.parent}, which this one was forked from, and can be used there only; "
            "start a pool of its own here"
        )


def forked() -> bool:
    """Whether this process was forked from one that might have had pools."""
    return _State.depth > 0


def _before() -> None:
    _State.pid = os.getpid()
    for pause in _State.pausing:
        pause()


def _in_parent() -> None:
    for go_on in _State.going_on:
        go_on()


def _in_child() -> None:
    _State.depth += 1
    _State.parent = _State.pid
    _State.left = (_State.left, *(forget() for forget in _State.forgetting))


# Registered after those of the modules imported above, it comes before them at a fork: the loop may need their locks.
os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
