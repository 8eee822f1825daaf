"""One value of what several nodes give, in their order: lists and tuples end to end, arrays and frames by rows."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import chain
from typing import Any

from skyward_jupyter.errors import UsageError


def joined(values: Sequence[Any], what: str) -> Any:
    """The values as one; `what` says what they are, for the error of those that cannot be joined."""
    if not values:
        return []
    kind = next((one for one in (list, tuple) if all(isinstance(value, one) for value in values)), None)
    if kind is not None:
        return kind(chain.from_iterable(values))
    if _all(values, "pandas", "DataFrame") or _all(values, "pandas", "Series"):
        return sys.modules["pandas"].concat(list(values))
    if _all(values, "numpy", "ndarray"):
        return _stacked(values, what)
    kinds = ", ".join(dict.fromkeys(type(value).__name__ for value in values))
    raise UsageError(
        f"{what} cannot be joined: the nodes have {kinds}, and what is joined is lists, tuples, NumPy arrays or pandas "
        "frames and series, all of one kind"
    )


def _all(values: Sequence[Any], module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and all(isinstance(value, kind) for value in values)


def _stacked(values: Sequence[Any], what: str) -> Any:
    """Arrays along their first axis."""
    try:
        return sys.modules["numpy"].concatenate(list(values), axis=0)
    except ValueError as error:
        shapes = ", ".join(str(value.shape) for value in values[:5])
        raise UsageError(f"{what} cannot be joined: the arrays of the nodes have shapes {shapes} ({error})") from None
