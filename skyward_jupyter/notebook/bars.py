"""Progress bars of many nodes as one: what belongs together, how far all are, and who is ahead and who behind.

Bars of several nodes are one when the same place in the code made them. Memory is bounded: of bars that have ended the
last are kept, the others counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from os.path import commonprefix

from skyward_jupyter.notebook.ranks import label
from skyward_jupyter.wire.progress import Bar

#: How many bars are shown beside those that go on; twice as many are kept.
KEPT = 50
_WIDTH = 10
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_PREFIXES = ("", "k", "M", "G", "T", "P", "E")


@dataclass(slots=True)
class Group:
    """Bars that belong together, by node."""

    bars: dict[int, Bar] = field(default_factory=dict)

    @property
    def running(self) -> list[int]:
        """The nodes whose bar goes on."""
        return [rank for rank, bar in sorted(self.bars.items()) if bar.state == "running"]

    @property
    def sum(self) -> Bar:
        """All of them as one bar; its rate is that of those that go on, or what it was altogether."""
        bars = list(self.bars.values())
        first, running = bars[0], self.running
        totals = [bar.total for bar in bars if bar.total is not None]
        n, elapsed = sum(bar.n for bar in bars), max(bar.elapsed for bar in bars)
        rate = sum(speed(self.bars[rank]) for rank in running) if running else (n / elapsed if elapsed else 0.0)
        states = {bar.state for bar in bars}
        return replace(
            first,
            state=next(state for state in ("running", "failed", "stopped", "done", "gone") if state in states),
            n=n,
            total=sum(totals) if len(totals) == len(bars) else None,
            elapsed=elapsed,
            rate=rate or None,
            label=_common([bar.label for bar in bars]),
            note=first.note if len({bar.note for bar in bars}) == 1 else "",
        )

    @property
    def left(self) -> float | None:
        """Seconds until the last of them is through; None when nobody can tell."""
        times = [_left(self.bars[rank]) for rank in self.running]
        return max((time for time in times if time is not None), default=None) if None not in times else None

    @property
    def extremes(self) -> tuple[int, int] | None:
        """The slowest and the fastest node, while more than one is at it."""
        if len(self.bars) < 2 or not self.running:
            return None
        ordered = sorted(self.bars, key=lambda rank: (_mean(self.bars[rank]), -rank))
        return ordered[0], ordered[-1]

    def ended(self, state: str) -> list[int]:
        """The nodes whose bar ended so."""
        return sorted(rank for rank, bar in self.bars.items() if bar.state == state)


class Bars:
    """The bars of one cell.

    Attributes
    ----------
    version
        Grows with every change.
    texts
        Bars that code draws by other means: lines of text.
    """

    def __init__(self) -> None:
        self.version = 0
        self.hidden = 0
        self.texts: list[str] = []
        self._groups: dict[str, Group] = {}
        self._given_up: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._groups or self.texts)

    def take(self, node: int, bars: Iterable[Bar]) -> None:
        """A node tells of some of its bars."""
        for bar in bars:
            self.version += 1
            site, _, count = bar.key.rpartition("#")
            if site and int(count) <= self._given_up[site]:
                continue
            group = self._groups.setdefault(bar.key, Group())
            if bar.state == "gone":
                group.bars.pop(node, None)
            else:
                group.bars[node] = bar
            if not group.bars:
                del self._groups[bar.key]
        self._retire()

    def draw(self, texts: list[str]) -> None:
        """Set the bars that are text."""
        if texts != self.texts:
            self.texts = texts
            self.version += 1

    def end(self) -> None:
        """The cell has ended: what still seems to run was left by a node that could not say so."""
        for group in self._groups.values():
            for rank in group.running:
                group.bars[rank] = replace(group.bars[rank], state="stopped")
        self.version += 1

    def clear(self) -> None:
        """Forget them all."""
        self._groups.clear()
        self._given_up.clear()
        self.texts = []
        self.hidden = 0
        self.version += 1

    def groups(self) -> list[Group]:
        """What is shown, in the order it began: the last of them, and all that go on."""
        groups = list(self._groups.values())
        late = len(groups) - KEPT
        return [group for place, group in enumerate(groups) if place >= late or group.running]

    def lines(self, *, each: bool, labelled: bool) -> list[str]:
        """A line for each group, or for each bar of each node."""
        groups = self.groups()
        hidden = self.hidden + len(self._groups) - len(groups)
        lines = [f"… {hidden:,} bars not shown"] if hidden else []
        for group in groups:
            if each:
                lines += [line(Group({rank: bar}), labelled=labelled) for rank, bar in sorted(group.bars.items())]
            else:
                lines.append(line(group, labelled=labelled))
        return lines + self.texts

    def _retire(self) -> None:
        """Give up the oldest groups that have ended when there are too many; bars of theirs that come late, too."""
        while len(self._groups) > 2 * KEPT:
            key = next((key for key, group in self._groups.items() if not group.running), None)
            if key is None:
                return
            del self._groups[key]
            self.hidden += 1
            site, _, count = key.rpartition("#")
            if site:
                self._given_up[site] = max(self._given_up[site], int(count))


def speed(bar: Bar) -> float:
    """Steps per second at present."""
    return bar.rate if bar.rate is not None else _mean(bar)


def amount(value: float, bar: Bar) -> str:
    """A number of steps, as the bar wants it written."""
    if not bar.scale:
        return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2f}"
    place = 0
    while abs(value) >= 999.5 and place < len(_PREFIXES) - 1:
        value /= bar.divisor
        place += 1
    return f"{value:.{2 if value < 10 and place else 1 if value < 100 and place else 0}f}{_PREFIXES[place]}"


def pace(rate: float, bar: Bar) -> str:
    """A rate as people read it: seconds per step when it is slow."""
    if 0 < rate < 1 and not bar.scale:
        return f"{1 / rate:.2f} s/{bar.unit}"
    number = amount(rate, bar) if bar.scale or rate >= 10 else f"{rate:.1f}"
    return f"{number} {bar.unit}/s" if not bar.scale else f"{number}{bar.unit}/s"


def clock(seconds: float) -> str:
    """A length of time as tqdm writes it."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"


