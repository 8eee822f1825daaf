"""Which nodes' output is shown: decorators for `@compute` functions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, overload

from skyward_jupyter.agent.context import InstanceInfo
from skyward_jupyter.errors import UsageError

log = logging.getLogger("skyward")

type Which = Literal["all", "head", "none"] | int | Sequence[int] | Callable[[InstanceInfo], object]

_ATTRIBUTE = "_skyward_output"


class Keep(Protocol):
    """Says which streams are kept on a node; rank -1 is one that is not known yet."""

    def __call__(self, rank: int, head: bool, nodes: int = 0, /) -> str: ...


def keeper(function: Callable[..., Any]) -> Keep | None:
    """Which streams of `function` are kept on a node; None keeps all."""
    rules: dict[str, Which] | None = getattr(function, _ATTRIBUTE, None)
    if rules is None:
        return None

    def keep(rank: int, head: bool, nodes: int = 0) -> str:
        kept = [name for name in ("stdout", "stderr") if _applies(rules.get(name, "all"), rank, head, nodes)]
        return ",".join(kept) or "none"

    return keep


def _applies(which: Which, rank: int, head: bool, nodes: int) -> bool:
    if rank < 0:
        return which != "none"
    match which:
        case "all":
            return True
        case "none":
            return False
        case "head":
            return head
        case int():
            return rank == which
        case _ if callable(which):
            return _said(which, rank, head, nodes)
        case _:
            return rank in which


def _said(predicate: Callable[[InstanceInfo], object], rank: int, head: bool, nodes: int) -> bool:
    """What a predicate says of a node; a node of which it cannot say is shown."""
    info = InstanceInfo(
        node=rank, total_nodes=nodes, is_head=head, head_addr="", head_port=0, peers=(), job_id="", ranks=()
    )
    try:
        return bool(predicate(info))
    except Exception:
        log.exception("only=%r raised for node %d, so what that writes is shown", predicate, rank)
        return True


def _rule(function: Any, name: str, which: Which) -> Any:
    target = getattr(function, "function", function)
    rules = dict(getattr(target, _ATTRIBUTE, {}))
    rules[name] = which
    setattr(target, _ATTRIBUTE, rules)
    return function


def _check(which: object) -> None:
    if callable(which):
        return
    numbers = which if isinstance(which, list | tuple | set | frozenset | range) else [which]
    if which not in ("all", "head", "none") and not all(isinstance(number, int) for number in numbers):
        raise UsageError(f"only={which!r} names no nodes; use 'head', a node number, several, or a function of a node")


@overload
def stdout[F: Callable[..., Any]](function: F, /) -> F: ...
@overload
def stdout[F: Callable[..., Any]](*, only: Which = "all") -> Callable[[F], F]: ...
def stdout(function: Any = None, /, *, only: Which = "all") -> Any:
    """Show what a function prints only from some nodes: ``@sky.stdout(only="head")``, a rank, or several.

    It may also be a function that says so of a node: ``only=lambda info: info.node < 2``. It runs here, with the
    `node`, `total_nodes` and `is_head` of an `InstanceInfo`.
    """
    _check(only)
    return _rule(function, "stdout", only) if function is not None else lambda inner: _rule(inner, "stdout", only)


@overload
def stderr[F: Callable[..., Any]](function: F, /) -> F: ...
@overload
def stderr[F: Callable[..., Any]](*, only: Which = "all") -> Callable[[F], F]: ...
def stderr(function: Any = None, /, *, only: Which = "all") -> Any:
    """The same for what it writes to stderr."""
    _check(only)
    return _rule(function, "stderr", only) if function is not None else lambda inner: _rule(inner, "stderr", only)


def silent[F: Callable[..., Any]](function: F) -> F:
    """Show nothing of what a function writes."""
    _rule(function, "stdout", "none")
    _rule(function, "stderr", "none")
    return function
