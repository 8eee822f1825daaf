"""What one preparation of a machine says: told step by step, kept whole, and left in a file when it fails."""

from __future__ import annotations

import itertools
import re
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from skyward_jupyter.errors import BootstrapFailed
from skyward_jupyter.runtime.state import directory
from skyward_jupyter.ssh.script import Fact
from skyward_jupyter.ssh.steps import OnStep, Step

#: Lines that an error shows.
LAST = 15
#: Logs of failures that are kept: as many as machines fail together.
LOGS = 100
#: Lines of a log that are kept: of a longer one, its beginning is dropped.
LINES = 20_000
#: Characters of a command that a sentence has; the whole of it is told with what it wrote.
BRIEF = 60
#: With less than this (MiB), a disk counts as the reason.
SCARCE = 200


@dataclass(slots=True)
class Journal:
    """The steps of one machine; every text goes through `redact` before it is told or kept.

    Attributes
    ----------
    facts
        What the machine said, by what it is about; the last of each.
    gpus
        What it said of its GPUs, a line each.
    missing
        Hashes of contents that it lacks.
    """

    machine: str
    told: OnStep
    redact: Callable[[str], str]
    facts: dict[str, str] = field(default_factory=dict)
    gpus: list[str] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    _step: str = ""
    _since: float = 0.0
    _command: str = ""
    _last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST))
    _log: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))

    def start(self, step: str, command: str = "") -> None:
        """A step begins, or goes on with something else."""
        self._command = command
        if step == self._step:
            return
        self.done()
        self._step, self._since = step, time.monotonic()
        self._last.clear()
        self._log.append(f"== {step}")
        self._tell("started")

    def done(self) -> None:
        """The step is over."""
        if self._step:
            self._tell("done", seconds=time.monotonic() - self._since)
            self._step = ""

    def heard(self, fact: Fact) -> None:
        """Take in what the machine said of itself."""
        match fact.name:
            case "begin":
                self.start(fact.text)
            case "end":
                self.done()
            case "command":
                self._command = self.redact(fact.text)
                self._last.clear()
                self._log.append(f"$ {self._command}")
            case "line":
                self.line(fact.text)
            case "gpu":
                self.gpus.append(fact.text)
            case "missing":
                self.missing.add(fact.text)
            case _:
                self.facts[fact.name] = fact.text

    def line(self, text: str) -> None:
        """Take in a line that a tool wrote."""
        text = self.redact(text)
        self._last.append(text)
        self._log.append(text)
        self._tell("line", text)

    def cut(self, why: str) -> None:
        """The connection broke: the step is over, and all that the machine said is to be asked again."""
        if self._step:
            self._log.append(f"cut: {why}")
            self._tell("failed", why, time.monotonic() - self._since)
            self._step = ""
        self.facts.clear()
        self.gpus.clear()

    def failure(self, why: str = "", ended: int = 0) -> BootstrapFailed:
        """The error of the step that runs, or ran last; it is told as failed and its log is kept.

        Parameters
        ----------
        why
            A sentence; what the machine gave as the reason when empty.
        ended
            The status that the machine's shell ended with, which is the reason when it gave none.
        """
        step = self._step or next((line[3:] for line in reversed(self._log) if line.startswith("== ")), "look")
        why = self.redact(why or self._why(ended))
        self._log.append(f"failed: {why}")
        self._step = step
        self._tell("failed", why, time.monotonic() - self._since)
        self._step = ""
        return BootstrapFailed(self.machine, step, why, self._command, tuple(self._last), self._kept())

    def _why(self, ended: int) -> str:
        if "why" in self.facts:
            return self.facts["why"]
        if "status" not in self.facts:
            # A shell around it says so by a number above 128.
            signal = -ended if ended < 0 else max(ended - 128, 0)
            return f"its shell was ended by signal {signal}" if signal else f"its shell ended with status {ended}"
        why = f"`{_brief(self._command)}` ended with status {self.facts['status']}"
        free = self.facts.get("free", "")
        if free.isdigit() and int(free) < SCARCE * 1024:
            why += f"; only {int(free) // 1024} MiB are free there: make room on that disk"
        return why

    def _tell(self, state: Literal["started", "line", "done", "failed"], text: str = "", seconds: float = 0.0) -> None:
        self.told(Step(self.machine, self._step, state, text, seconds))

    def _kept(self) -> str:
        """Write the log to a private file and return its path; the oldest of too many go."""
        with suppress(OSError):
            folder = directory() / "logs"
            folder.mkdir(mode=0o700, exist_ok=True)
            for old in sorted(folder.glob("*.log"), key=_written)[: -(LOGS - 1)]:
                old.unlink(missing_ok=True)
            stamp = time.strftime("%Y%m%d-%H%M%S")
            path = folder / f"{stamp}-{re.sub(r'[^A-Za-z0-9.-]+', '-', self.machine)}-{time.monotonic_ns() % 10**6}.log"
            path.touch(mode=0o600)
            path.write_text("\n".join(self._log) + "\n")
            return str(path)
        return ""


def _brief(command: str) -> str:
    """A command in a sentence: of a long one, the program and what it is to do."""
    if len(command) <= BRIEF:
        return command
    program, *words = command.split()
    what = itertools.takewhile(lambda word: word.isalpha(), words[:3])
    return " ".join([program.rpartition("/")[2], *what, "…"])


def _written(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
