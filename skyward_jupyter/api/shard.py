"""This node's share of some data."""

from __future__ import annotations

import array as compact
import random
from collections import Counter
from collections.abc import Sequence
from operator import index
from typing import Any

from skyward_jupyter.agent.context import instance_info
from skyward_jupyter.errors import UsageError


def shard(
    *arrays: Any,
    shuffle: bool = False,
    seed: int = 0,
    drop_last: bool = False,
    node: int | None = None,
    total_nodes: int | None = None,
) -> Any:
    """The part of each array that belongs to the node this runs on.

    Every node takes every `total_nodes`-th item, beginning with its own place among them, so parts differ in length by
    at most one. Arrays keep their types (list, tuple, str, range, NumPy, pandas, tensors). Those of one length stay
    aligned, so ``shard(x_train, y_train, x_test, y_test)`` may have two lengths.

    Parameters
    ----------
    *arrays
        Sequences that are indexed along their first axis; where their lengths differ, at least two of each.
    shuffle, seed
        Permute the items before they are dealt, the same way on every node.
    drop_last
        Leave out the items that do not divide evenly, so that all parts are of one length.
    node, total_nodes
        Which part of how many, in place of this node's place among the nodes of its pool.

    Returns
    -------
    The one part, or a tuple of parts for several arrays.

    Raises
    ------
    UsageError
        No array was given, one is as long as no other, or there is no such part.
    """
    if not arrays:
        raise UsageError("shard needs at least one array")
    for given in arrays:
        if not hasattr(given, "__len__"):
            raise UsageError(f"{type(given).__name__} cannot be sharded: it has no length; make it a list first")
    lengths = Counter(len(given) for given in arrays)
    if len(lengths) > 1 and (alone := [length for length, count in lengths.items() if count == 1]):
        found = ", ".join(map(str, sorted(lengths)))
        raise UsageError(
            f"the arrays have different lengths ({found}), and none is as long as the one of {alone[0]}; align them "
            "first, or shard it in a call of its own"
        )
    place, places = _place(node, total_nodes)
    indices = {length: _indices(length, place, places, shuffle, seed, drop_last) for length in lengths}
    parts = tuple(_take(array, indices[len(array)]) for array in arrays)
    return parts[0] if len(parts) == 1 else parts


def _place(node: int | None, total_nodes: int | None) -> tuple[int, int]:
    """Which part of how many."""
    info = instance_info()
    for name, value in (("node", node), ("total_nodes", total_nodes)):
        if value is not None and (not hasattr(value, "__index__") or isinstance(value, bool)):
            raise UsageError(f"{name} is {value!r}; give a whole number")
    places = info.total_nodes if total_nodes is None else index(total_nodes)
    own = info.ranks.index(info.node) if info.node in info.ranks else 0
    place = own if node is None else index(node)
    if places < 1:
        raise UsageError(f"total_nodes is {places}; there is at least one part")
    if not 0 <= place < places:
        said = "node is" if node is not None else "this is node"
        raise UsageError(f"{said} {place}, and total_nodes is {places}: the parts are 0 to {places - 1}")
    return place, places


def _indices(length: int, place: int, places: int, shuffle: bool, seed: int, drop_last: bool) -> Sequence[int]:
    order: Sequence[int] = range(length)
    if shuffle:
        order = random.Random(seed).sample(order, length)
    if drop_last:
        order = order[: length - length % places]
    return order[place::places]


def _take(array: Any, indices: Sequence[int]) -> Any:
    if isinstance(array, range) and isinstance(indices, range):
        return array[indices.start : indices.stop : indices.step]
    if hasattr(array, "iloc"):
        return array.iloc[list(indices)]
    match array:
        case str():
            return "".join(array[at] for at in indices)
        case bytes():
            return bytes(array[at] for at in indices)
        case tuple():
            return tuple(array[at] for at in indices)
        case list() | range():
            return [array[at] for at in indices]
        case compact.array():
            return compact.array(array.typecode, [array[at] for at in indices])
    if hasattr(array, "__array__") or hasattr(array, "shape"):
        return array[list(indices)]
    if isinstance(array, Sequence):
        return type(array)(array[at] for at in indices)  # type: ignore[call-arg]
    raise UsageError(f"{type(array).__name__} cannot be sharded: it has no items to take by position")
