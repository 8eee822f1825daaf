"""The pools of other kernels, as their records tell: held by a living one, left behind, or over."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from skyward_jupyter.errors import SkywardError
from skyward_jupyter.fleets.choice import end
from skyward_jupyter.providers import records
from skyward_jupyter.providers.records import PoolRecord
from skyward_jupyter.wire.spill import remove_store


def sweep(found: Iterable[PoolRecord]) -> list[PoolRecord]:
    """Remove the records of pools that are over, with what is left of their files, and return them."""
    here = (record for record in found if record.standing == "over" and record.provider == "local")
    return [record for record in here if clear(record)]


def clear(record: PoolRecord) -> bool:
    """Remove the record and the files of a pool without nodes; False when it cannot be, or somebody took it over."""
    try:
        if not records.remove(record):
            return False
    except OSError:
        return False
    remove_store(record.store)
    return True


def read() -> tuple[list[PoolRecord], list[str]]:
    """Every pool that has a record, and a sentence about each file that is none."""
    try:
        return records.read()
    except OSError as error:
        return [], [f"the records of pools cannot be read: {error}"]


def is_mine(record: PoolRecord) -> bool:
    """Whether it is this kernel's, or was left behind by it or by another kernel of this notebook."""
    return record.holder.was_me


def left_here() -> str:
    """What this notebook has left that can be had again, for the end of a sentence; empty when there is nothing."""
    found = [record.name for record in read()[0] if record.standing == "left" and is_mine(record)]
    return f"; %sky attach {found[-1]} goes on with the one that this notebook left" if found else ""


async def remove_remains() -> None:
    """Remove what pools may still have on other machines: what was left when they were stopped, or when they ended
    without their kernels."""
    for record in read()[0]:
        if record.standing == "remains" or (record.standing == "over" and record.provider != "local"):
            with contextlib.suppress(OSError, SkywardError):
                claimed = records.claim(record.key, records.me())
                if claimed is not None:
                    await end(claimed)


async def replace_left(name: str) -> None:
    """End the pool of this name that a former kernel of this notebook left behind: another takes its place."""
    for record in read()[0]:
        if record.name == name and is_mine(record) and record.standing == "left":
            # Where nothing can be written there is nothing to replace: that pool ends by itself.
            with contextlib.suppress(OSError):
                claimed = records.claim(record.key, records.me())
                if claimed is not None:
                    await end(claimed)
