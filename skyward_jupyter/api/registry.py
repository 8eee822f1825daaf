"""The pools of this process: the active one, and the others by name."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from typing import TYPE_CHECKING

from skyward_jupyter.errors import NoPool, SkywardError
from skyward_jupyter.runtime.bridge import runtime
from skyward_jupyter.runtime.forks import forget_in_child, forked
from skyward_jupyter.runtime.restarts import restarting

if TYPE_CHECKING:
    from skyward_jupyter.api.pool import ComputePool

_pools: dict[str, ComputePool] = {}
_watchers: list[Callable[[], None]] = []


def add(made: ComputePool) -> None:
    """Make a pool that starts the active one."""
    if not _pools:
        atexit.register(_close_all)
    _pools.pop(made.name, None)
    _pools[made.name] = made
    _show()


def use(made: ComputePool) -> None:
    """Make a pool that runs the active one."""
    if made.name in _pools:
        _pools[made.name] = _pools.pop(made.name)
        _show()


def remove(made: ComputePool) -> None:
    """A pool is over."""
    if _pools.get(made.name) is made:
        del _pools[made.name]
        _show()


def standing(name: str) -> bool | None:
    """Whether the pool of this name is the active one of several; None when there is no other."""
    names = list(_pools)
    return names[-1] == name if len(names) > 1 and name in names else None


def watch(told: Callable[[], None]) -> None:
    """Have `told` called on the runtime's loop whenever another pool may be the active one."""
    if told not in _watchers:
        _watchers.append(told)


def unwatch(told: Callable[[], None]) -> None:
    """Call it no longer."""
    if told in _watchers:
        _watchers.remove(told)


def _show() -> None:
    """Have each pool show anew whether it is the active one."""
    for told in _watchers:
        runtime().call_soon(told)
    for made in _pools.values():
        if made.state in ("starting", "ready"):
            runtime().call_soon(made._inner.panel.changed)


def _forget() -> object:
    """A forked child has none of its parent's."""
    left = dict(_pools)
    _pools.clear()
    _watchers.clear()
    return left


forget_in_child(_forget)


def pools() -> tuple[ComputePool, ...]:
    """The pools that run, the active one last."""
    return tuple(_pools.values())


def pool(name: str | None = None) -> ComputePool:
    """The active pool, the last one started and not stopped, or the one called `name`.

    Raises
    ------
    NoPool
        There is none.
    """
    if name is not None:
        if name not in _pools:
            running = ", ".join(_pools) or "none"
            raise NoPool(f"there is no pool {name!r} (running: {running}); start it with `%sky start --name {name}`")
        return _pools[name]
    if not _pools:
        where = " in this process, and those of the process it was forked from stay there" if forked() else ""
        raise NoPool(
            f"no pool is running{where}; start one with `%sky start --nodes 4` or `sky.ComputePool(nodes=4)`{_left()}"
        )
    return next(reversed(_pools.values()))


def _left() -> str:
    from skyward_jupyter.api.others import left_here  # which needs what starts pools

    try:
        return left_here()
    except SkywardError:
        return ""  # no directory of records that can be used


def _close_all() -> None:
    if restarting():
        return
    for made in list(_pools.values()):
        made._inner.close_now()
