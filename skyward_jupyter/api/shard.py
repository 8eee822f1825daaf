"""This node's share of some data."""

from __future__ import annotations

import array as compact
import random
from collections.abc import Sequence
from typing import Any

from skyward_jupyter.agent.context import instance_info
from skyward_jupyter.errors import UsageError


def shard(*arrays: Any, shuffle: bool = False, seed: int = 0, drop_last: bool = False) -> Any:
    """The part of each array that belongs to the node this runs on.

    Every node takes every `total_nodes`-th item, beginning with its own place among them, so parts differ in length by
    at most one. Arrays keep their types (list, tuple, str, range, NumPy, pandas, tensors) and stay aligned.

    Parameters
    ----------
    *arrays
        Sequences of the same length, indexed along their first axis.
    shuffle, seed
        Permute the items before they are dealt, the same way on every node.
    drop_last
        Leave out the items that do not divide evenly, so that all parts are of one length.

    Returns
    -------
    The one part, or a tuple of parts for several arrays.

    Raises
    ------
    UsageError
        No array was given, or their lengths differ.
    """
    if not arrays:
        raise UsageError("shard needs at least one array")
    for given in arrays:
        if not hasattr(given, "__len__"):
            raise UsageError(f"{type(given).__name__} cannot be sharded: it has no length; make it a list first")
    lengths = {len(given) for given in arrays}
    if len(lengths) > 1:
        found = ", ".join(map(str, sorted(lengths)))
        raise UsageError(f"the arrays have different lengths ({found}); align them first")
    indices = _indices(lengths.pop(), shuffle, seed, drop_last)
    parts = tuple(_take(array, indices) for array in arrays)
    return parts[0] if len(parts) == 1 else parts


def _indices(length: int, shuffle: bool, seed: int, drop_last: bool) -> Sequence[int]:
    info = instance_info()
    order: Sequence[int] = range(length)
    if shuffle:
        order = random.Random(seed).sample(order, length)
    if drop_last:
        order = order[: length - length % info.total_nodes]
    place = info.ranks.index(info.node) if info.node in info.ranks else 0
    return order[place :: info.total_nodes]


def _take(array: Any, indices: Sequence[int]) -> Any:
    if isinstance(array, range) and isinstance(indices, range):
        return array[indices.start : indices.stop : indices.step]
    if hasattr(array, "iloc"):
        return array.iloc[list(indices)]
    match array:
        case str():
            return "".join(array[index] for index in indices)
        case bytes():
            return bytes(array[index] for index in indices)
        case tuple():
            return tuple(array[index] for index in indices)
        case list() | range():
            return [array[index] for index in indices]
        case compact.array():
            return compact.array(array.typecode, [array[index] for index in indices])
    if hasattr(array, "__array__") or hasattr(array, "shape"):
        return array[list(indices)]
    if isinstance(array, Sequence):
        return type(array)(array[index] for index in indices)  # type: ignore[call-arg]
    raise UsageError(f"{type(array).__name__} cannot be sharded: it has no items to take by position")
