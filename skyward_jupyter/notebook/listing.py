"""The pools there are, as text: those of this notebook, and those of others when they are asked for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from skyward_jupyter.api import others
from skyward_jupyter.api.runs import PoolRun
from skyward_jupyter.notebook.pools import Pool, running
from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.providers import records
from skyward_jupyter.providers.records import PoolRecord

#: Seconds in which what is over is read.
_READ = 600.0
_HEAD = ("name", "provider", "nodes", "state", "age", "cost", "held by")
_NONE = "no pool runs; start one with %sky start --nodes 4"


def table(active: Pool | None, *, everyone: bool = False) -> str:
    """The pools of this notebook, or of everyone, a line each; a sentence when there is none."""
    found, damaged = others.read()
    ages = {record.key: record.age for record in found}
    here = {pool._inner.key for pool in running() if pool.state != "taken"}
    known = [record for record in found if record.key not in here and record.standing != "over"]
    listed = [record for record in known if everyone or _concerns_me(record)]
    theirs = {record.key for record in listed}
    own = [pool for pool in running() if pool._inner.key not in theirs]
    mine = [_mine(pool, ages.get(pool._inner.key), active=pool is active) for pool in own]
    rows = [*mine, *map(_other, listed)]
    body = (
        columns([_HEAD, *rows]) if rows else [_NONE if everyone else f"{_NONE}, or look for others: %sky pools --all"]
    )
    return "".join(f"{line}\n" for line in (*body, *damaged))


def _concerns_me(record: PoolRecord) -> bool:
    return others.is_mine(record) or record.standing == "ours"


def runs(pool: Pool) -> str:
    """The runs of a pool, a line each, and how to get at them; nothing when there is none."""
    found = pool.runs
    rows = [
        (
            f"runs[{at}]",
            run.what,
            spoken(run.nodes) if run.nodes else "-",
            run.state,
            f"{spent(time.time() - run.started)} ago",
            _calls(run),
        )
        for at, run in enumerate(found)
    ]
    lines = columns([("run", "what", "where", "state", "started", "calls"), *rows]) if rows else []
    if not any(row[-1] for row in rows):
        lines = [line.removesuffix("calls").rstrip() for line in lines]
    for at, run in enumerate(found):
        if lacking := len(run.unsent):
            lines.append(f"runs[{at}]: {lacking} calls never left their kernel and have not run; .unsent says which")
    return "".join(f"{line}\n" for line in lines)


def _calls(run: PoolRun) -> str:
    """What became of its calls; nothing to say of one that runs or has ended, and of several that do as one."""
    counts = run.counts
    return str(counts) if counts.gone or counts.unsent or len(run.nodes) < counts.calls else ""


def news() -> tuple[list[str], float]:
    """What there is to know of pools that this notebook's former kernels left, and the seconds for which it is so.

    What is over is removed, whoever left it.
    """
    found, _ = others.read()
    gone = [(record, _ago(record)) for record in found if record.standing == "over"]
    swept = {record.key for record in others.sweep(found)}
    found = [record for record in found if others.is_mine(record)]
    over = [
        f"pool {record.name} of {_called(record)} is over{ago and f', its kernel ended{ago}'}"
        for record, ago in gone
        if record.key in swept and others.is_mine(record)
    ]
    there = [record for record in found if record.standing == "left"]
    left = [
        f"pool {record.name} ({nodes(record.size)}) of {_called(record)} is still there: %sky attach {record.name} "
        f"takes it over, it ends in {spent(record.ends_in)}"
        for record in there
    ]
    remains = [
        f"pool {record.name} has ended, but this could not be removed: {', '.join(record.left)}; the next pool that is "
        "started tries again"
        for record in found
        if record.standing == "remains"
    ]
    return over + left + remains, min([_READ, *(max(1.0, record.ends_in) for record in there)])


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, each column as wide as its widest cell."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def nodes(count: int) -> str:
    """``1 node``, ``4 nodes``."""
    return f"{count} node{'s' if count != 1 else ''}"


def spent(seconds: float) -> str:
    """A duration, rounded so that one number says it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 100:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 60 * 48 else f"{minutes / 60 / 24:.0f} days"


def _mine(pool: Pool, since: float | None, *, active: bool) -> tuple[str, ...]:
    holder = f"{_here()}{', active' if active else ''}" if pool.state != "taken" else "another one, which took it over"
    age = spent(max(0.0, time.time() - pool._inner.started) if since is None else since)
    size = str(pool.size) if pool.bounds is None else "{} of {} to {}".format(pool.size, *pool.bounds)
    return pool.name, pool.provider.name, size, pool.state, age, str(pool.cost) or "free", holder


def _other(record: PoolRecord) -> tuple[str, ...]:
    return record.name, record.provider, str(record.size), record.state, spent(record.age), record.cost, _holder(record)


def _holder(record: PoolRecord) -> str:
    match record.standing:
        case "held":
            return f"{_called(record)} (alive)"
        case "ours":
            return f"{_here()}, not attached: %sky attach {record.name}"
        case "remains":
            return f"nobody; still there: {', '.join(record.left)}"
        case "elsewhere":
            return f"{_called(record)} on {record.holder.host}"
        case _:
            return f"nobody, ends in {spent(record.ends_in)}; left by {_called(record)}"


def _called(record: PoolRecord) -> str:
    """Who has or had a pool; of two notebooks of one name, that of the other folder is named with its folder."""
    here, holder = records.me(), record.holder
    if holder.was_me and not holder.notebook:
        return "this kernel before its restart"
    if holder.was_me and record.standing == "held":
        return f"another kernel of {holder.name}"
    if holder.notebook and holder.name == here.name and holder.notebook != here.notebook:
        return str(Path(Path(holder.notebook).parent.name, holder.name))
    return holder.name


def _here() -> str:
    here = records.me()
    if here.notebook:
        return f"this notebook, {here.name}"
    return "this kernel" if here.kernel else "this process"


def _ago(record: PoolRecord) -> str:
    seconds = record.left_for
    return "" if seconds is None else f" {spent(seconds)} ago"
