"""Writing the copies of a key anew, for a node that took the place of another (`skyward_jupyter.collections.repair`).

What does so answers once enough copies took it, so that whoever asks knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from casty import Askable, Context, Unavailable


@dataclass(frozen=True)
class Rewrite(Askable[bool]):
    """Have all copies written. Answered with whether enough were."""


async def rewrite[S](ctx: Context[S, Any], initial: S) -> bool:
    """Write all copies as they are, unless nothing was written yet; whether enough took it."""
    if (state := ctx.state.value) == initial:
        return True
    try:
        await ctx.state.set(state)
    except Unavailable:
        return False
    return True
