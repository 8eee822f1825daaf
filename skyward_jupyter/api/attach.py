"""Attaching to a pool that another kernel started: finding it, claiming it, and going on with it here."""

from __future__ import annotations

import difflib
import json
from typing import cast

from skyward_jupyter.api import others, registry
from skyward_jupyter.api.pool import ComputePool
from skyward_jupyter.api.spec import Worker, nodes_again
from skyward_jupyter.errors import NoPool, PoolHeld, UsageError
from skyward_jupyter.providers import records
from skyward_jupyter.providers.base import Provider
from skyward_jupyter.providers.catalog import provider_again
from skyward_jupyter.providers.records import PoolRecord
from skyward_jupyter.runtime.bridge import bridge, wait
from skyward_jupyter.terminal.mode import Mode


def attach(name: str | None = None, *, force: bool = False) -> ComputePool:
    """Go on with a pool whose kernel has ended, and make it the active one.

    Its nodes keep their numbers, what ``%%sky`` cells bound there, and what runs on them; see `ComputePool.runs`.

    Parameters
    ----------
    name
        Which one; may be left out when there is only one.
    force
        Take it over although its kernel is alive; that one cannot use it any more.

    Raises
    ------
    NoPool
        There is no such pool, or it has ended.
    PoolHeld
        Another kernel that is alive drives it.
    """
    return wait(attach_async(name, force=force), "await sky.attach_async(name)")


async def attach_async(name: str | None = None, *, force: bool = False) -> ComputePool:
    """`attach`, to await."""
    return await bridge(_attach(name, force))


async def _attach(name: str | None, force: bool) -> ComputePool:
    for pool in registry.pools():
        if pool.name == name and pool.state in ("starting", "ready"):
            await pool.start_async()
            registry.add(pool)
            return pool
    found = _choose(name, force)
    if any(pool.name == found.name and pool.state != "taken" for pool in registry.pools()):
        raise UsageError(
            f"this kernel has a pool named {found.name!r} of its own; stop it before you attach to another"
        )
    try:
        claimed = records.claim(found.key, records.me(), force=force)
    except OSError as error:
        raise PoolHeld(f"pool {found.name} cannot be taken over, its record cannot be written: {error}") from None
    if claimed is None:
        raise _refused(found)
    pool = _again(claimed)
    if not await pool._inner.attach_to(claimed):
        if others.clear(claimed):
            raise NoPool(_ended(claimed))
        raise _refused(claimed)
    return pool


def _again(record: PoolRecord) -> ComputePool:
    """The pool of a record, as it was made."""
    terms = record.terms
    return ComputePool(
        nodes_again(terms, record.size),
        name=record.name,
        worker=Worker(record.concurrency, record.executor),
        ttl=record.ttl,
        timeout=terms.patience,
        panel=cast(Mode, terms.panel),
        retries=terms.retries,
        max_retries=terms.max_retries,
        preload=terms.preload,
        provider=_provider(record),
        _share=record.share,
    )


def _provider(record: PoolRecord) -> Provider:
    facts = json.loads(record.places)["facts"] if record.provider != "local" else {}
    return provider_again(record.provider, facts)


def _choose(name: str | None, force: bool) -> PoolRecord:
    found, _ = others.read()
    others.sweep(found)
    here = {pool._inner.key for pool in registry.pools() if pool.state != "taken"}
    wanted = [record for record in found if record.key not in here and name in (None, record.name, record.key)]
    free = [record for record in wanted if record.standing in ("left", "ours")]
    mine = [record for record in free if others.is_mine(record)]
    held = [record for record in wanted if record.standing == "held"]
    for group in (mine, free, held if name is not None else []):
        if len(group) == 1:
            return _unless_held(group[0], force)
        if group:
            raise NoPool(f"there are several pools to attach to: {_names(group)}; say which, as %sky attach NAME")
    raise NoPool(_none(name, found))


def _unless_held(record: PoolRecord, force: bool) -> PoolRecord:
    if record.standing == "held" and not force:
        raise _refused(record)
    return record


def _refused(record: PoolRecord) -> PoolHeld | NoPool:
    """Why a pool cannot be had: somebody has it, or it is over."""
    now = records.find(record.key)
    if now is None:
        return NoPool(_ended(record))
    return PoolHeld(
        f"pool {record.name} is driven by {now.holder.name}, which is alive: stop it there, or take it over with "
        f"%sky attach {record.name} --force"
    )


def _none(name: str | None, found: list[PoolRecord]) -> str:
    for record in found:
        if name in (record.name, record.key):
            where = f"it runs on {record.holder.host}, attach to it there"
            return f"pool {record.name}: {where}" if record.standing == "elsewhere" else _ended(record)
    there = [record for record in found if record.standing in ("left", "held")]
    if name is None:
        held = (
            f"; {_names(there)} {'is' if len(there) == 1 else 'are'} driven by kernels that are alive" if there else ""
        )
        return f"no kernel left a pool to attach to{held}"
    close = difflib.get_close_matches(name, [record.name for record in there], n=1)
    advice = f"did you mean {close[0]}?" if close else f"there is {_names(there) or 'none'}"
    return f"there is no pool {name!r} to attach to; {advice}"


def _ended(record: PoolRecord) -> str:
    return f"pool {record.name} has ended with its kernel: its nodes wait {record.ttl:g} s for another one"


def _names(found: list[PoolRecord]) -> str:
    names = [record.name for record in found]
    return ", ".join(record.name if names.count(record.name) == 1 else record.key for record in found)