def facts(group: Group) -> Mapping[str, object]:
    """A group as a page wants it: everything written out, and shares to draw."""
    bar = group.sum
    extremes = group.extremes
    return {
        "key": bar.key,
        "ranks": label(group.bars)[1:-1],
        "label": bar.label,
        "note": bar.note,
        "state": bar.state,
        "share": _share(bar),
        "count": _count(bar),
        "elapsed": clock(bar.elapsed),
        "left": clock(group.left) if group.left is not None else "",
        "rate": pace(bar.rate, bar) if bar.rate else "",
        "slowest": [extremes[0], pace(_mean(group.bars[extremes[0]]), bar)] if extremes else None,
        "fastest": [extremes[1], pace(_mean(group.bars[extremes[1]]), bar)] if extremes else None,
        "endings": _endings(group),
        "nodes": [
            [rank, one.label, one.state, _share(one), _count(one), pace(speed(one), one) if speed(one) else ""]
            for rank, one in sorted(group.bars.items())
        ],
    }


def line(group: Group, *, labelled: bool, paced: bool = True) -> str:
    """A group as one line of text; one that is not `paced` says nothing of steps a second."""
    bar = group.sum
    head = f"{label(group.bars)} " if labelled else ""
    name = f"{bar.label}: " if bar.label else ""
    left = group.left if paced else None
    times = f"{clock(bar.elapsed)}<{clock(left)}" if left is not None else clock(bar.elapsed)
    parts = [times]
    if bar.rate and paced:
        parts.append(pace(bar.rate, bar))
    if extremes := group.extremes:
        for word, rank in zip(("slowest", "fastest"), extremes, strict=True):
            parts.append(f"{word} [{rank}] {pace(_mean(group.bars[rank]), bar)}")
    parts += [part for part in (bar.note, _endings(group)) if part]
    share = _share(bar)
    drawn = f"{100 * share:3.0f}%|{_drawn(share)}| " if share is not None else ""
    return f"{head}{name}{drawn}{_count(bar)} [{', '.join(parts)}]"


def _endings(group: Group) -> str:
    """Which bars did not come to their end, and how."""
    several = len(group.bars) > 1
    said = (("failed", "failed"), ("stopped", "unfinished"))
    return ", ".join(
        f"{words} on {label(ranks)}" if several else words for state, words in said if (ranks := group.ended(state))
    )


def _count(bar: Bar) -> str:
    if bar.total is None:
        return f"{amount(bar.n, bar)}{'' if bar.scale else ' '}{bar.unit}"
    return f"{amount(bar.n, bar)}/{amount(bar.total, bar)}"


def _share(bar: Bar) -> float | None:
    """How far it is, never quite 1 before it is; None when nobody knows how far it goes."""
    if not bar.total:
        return None
    share = min(max(bar.n / bar.total, 0.0), 1.0)
    return share if share == 1.0 else min(share, 0.994)


def _drawn(share: float) -> str:
    whole, eighth = divmod(int(share * _WIDTH * 8), 8)
    return ("█" * whole + (_EIGHTHS[eighth] if whole < _WIDTH else "")).ljust(_WIDTH)


def _mean(bar: Bar) -> float:
    return bar.n / bar.elapsed if bar.elapsed > 0 else 0.0


def _left(bar: Bar) -> float | None:
    rate = speed(bar)
    return (bar.total - bar.n) / rate if bar.total is not None and rate > 0 else None


def _common(labels: list[str]) -> str:
    """What all labels begin with; … stands for what differs."""
    first = commonprefix(labels)  # noqa: RUF071  of letters
    if all(one == first for one in labels):
        return first
    begin = first.rstrip("0123456789 ._-=#:[(/")
    return f"{begin} …" if begin else ""
