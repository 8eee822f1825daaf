"""What users give a pool, checked: one sentence that names what is wrong."""

from __future__ import annotations

import itertools
import re
from typing import Any

from skyward_jupyter.api import registry
from skyward_jupyter.errors import UsageError
from skyward_jupyter.events import Event

_numbers = itertools.count(1)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


def checked_name(name: str | None) -> str:
    """`name`, or one that no pool of this process has."""
    if name is None:
        taken = {pool.name for pool in registry.pools()}
        return next(name for number in _numbers if (name := f"pool{number}") not in taken)
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no pool name: use up to 32 letters, digits, - and _, a letter first")
    return name


def checked_kinds(kinds: tuple[type[Event], ...]) -> tuple[type[Event], ...]:
    """`kinds`, which are kinds of events."""
    for kind in kinds:
        if not _is_event(kind):
            raise UsageError(f"{kind!r} is no kind of event; they are in sky.events, such as sky.events.NodeLost")
    return kinds


def checked_env(env: dict[Any, Any] | None) -> dict[str, str]:
    """`env`, which is text throughout."""
    for key, value in (env or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise UsageError(f"the environment variable {key!r} is {value!r}; write it as text")
    return dict(env or {})


def _is_event(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Event)
