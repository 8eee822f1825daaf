"""What calls side by side gave when not all of them succeeded: the error that is raised carries the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from skyward_jupyter.errors import TaskInterrupted
from skyward_jupyter.wire.events import Failure, Outcome, Success
from skyward_jupyter.wire.exceptions import assign

#: How many places a note lists.
_LISTED = 10


@dataclass(frozen=True, slots=True)
class Gathered:
    """What became of the calls of a `gather`, a ``&``, a map or a broadcast that raised: ``error.gathered``.

    Attributes
    ----------
    results
        What those returned that had ended well, by their place in the call; of a broadcast, by node.
    errors
        What those raised that failed.
    cancelled
        The places of those that were stopped, or never ran, because another one had failed.
    given
        How many results an iterator had handed out before, and does not keep.
    """

    results: Mapping[int, Any]
    errors: Mapping[int, BaseException]
    cancelled: tuple[int, ...]
    given: int = 0

    def __len__(self) -> int:
        return len(self.results) + len(self.errors) + len(self.cancelled) + self.given

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        said = [f"{len(self.results) + self.given} of {len(self)} calls succeeded"]
        if self.errors:
            said.append(f"{len(self.errors)} failed ({_places(self.errors)})")
        if self.cancelled:
            said.append(f"{len(self.cancelled)} {'was' if len(self.cancelled) == 1 else 'were'} cancelled")
        return ", ".join(said)


def gathered(outcomes: Mapping[int, Outcome | None], *, first: BaseException | None = None) -> Gathered:
    """Sort outcomes by how they ended; None stands for a call that has not, and is being stopped.

    An error of `first` is one that failed, whatever it is; another that only says that its call was stopped is not.
    """
    results: dict[int, Any] = {}
    errors: dict[int, BaseException] = {}
    cancelled: list[int] = []
    for place, outcome in outcomes.items():
        match outcome:
            case Success():
                results[place] = outcome.value
            case Failure(error=error) if error is first or not isinstance(error, TaskInterrupted):
                errors[place] = error
            case _:
                cancelled.append(place)
    return Gathered(results, errors, tuple(cancelled))


def carry[E: BaseException](error: E, found: Gathered) -> E:
    """`error`, with what became of the calls, and a note of it; one of a single call carries nothing."""
    if len(found) < 2:
        return error
    assign(error, "gathered", found)
    if len(found.errors) == len(found):
        return error
    notes = getattr(error, "__notes__", None)
    assign(error, "__notes__", [*(notes if isinstance(notes, list) else ()), _note(found)])
    return error


def _note(found: Gathered) -> str:
    """What is said of them below the message of the error."""
    which = "those that were not given yet" if found.given else "their results"
    kept = f"; {which} are in .gathered.results of this error (sys.last_exc), by place" if found.results else ""
    return f"{found}{kept}"


def _places(places: Iterable[int]) -> str:
    listed = sorted(places)
    more = f", and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return f"at {', '.join(map(str, listed[:_LISTED]))}{more}"
