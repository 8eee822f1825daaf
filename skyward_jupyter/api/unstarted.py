"""Why a pool was not started, in one message: which nodes failed or are late, a cause that several share once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from skyward_jupyter.actors.desk import NodeState, NodeView, boot_of

#: So many nodes with the same cause are named, and so many causes are told.
_NAMED, _CAUSES = 8, 5
#: Of so many nodes that are late it is said what they are at.
_TOLD = 3


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


def late(pool: str, nodes: Mapping[int, NodeView], patience: float) -> str:
    """Which nodes are not ready in time (seconds), and what the first of them are at."""
    slow = [view for _, view in sorted(nodes.items()) if view.state in (NodeState.WAITING, NodeState.LOST)]
    if not slow:  # all are there, and do not know each other yet
        return f"pool {pool!r} was not ready after {patience:g} s"
    which = f"node{'s' * (len(slow) != 1)} {', '.join(str(view.rank) for view in slow)}"
    was = "was" if len(slow) == 1 else "were"
    return "\n".join([f"{which} of pool {pool!r} {was} not ready after {patience:g} s:", *map(_at, slow[:_TOLD])])


def _at(view: NodeView) -> str:
    said = f" ({boot_of(view).said})" if boot_of(view).said else ""
    where = f" ({view.address})" if view.address else ""
    return f"node {view.rank}{where} was at: {view.doing}{said}"


def _alike(view: NodeView) -> str:
    """A reason without what is of this machine alone."""
    first = view.phase.partition("\n")[0]
    return re.sub(r"\w*\d\w*", "#", first.replace(view.address, "it") if view.address else first)


def _told(views: Sequence[NodeView]) -> str:
    first, *others = views
    named = ", ".join(str(view.rank) for view in others[:_NAMED]) + " …" * (len(others) > _NAMED)
    alike = f" (and node{'s' * (len(others) > 1)} {named} alike)" if others else ""
    return f"node {first.rank}{alike}: {first.phase}"
