"""``%sky restart``: fresh sessions or nodes, and what went with those before."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook import pools, ranks
from skyward_jupyter.notebook.options import RESTART, parse
from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.notebook.sending import Held
from skyward_jupyter.notebook.state import Notebook
from skyward_jupyter.runtime.bridge import wait
from skyward_jupyter.runtime.writing import put


def restart(notebook: Notebook, line: str) -> None:
    """Have fresh sessions on the nodes that the line names, on all when it names none."""
    given, words = parse(line, RESTART, "%sky restart")
    if len(words) > 1:
        raise UsageError(f"%sky restart takes one word at most, node numbers as in 0,2,4-6, not {' '.join(words)!r}")
    pool = pools.find(given.get("pool"))
    selection = ranks.parse(words[0], "%sky restart") if words else ranks.ALL
    chosen = pools.chosen(pool, selection)
    started = time.monotonic()
    whole = bool(given.get("node"))
    said = wait(_restart(notebook, pool, chosen, whole=whole), "a cell of its own that begins with %%sky")
    what = f"{spoken(chosen)} started anew" if whole else f"fresh sessions on {spoken(chosen)}"
    text = f"pool {pool.name}: {what} in {time.monotonic() - started:.1f} s"
    put("stdout", "".join(f"{sentence}\n" for sentence in [text, *said]), flush=False)


async def _restart(notebook: Notebook, pool: pools.Pool, chosen: list[int], *, whole: bool) -> list[str]:
    strange = pool._inner.strange_sessions.intersection(chosen)
    ended = [
        (run.what, sorted(set(run.nodes).intersection(chosen)))
        for run in pool.runs
        if run.state == "running" and run.in_sessions
    ]
    ledger = notebook.ledger(pool)
    lost = {rank: replace(ledger.held(rank)) for rank in chosen}
    absent: list[int] = []
    if whole:
        for rank in chosen:  # one after the other, so that collections have their copies
            await pool._inner.renew_node(rank)
    else:
        absent = await pool._inner.renew_sessions(chosen)
    for rank in chosen:
        ledger.forget(rank)
    said = [f"{what!r} was ended on {spoken(nodes)}" for what, nodes in ended if nodes]
    said += _gone(lost)
    if strange:
        said.append(f"{spoken(strange)}: what cells of the kernel before this one had bound is gone as well")
    if absent:
        said.append(f"{spoken(absent)}: no session yet; the next cell waits for it, %sky logs may say why")
    return said


def _gone(lost: Mapping[int, Held]) -> list[str]:
    """What was bound on the nodes, and what was sent there."""
    bound: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for rank, held in lost.items():
        if held.owned:
            bound[tuple(sorted(held.owned))].append(rank)
    said = [f"{spoken(nodes)}: gone is {_listed(names)}; run those cells again" for names, nodes in bound.items()]
    if sent := sorted({name for held in lost.values() for name in held.sent}):
        said.append(f"sent from here, and sent again as soon as a cell reads it: {_listed(sent)}")
    return said


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return f"{shown} and {len(names) - 20} others" if len(names) > 20 else shown
