"""The preloaders of one template: started, given up and replaced, one for each kind of slot that pools have.

The template is never held up: while libraries are imported it serves as ever. Slots wait for that for `PATIENCE`
seconds; on a busy machine for longer, as long as the import goes on and has not had so much of a core. A library that
fails, ends the process or takes longer than `LIMIT` is refused, with the reason, and the others are imported in another
process. What was refused for want of memory or time is tried again a few times, with longer and longer pauses and while
nobody waits for it; one that could not be imported, once something was installed. A preloader whose libraries were
upgraded meanwhile is replaced too.
"""

from __future__ import annotations

import os
import select
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skyward_jupyter.agent.channel import Channel, Message
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.endings import kill_group
from skyward_jupyter.agent.launch import FORK, kill
from skyward_jupyter.agent.preload import Libraries, Refusal
from skyward_jupyter.agent.preloader import start_preloader
from skyward_jupyter.agent.stamps import Stamp, changes, is_current
from skyward_jupyter.agent.surroundings import Surroundings

#: Seconds that slots wait for imports, and that the import of one library may take.
PATIENCE, LIMIT = 5.0, 60.0
#: How often it is looked whether one goes on that takes longer than slots wait (seconds).
_LOOK = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")
#: Seconds that a preloader may take to fork a slot.
_FORKED_WITHIN = 10.0
#: How many kinds of slots are kept ready.
_KEPT = 3
#: The pauses before what was refused for want of memory or time is tried again (seconds).
PAUSES = (5.0, 30.0, 120.0, 600.0)
#: Seconds that a process may take to end whose connection has ended.
_ENDED_WITHIN = 0.2
#: What stands for the start of a preloader among what is tried again.
_START = ""


@dataclass(slots=True, eq=False)
class Preloader:
    """A preloader process: what it was to import, what it imports now, and what of that was there."""

    pid: int
    channel: Channel
    libraries: Libraries
    library: str = ""
    stamps: list[Stamp] = field(default_factory=list)
    until: float = 0.0


@dataclass(slots=True, eq=False)
class Shelf:
    """The preloaders for slots of one kind.

    Attributes
    ----------
    surroundings, chosen
        What its slots see, and the libraries that were asked for by name; None for those that kernels import.
    wanted, refused
        What is to be imported, and what will not be, with the reason.
    serving, candidate
        The preloader that slots are forked from, and one that still imports.
    until
        When slots stop waiting for the candidate (monotonic seconds); 0 when they do not.
    tries, again
        How often something was refused that is tried again, and when that is due (monotonic seconds), by library.
    missing
        The libraries that could not be imported, with what the folders of the path were like then.
    """

    surroundings: Surroundings
    chosen: tuple[str, ...] | None
    wanted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    serving: Preloader | None = None
    candidate: Preloader | None = None
    until: float = 0.0
    tries: dict[str, int] = field(default_factory=dict)
    again: dict[str, float] = field(default_factory=dict)
    missing: dict[str, object] = field(default_factory=dict)

    def refuse(self, library: str, refusal: Refusal) -> None:
        """Do without a library, for good or until it is tried again."""
        self.refused[library] = refusal.why
        if refusal.missing:
            self.missing[library] = changes(self.surroundings.paths)
        if refusal.passing:
            self.try_again(library)

    def try_again(self, what: str) -> None:
        """Try something again after a pause, unless that was done often enough."""
        count = self.tries[what] = self.tries.get(what, 0) + 1
        if count <= len(PAUSES):
            self.again[what] = time.monotonic() + PAUSES[count - 1]

    def due(self) -> bool:
        """Let go of the refusals that are to be tried again now; returns whether there is anything to try."""
        due = [what for what, at in self.again.items() if time.monotonic() >= at]
        for what in due:
            del self.again[what]
            self.refused.pop(what, None)
        return bool(due)

    def installed(self) -> bool:
        """Let go of the refusals of what could not be imported and may have been installed since."""
        if not self.missing:
            return False
        now = changes(self.surroundings.paths)
        found = [name for name, then in self.missing.items() if then != now]
        for name in found:
            del self.missing[name]
            self.refused.pop(name, None)
        return bool(found)

    @property
    def libraries(self) -> dict[str, tuple[str, ...]]:
        """What is wanted and not refused."""
        return {name: modules for name, modules in self.wanted.items() if name not in self.refused}

    @property
    def loaded(self) -> tuple[str, ...]:
        """The libraries that its slots are born with."""
        return tuple(self.serving.libraries) if self.serving is not None else ()

    @property
    def holds_up(self) -> bool:
        """Whether sessions, and tasks that use what is imported, should wait for it."""
        return self.candidate is not None and self.until > 0

    @property
    def awaited(self) -> tuple[str, ...]:
        """The libraries that are worth waiting for: not those that slots are born with now."""
        if self.candidate is None or not self.holds_up:
            return ()
        has = self.serving.libraries if self.serving is not None else {}
        return tuple(name for name in self.candidate.libraries if name not in has)


