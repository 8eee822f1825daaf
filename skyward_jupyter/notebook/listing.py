"""The pools there are, as text: this kernel's and those of others."""

from __future__ import annotations

import time
from collections.abc import Sequence

from skyward_jupyter.api import others
from skyward_jupyter.api.runs import PoolRun
from skyward_jupyter.notebook.pools import Pool, running
from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.providers.records import PoolRecord

_HEAD = ("name", "provider", "nodes", "state", "age", "cost", "held by")


def table(active: Pool | None) -> str:
    """Every pool, a line each; a sentence when there is none."""
    found, damaged = others.read()
    mine = [_mine(pool, pool is active) for pool in running()]
    here = {pool.key for pool in running() if pool.state != "taken"}
    rows = [*mine, *(_other(record) for record in found if record.key not in here and record.standing != "over")]
    body = columns([_HEAD, *rows]) if rows else ["no pool runs; start one with %sky start --nodes 4"]
    return "".join(f"{line}\n" for line in (*body, *damaged))


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


def news() -> list[str]:
    """What a kernel that loads the extension should know of pools that others left; what is over is removed."""
    found, _ = others.read()
    over = [f"pool {record.name} of a kernel that ended{_ago(record)} is over" for record in others.sweep(found)]
    left = [
        f"pool {record.name} ({nodes(record.size)}) of {_whose(record)} is still there: %sky attach {record.name} "
        f"takes it over, it ends in {spent(others.ends_in(record))}"
        for record in found
        if record.standing == "left"
    ]
    remains = [
        f"pool {record.name} has ended, but this could not be removed: {', '.join(record.left)}; the next pool that is "
        "started tries again"
        for record in found
        if record.standing == "remains"
    ]
    return over + left + remains


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


def _mine(pool: Pool, active: bool) -> tuple[str, ...]:
    holder = f"this kernel{', active' if active else ''}"
    age = spent(time.time() - pool.started)
    size = str(pool.size) if pool.bounds is None else "{} of {} to {}".format(pool.size, *pool.bounds)
    return pool.name, pool.provider.name, size, pool.state, age, str(pool.cost) or "free", holder


def _other(record: PoolRecord) -> tuple[str, ...]:
    age = spent(max(0.0, time.time() - record.created))  # another machine's clock may have written it
    return record.name, record.provider, str(record.size), record.state, age, record.cost, _holder(record)


def _holder(record: PoolRecord) -> str:
    match record.standing:
        case "held":
            return f"{record.holder.name} (alive)"
        case "ours":
            return f"this kernel, not attached: %sky attach {record.name}"
        case "remains":
            return f"nobody; still there: {', '.join(record.left)}"
        case "elsewhere":
            return f"{record.holder.name} on {record.holder.host}"
        case _:
            return f"nobody, ends in {spent(others.ends_in(record))}"


def _whose(record: PoolRecord) -> str:
    return "this kernel before its restart" if others.is_mine(record) else "a kernel that ended"


def _ago(record: PoolRecord) -> str:
    seconds = others.gone_for(record)
    return "" if seconds is None else f" {spent(seconds)} ago"
