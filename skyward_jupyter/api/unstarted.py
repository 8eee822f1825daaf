"""Why a pool was not started, in one message: which nodes failed, and a cause that several of them share once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from skyward_jupyter.actors.desk import NodeView

#: So many nodes with the same cause are named, and so many causes are told.
_NAMED, _CAUSES = 8, 5


def unstarted(pool: str, nodes: int, failed: Mapping[int, NodeView]) -> str:
    """The message; empty when no node failed. The phase of each is its reason."""
    causes: dict[str, list[NodeView]] = {}
    for _, view in sorted(failed.items()):
        causes.setdefault(_alike(view), []).append(view)
    if not causes:
        return ""
    which = f"{len(failed)} of {nodes} nodes" if nodes > 1 else "its node"
    told = [_told(views) for views in list(causes.values())[:_CAUSES]]
    more = len(causes) - len(told)
    rest = [f"… and {more} other cause{'s' * (more != 1)}"] if more else []
    return "\n".join([f"pool {pool!r} was not started, {which} failed:", *told, *rest])


def _alike(view: NodeView) -> str:
    """A reason without what is of this machine alone."""
    first = view.phase.partition("\n")[0]
    return re.sub(r"\w*\d\w*", "#", first.replace(view.address, "it") if view.address else first)


def _told(views: Sequence[NodeView]) -> str:
    first, *others = views
    named = ", ".join(str(view.rank) for view in others[:_NAMED]) + " …" * (len(others) > _NAMED)
    alike = f" (and node{'s' * (len(others) > 1)} {named} alike)" if others else ""
    return f"node {first.rank}{alike}: {first.phase}"
