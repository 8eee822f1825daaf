"""Which pool and which of its nodes a line of a magic means."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from skyward_jupyter.api import others
from skyward_jupyter.api.named import pool_of
from skyward_jupyter.errors import NoPool, UsageError
from skyward_jupyter.notebook import plan, ranks
from skyward_jupyter.notebook.at_hand import NAME, AtHand
from skyward_jupyter.notebook.options import CellOptions
from skyward_jupyter.notebook.ranks import Selection
from skyward_jupyter.profiles.profile import Profile

if TYPE_CHECKING:
    from skyward_jupyter.api.pool import ComputePool
    from skyward_jupyter.config import Skyward

type Pool = ComputePool


def running() -> tuple[Pool, ...]:
    """The pools that run, oldest first."""
    from skyward_jupyter.api import registry

    return registry.pools()


def find(name: str | None) -> Pool:
    """The pool of this name, or the active one; raises NoPool, saying what there is."""
    from skyward_jupyter.api import registry

    pools = running()
    if name is not None:
        for pool in pools:
            if pool.name == name:
                return pool
        raise NoPool(_no_such(name, [pool.name for pool in pools]))
    if not pools:
        raise NoPool(
            f"there is no pool: start one with %sky start --nodes 4, or give --nodes 4 to the cell{others.left_here()}"
        )
    return registry.pool()


async def for_cell(options: CellOptions, settings: Skyward, at_hand: AtHand) -> Pool:
    """The pool a cell runs on, started if there is none, grown if it may; raises UsageError when it stays too small.

    A pool that is started here, or that `--nodes` asks for, is bound to the name `pool`, unless the cell binds that.
    """
    wanted = options.nodes or 0
    if options.pool is None and not running():
        planned = plan.whole(Profile(nodes=options.nodes), settings)
        if planned.nodes is None and planned.provider != "ssh":
            find(None)
        pool = await start(planned)
        _have_at_hand(pool, options, at_hand)
        return pool
    pool = find(options.pool)
    pool._inner.check()
    if pool.state == "starting":
        await pool.start_async()
    await _grow(pool, wanted)
    if options.nodes and pool is find(None):
        _have_at_hand(pool, options, at_hand)
    return pool


def _have_at_hand(pool: Pool, options: CellOptions, at_hand: AtHand) -> None:
    if NAME not in (*options.out, options.into):
        at_hand.bind(pool)


async def _grow(pool: Pool, wanted: int) -> None:
    """Have the nodes a cell asks for, and at least one; a pool that may not have so many stays as it is."""
    if pool.bounds is None:
        if wanted > pool.size:
            raise _too_small(pool, wanted)
        return
    if wanted > pool.bounds[1]:
        raise _too_small(pool, wanted)
    if max(wanted, 1) > len(pool._inner.ranks):
        await pool.scale_async(max(wanted, pool.size, 1))


async def start(wanted: Profile) -> Pool:
    """Start a pool as it is wanted."""
    from skyward_jupyter.api.pool import ComputePool

    pool = pool_of(wanted, ComputePool)
    await pool.start_async()
    return pool


def _too_small(pool: Pool, wanted: int) -> UsageError:
    if pool.bounds is not None:
        return UsageError(
            f"--nodes {wanted}: pool {pool.name} grows to {pool.bounds[1]} nodes at most; nothing was run: "
            "ask for fewer nodes, or start a pool that may have more"
        )
    return UsageError(
        f"--nodes {wanted}: pool {pool.name} has {pool.size} node{'s' * (pool.size != 1)} and does not grow by itself; "
        f"nothing was run: use %sky scale {wanted} first, or fewer nodes"
    )


def select(pool: Pool, options: CellOptions) -> list[int]:
    """The nodes a cell runs on, ascending; raises UnknownNode.

    With ``--nodes N`` the cell sees the first N nodes of a larger pool.
    """
    return _of(pool, list(pool._inner.ranks)[: options.nodes or None], options.on)


def chosen(pool: Pool, selection: Selection) -> list[int]:
    """The nodes of a pool that are selected, ascending; raises UnknownNode."""
    return _of(pool, list(pool._inner.ranks), selection)


def _of(pool: Pool, present: list[int], selection: Selection) -> list[int]:
    match selection.kind:
        case "all":
            return present
        case "head":
            return present[:1]
        case "any":
            return [_free(pool, present)]
    return ranks.selected(selection, present)


def _free(pool: Pool, present: list[int]) -> int:
    """The node that does least, then the one that did least."""
    nodes = [node for node in pool.nodes if node.rank in present]
    return int(min(nodes, key=lambda node: (bool(node.lacks), node.running, node.done, node.rank)).rank)


def _no_such(name: str, names: list[str]) -> str:
    if not names:
        return f"there is no pool {name!r}, and no other: start it with %sky start --name {name} --nodes 4"
    close = difflib.get_close_matches(name, names, n=1)
    advice = f"did you mean {close[0]}?" if close else f"there {'is' if len(names) == 1 else 'are'} {', '.join(names)}"
    return f"there is no pool {name!r}; {advice}"
