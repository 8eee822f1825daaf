"""What became of the calls of a run, call by call: what a kernel that took a pool over can say of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from skyward_jupyter.actors.adoption import Kept
from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.errors import ResultGone
from skyward_jupyter.wire.events import Failure


@dataclass(frozen=True, slots=True)
class Counts:
    """Of how many calls of a run is what known.

    Attributes
    ----------
    calls
        How many it has.
    done
        Have ended, and their results or errors are here.
    running
        Are on a node.
    waiting
        Wait in this kernel for a free slot.
    gone
        Have ended, and their results went to the kernel that started them.
    unsent
        Waited in that kernel, and never ran anywhere.
    """

    calls: int
    done: int = 0
    running: int = 0
    waiting: int = 0
    gone: int = 0
    unsent: int = 0

    def __str__(self) -> str:
        named = (
            (self.done, "done"),
            (self.running, "running"),
            (self.waiting, "waiting"),
            (self.gone, "with the kernel before"),
            (self.unsent, "never sent"),
        )
        said = ", ".join(f"{count} {what}" for count, what in named if count)
        return f"{said} of {self.calls}" if self.calls > self.unsent else said


def unsent(kept: Kept, handed: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """The places of the calls of a run that no node was given, by the ranges of task numbers that some were."""
    if not kept.adopted:
        return ()
    sent = {number - kept.number for number in kept.entries}
    end = kept.number + kept.parts
    for first, last in handed:
        sent.update(range(max(first, kept.number) - kept.number, min(last + 1, end) - kept.number))
    return tuple(place for place in range(kept.parts) if place not in sent)


def counted(kept: Kept, lacking: int) -> Counts:
    """What became of the calls of a run of which `lacking` were never sent."""
    entries = list(kept.entries.values())
    ended = [entry for entry in entries if entry.outcome.done()]
    if not kept.adopted:
        waiting = sum(entry.rank is None for entry in entries) - sum(entry.rank is None for entry in ended)
        running = len(entries) - len(ended) - waiting
        return Counts(kept.parts, kept.parts - running - waiting, running, waiting)
    done = sum(not _is_gone(entry) for entry in ended)
    running = len(entries) - len(ended)
    if kept.separate:
        return Counts(lacking, unsent=lacking)
    return Counts(kept.parts, done, running, 0, kept.parts - done - running - lacking, lacking)


def _is_gone(entry: TaskEntry) -> bool:
    outcome = entry.outcome.result()
    return isinstance(outcome, Failure) and isinstance(outcome.error, ResultGone)
