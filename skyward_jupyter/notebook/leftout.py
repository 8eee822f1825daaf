"""What is said where lines are missing, and the logs of the last runs, which have them.

Bounded: of runs that are over, the last `RUNS` logs are kept, of `CHARACTERS` altogether; that of the last run always.
"""

from __future__ import annotations

from dataclasses import dataclass

from skyward_jupyter.notebook.logbook import LogBook

RUNS = 20
CHARACTERS = 64_000_000


@dataclass(frozen=True, slots=True)
class RunLog:
    """The log of a run, without what the run gave.

    Attributes
    ----------
    ids
        The numbers of the run.
    several
        Whether it has more than one node, so that its lines say which.
    """

    ids: set[int]
    log: LogBook
    several: bool

    def text(self, count: int) -> str:
        """Its last lines, after what is said of those that are not there."""
        lines = self.log.tail(count)
        before = self.log.end - len(lines) - self.log.first
        parts = [f"… {self.log.first:,} lines before are not kept\n"] if self.log.first else []
        if before:
            parts.append(f"… {before:,} lines before are left out\n")
        parts += [
            f"[{line.ranks}] {line.text}\n" if line.ranks and self.several else f"{line.text}\n" for line in lines
        ]
        return "".join(parts)


_logs: list[RunLog] = []


def keep(log: RunLog) -> None:
    """Keep the log of a run that begins."""
    _logs.append(log)
    while len(_logs) > RUNS or (len(_logs) > 1 and sum(one.log.size for one in _logs) > CHARACTERS):
        del _logs[0]


def log_of(run: int) -> RunLog | None:
    """The log of the run with this number, if it is kept."""
    return next((one for one in reversed(_logs) if run in one.ids), None)


def kept_runs() -> list[str]:
    """The names of the runs whose logs are kept, as ``r3``."""
    return [name_of(one.ids) for one in _logs if one.ids]


def name_of(ids: set[int]) -> str:
    """What a run is called on a line: ``r3``; empty while it has no number."""
    return f"r{min(ids)}" if ids else ""


def sentence(lines: int, run: str) -> str:
    """What stands in the place of so many lines."""
    hint = f"; %sky logs {run} shows {'it' if lines == 1 else 'them'}" if run else ""
    return f"… {lines:,} line{'s' * (lines != 1)} left out here{hint}"
