"""The preloaders of one template: started, given up and replaced, one for each kind of slot that pools have.

The template is never held up: while libraries are imported it serves as ever. Slots wait for that for `PATIENCE`
seconds; on a busy machine for longer, as long as the import goes on and has not had so much of a core. A library that
fails, ends the process or takes longer than `LIMIT` is refused, with the reason, and the others are imported in another
process. A preloader whose libraries were upgraded meanwhile is replaced too.
"""

from __future__ import annotations

import os
import select
import selectors
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skyward_jupyter.agent.channel import Channel, Message
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.launch import FORK, kill, kill_group
from skyward_jupyter.agent.preload import Libraries
from skyward_jupyter.agent.preloader import is_current, start_preloader
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


@dataclass(slots=True, eq=False)
class Preloader:
    """A preloader process: what it was to import, what it imports now, and what of that was there."""

    pid: int
    channel: Channel
    libraries: Libraries
    library: str = ""
    stamps: dict[str, list[object]] = field(default_factory=dict)
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
    """

    surroundings: Surroundings
    chosen: tuple[str, ...] | None
    wanted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    serving: Preloader | None = None
    candidate: Preloader | None = None
    until: float = 0.0

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
        if serving is not None and not all(is_current(stamp) for stamp in serving.stamps.values()):
            self._give_up(shelf, serving)
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
                    shelf.refused[message["library"]] = message["why"]
                case "ready":
                    self._ready(shelf, preloader, message["stamps"])
        if received is None:
            self._ended(shelf, preloader)

    def wait(self) -> float | None:
        """Return the seconds until `due` has something to do; None while nothing is imported."""
        times = [it.candidate.until for it in self._shelves if it.candidate is not None]
        times += [it.until for it in self._shelves if it.holds_up]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def due(self) -> None:
        """Refuse the libraries whose import takes too long, and let slots wait on for those that go on."""
        now = time.monotonic()
        for shelf in list(self._shelves):
            candidate = shelf.candidate
            if candidate is None:
                continue
            if now >= candidate.until:
                shelf.refused[candidate.library] = f"its import takes longer than {LIMIT:g} s"
                self._ended(shelf, candidate)
            elif shelf.until and now >= shelf.until:
                shelf.until = now + _LOOK if _works(candidate.pid) else 0.0
                if not shelf.until:
                    self._changed(shelf)

    def _restock(self, shelf: Shelf) -> None:
        """Start a preloader where something is wanted that slots are not born with yet."""
        libraries = shelf.libraries
        has = shelf.serving.libraries if shelf.serving is not None else {}
        lacking = [name for name, modules in libraries.items() if name not in has or set(modules) - set(has[name])]
        if shelf.candidate is not None or not lacking:
            return
        try:
            sock, pid = start_preloader(shelf.surroundings, libraries)
        except OSError:
            return  # there is no room for it: slots import for themselves, and it is tried when something is wanted
        self._mark(pid)
        preloader = Preloader(pid, Channel(sock), libraries, next(iter(libraries)), until=time.monotonic() + LIMIT)
        self._selector.register(preloader.channel, selectors.EVENT_READ, preloader)
        shelf.candidate = preloader
        shelf.until = shelf.until or time.monotonic() + PATIENCE

    def _ready(self, shelf: Shelf, preloader: Preloader, stamps: dict[str, list[object]]) -> None:
        preloader.stamps = stamps
        former, shelf.serving, shelf.candidate, shelf.until = shelf.serving, preloader, None, 0.0
        if former is not None:
            self._end(former)
        self._restock(shelf)  # with what has been wanted since
        self._changed(shelf)

    def _ended(self, shelf: Shelf, preloader: Preloader) -> None:
        """A preloader is gone, or is to be: what it imported at the time is why, unless it has said something else."""
        importing = preloader is shelf.candidate
        self._give_up(shelf, preloader)
        if importing:
            shelf.refused.setdefault(preloader.library, "its import ends the process")
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


def _works(pid: int) -> bool:
    """Return whether an import goes on: the process, or the child that tries it, would run or reads a disk.

    One that has had a core for twice as long as slots wait is not worth more of their time.
    """
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        states, ticks = zip(*map(_doing, (str(pid), *children)), strict=True)
    except OSError:
        return False
    return bool({"R", "D"} & set(states)) and sum(ticks) / _TICKS < 2 * PATIENCE


def _doing(pid: str) -> tuple[str, int]:
    """Return the state of a process, and how much of a core it has had."""
    state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return state, int(numbers[10]) + int(numbers[11])


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
