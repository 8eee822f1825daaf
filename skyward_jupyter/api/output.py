"""Which nodes' output is shown: decorators for `@compute` functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

from skyward_jupyter.errors import UsageError

type Which = Literal["all", "head", "none"] | int | Sequence[int]

_ATTRIBUTE = "_skyward_output"


def keeper(function: Callable[..., Any]) -> Callable[[int, bool], str] | None:
    """Which streams of `function` are kept on a node (rank, whether it is the head); None keeps all."""
    rules: dict[str, Which] | None = getattr(function, _ATTRIBUTE, None)
    if rules is None:
        return None

    def keep(rank: int, head: bool) -> str:
        kept = [name for name in ("stdout", "stderr") if _applies(rules.get(name, "all"), rank, head)]
        return ",".join(kept) or "none"

    return keep


def _applies(which: Which, rank: int, head: bool) -> bool:
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
        case _:
            return rank in which


def _rule(function: Any, name: str, which: Which) -> Any:
    target = getattr(function, "function", function)
    rules = dict(getattr(target, _ATTRIBUTE, {}))
    rules[name] = which
    setattr(target, _ATTRIBUTE, rules)
    return function


def _check(which: object) -> None:
    numbers = which if isinstance(which, list | tuple | set | frozenset | range) else [which]
    if which not in ("all", "head", "none") and not all(isinstance(number, int) for number in numbers):
        raise UsageError(f"only={which!r} names no nodes; use 'head', a node number or several")


@overload
def stdout[F: Callable[..., Any]](function: F, /) -> F: ...
@overload
def stdout[F: Callable[..., Any]](*, only: Which = "all") -> Callable[[F], F]: ...
def stdout(function: Any = None, /, *, only: Which = "all") -> Any:
    """Show what a function prints only from some nodes: ``@sky.stdout(only="head")``, a rank, or several."""
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