class Stock:
    """All of them.

    Parameters
    ----------
    selector
        Where the template waits; a `Preloader` is the data of what there is to `serve`.
    mark
        Called with the process id of a preloader before it has started anything.
    changed
        Called with a shelf whose libraries are others now.
    over
        Called with the process id of a preloader that is to have ended, with whatever it has started.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        mark: Callable[[int], None],
        changed: Callable[[Shelf], None],
        over: Callable[[int], None],
    ) -> None:
        self._selector = selector
        self._mark = mark
        self._changed = changed
        self._over = over
        self._shelves: list[Shelf] = []

    def shelf(self, surroundings: Surroundings, chosen: tuple[str, ...] | None) -> Shelf | None:
        """Return the shelf of a kind of slots, if there is one."""
        found = (it for it in self._shelves if it.chosen == chosen and it.surroundings == surroundings)
        return next(found, None)

    def want(self, surroundings: Surroundings, chosen: tuple[str, ...] | None, libraries: Libraries) -> Shelf | None:
        """Have slots of this kind be born with `libraries` too, as soon as that may be; None where nothing forks."""
        if not FORK:
            return None
        shelf = self.shelf(surroundings, chosen)
        if shelf is None:
            shelf = Shelf(surroundings, chosen)
        else:
            self._shelves.remove(shelf)
        self._shelves.append(shelf)  # the last is the one that was wanted last
        for name, modules in libraries.items():
            shelf.wanted[name] = tuple(dict.fromkeys((*shelf.wanted.get(name, ()), *modules)))
        self._restock(shelf)
        for old in self._shelves[:-_KEPT]:
            self._clear(old)
        return shelf

    def launch(self, shelf: Shelf, config: AgentConfig, label: str, fds: Sequence[int], sockets: int) -> int:
        """Fork a slot from what serves a shelf; returns its process id, 0 where there is no preloader.

        Raises
        ------
        OSError
            The system has no room for it.
        """
        serving = shelf.serving
        if serving is None:
            return 0
        request = {"op": "slot", "config": config.to_json(), "label": label, "sockets": sockets}
        try:
            serving.channel.send(request, tuple(fds))
            answer = _answer(serving.channel)
        except OSError:
            answer = None
        if answer is None:
            self._give_up(shelf, serving)
            return 0
        if answer["op"] == "failed":
            raise OSError(answer["errno"], os.strerror(answer["errno"]))
        return int(answer["pid"])

    def freshen(self, shelf: Shelf) -> None:
        """Replace what would give slots another version of a library than the one that is installed."""
        serving = shelf.serving
        outdated = serving is not None and not all(map(is_current, serving.stamps))
        if serving is not None and outdated:
            self._give_up(shelf, serving)
        if shelf.installed() or outdated:
            self._restock(shelf)

    def serve(self, preloader: Preloader) -> None:
        """Take in what a preloader says."""
        shelf = self._of(preloader)
        if shelf is None:
            return  # it was given up a moment ago
        received = preloader.channel.receive()
        for message, _ in received or ():
            match message["op"]:
                case "begin":
                    preloader.library, preloader.until = message["library"], time.monotonic() + LIMIT
                case "refused":
                    refusal = Refusal(message["why"], message["passing"], message["missing"])
                    shelf.refuse(message["library"], refusal)
                case "ready":
                    self._ready(shelf, preloader, message["stamps"])
        if received is None:
            self._ended(shelf, preloader)

    def wait(self) -> float | None:
        """Return the seconds until `due` has something to do; None while nothing is imported."""
        times = [it.candidate.until for it in self._shelves if it.candidate is not None]
        times += [it.until for it in self._shelves if it.holds_up]
        times += [at for it in self._shelves if it.candidate is None for at in it.again.values()]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def due(self) -> None:
        """Refuse the libraries whose import takes too long, and let slots wait on for those that go on."""
        now = time.monotonic()
        for shelf in list(self._shelves):
            candidate = shelf.candidate
            if candidate is None:
                if shelf.due():
                    self._restock(shelf, patience=0.0)
                continue
            if now >= candidate.until:
                # One that did nothing all the time may have waited for others, one that did has had its time.
                why = f"its import takes longer than {LIMIT:g} s"
                shelf.refuse(candidate.library, Refusal(why, passing=_had(candidate.pid) < LIMIT / 2))
                self._ended(shelf, candidate)
            elif shelf.until and now >= shelf.until:
                shelf.until = now + _LOOK if _works(candidate.pid) else 0.0
                if not shelf.until:
                    self._changed(shelf)

    def _restock(self, shelf: Shelf, patience: float = PATIENCE) -> None:
        """Start a preloader where something is wanted that slots are not born with yet.

        What needs it waits for so many seconds.
        """
        libraries = shelf.libraries
        has = shelf.serving.libraries if shelf.serving is not None else {}
        lacking = [name for name, modules in libraries.items() if name not in has or set(modules) - set(has[name])]
        if shelf.candidate is not None or not lacking:
            return
        try:
            sock, pid = start_preloader(shelf.surroundings, libraries)
        except OSError:
            shelf.try_again(_START)  # there is no room for it: slots import for themselves meanwhile
            return
        shelf.tries.pop(_START, None)
        self._mark(pid)
        preloader = Preloader(pid, Channel(sock), libraries, next(iter(libraries)), until=time.monotonic() + LIMIT)
        self._selector.register(preloader.channel, selectors.EVENT_READ, preloader)
        shelf.candidate = preloader
        if patience:
            shelf.until = shelf.until or time.monotonic() + patience

    def _ready(self, shelf: Shelf, preloader: Preloader, stamps: list[Stamp]) -> None:
        preloader.stamps = stamps
        former, shelf.serving, shelf.candidate, shelf.until = shelf.serving, preloader, None, 0.0
        if former is not None:
            self._end(former)
        self._restock(shelf)  # with what has been wanted since
        self._changed(shelf)

    def _ended(self, shelf: Shelf, preloader: Preloader) -> None:
        """A preloader is gone, or is to be: what it imported at the time is why, unless it has said something else."""
        importing = preloader is shelf.candidate
        if importing and preloader.library not in shelf.refused:
            killed = _was_killed(preloader.pid)
            why = "its process was killed" if killed else "its import ends the process"
            shelf.refuse(preloader.library, Refusal(why, passing=killed))
        self._give_up(shelf, preloader)
        if importing:
            self._restock(shelf)
            if shelf.candidate is None:
                shelf.until = 0.0
            self._changed(shelf)
        else:
            self._restock(shelf)

    def _give_up(self, shelf: Shelf, preloader: Preloader) -> None:
        if preloader is shelf.candidate:
            shelf.candidate = None
        elif preloader is shelf.serving:
            shelf.serving = None
        self._end(preloader)

    def _end(self, preloader: Preloader) -> None:
        self._selector.unregister(preloader.channel)
        preloader.channel.close()
        kill_group(preloader.pid)
        kill(preloader.pid)
        self._over(preloader.pid)

    def _clear(self, shelf: Shelf) -> None:
        self._shelves.remove(shelf)
        for preloader in (shelf.candidate, shelf.serving):
            if preloader is not None:
                self._give_up(shelf, preloader)

    def _of(self, preloader: Preloader) -> Shelf | None:
        return next((it for it in self._shelves if preloader in (it.candidate, it.serving)), None)


def _was_killed(pid: int) -> bool:
    """Return whether a process that ends was killed, as by a system that has no memory left; it is not reaped."""
    try:
        ends = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not select.select([ends], [], [], _ENDED_WITHIN)[0]:
            return False
        how = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        return False
    finally:
        os.close(ends)
    return how is not None and (how.si_code, how.si_status) == (os.CLD_KILLED, signal.SIGKILL)


def _works(pid: int) -> bool:
    """Return whether an import goes on: the process, or the child that tries it, would run or reads a disk.

    One that has had a core for twice as long as slots wait is not worth more of their time.
    """
    states, ticks = _doing(pid)
    return bool({"R", "D"} & set(states)) and ticks < 2 * PATIENCE


def _had(pid: int) -> float:
    """Return for how many seconds a process, and the child that tries its import, have had a core."""
    return _doing(pid)[1]


def _doing(pid: int) -> tuple[list[str], float]:
    """Return the states of a process and its children, and for how many seconds they have had a core."""
    states, ticks = [], 0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (str(pid), *children):
            state, *numbers = Path(f"/proc/{each}/stat").read_text().rpartition(") ")[2].split()
            states.append(state)
            ticks += int(numbers[10]) + int(numbers[11])
    except OSError:
        return [], 0.0
    return states, ticks / _TICKS


def _answer(channel: Channel) -> Message | None:
    """Return what a preloader answers; None when it is gone, or does not answer in time."""
    until = time.monotonic() + _FORKED_WITHIN
    while select.select([channel], [], [], max(0.0, until - time.monotonic()))[0]:
        received = channel.receive()
        if received is None:
            return None
        for message, _ in received:
            return message
    return None
