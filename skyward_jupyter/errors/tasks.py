"""Errors of calls and cells: how they ended on a node, where not with a result."""

from __future__ import annotations

import concurrent.futures
import pickle
from typing import Any

from skyward_jupyter.errors.base import SkywardError


class TaskFailed(SkywardError):
    """A task ended without a result of its own.

    Attributes
    ----------
    node
        Rank of the node it ran on, or None when it never reached one.
    killed
        Whether it did not stop when interrupted, so that its slot was ended.
    """

    killed = False

    def __init__(self, message: str, node: int | None = None) -> None:
        self.node = node
        super().__init__(message)


class SlotDied(TaskFailed, concurrent.futures.BrokenExecutor):
    """The slot process that ran the task ended; another has taken its place.

    Attributes
    ----------
    signal, status
        The signal that ended the process, or its exit status; the other is None.
    """

    def __init__(self, message: str, node: int | None = None, *, signal: int | None = None, status: int | None = None):
        self.signal = signal
        self.status = status
        super().__init__(message, node)


class TaskTimeout(TaskFailed, TimeoutError):
    """The task ran longer than it was allowed to and was stopped."""


class TaskInterrupted(TaskFailed):
    """The task was interrupted or cancelled from here."""


class ResultNotPicklable(TaskFailed, pickle.PicklingError):
    """The task ended well, but what it returned cannot travel."""


class NotLoaded(TaskFailed, concurrent.futures.BrokenExecutor):
    """A call could not be loaded on its node, or what it returned could not be loaded here."""


class RemoteError(TaskFailed):
    """An exception of a node that could not be sent as itself.

    Attributes
    ----------
    type_name
        The name of its type.
    """

    def __init__(self, type_name: str, text: str, node: int | None = None) -> None:
        self.type_name = type_name
        super().__init__(f"{type_name}: {text}" if text else type_name, node)

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteError, (self.type_name, str(self).partition(": ")[2], self.node)


class RemoteExit(RemoteError, SystemExit):
    """A job of an executor ended in SystemExit; left alone, it ends this program as its own SystemExit does.

    Attributes
    ----------
    code
        The status that it was ended with.
    """

    def __init__(self, text: str, node: int | None, code: object) -> None:
        super().__init__("SystemExit", text, node)
        self.code = code  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteExit, (str(self).partition(": ")[2], self.node, self.code)


class ResultGone(SkywardError):
    """Results of a run that a kernel started that has ended are not to be had: it had them, or the calls never ran.

    Attributes
    ----------
    results
        Those that are there, by their place in the call.
    unsent
        The places of the calls that waited in that kernel and never ran: run those again.
    """

    def __init__(self, message: str, results: dict[int, object], unsent: tuple[int, ...] = ()) -> None:
        self.results = results
        self.unsent = unsent
        super().__init__(message)


class CellFailed(SkywardError):
    """A ``%%sky`` cell raised on at least one node.

    Attributes
    ----------
    errors
        The error of each failed node, by rank, with the frames and their variables there as its traceback.
    nodes
        The ranks of the nodes that failed.
    """

    def __init__(self, message: str, errors: dict[int, BaseException]) -> None:
        self.errors = errors
        self.nodes = tuple(sorted(errors))
        super().__init__(message)
