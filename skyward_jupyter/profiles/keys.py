"""The keys that a profile may have, and what each may be.

What is about machines means what it means for `sky.SSH` and `sky.Image`, and is checked by them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from skyward_jupyter.errors import UsageError
from skyward_jupyter.profiles.profile import ELSEWHERE, GROUPS, PROVIDERS, Profile
from skyward_jupyter.profiles.table import Table

if TYPE_CHECKING:
    from skyward_jupyter.ssh.image import Image

#: What a provider is, for a sentence.
PROVIDER = "'local', which is this machine, or 'ssh', which are hosts that you can log in to"
_EXECUTORS = ("process", "thread", "auto")
_IMAGE = ("python", "pip", "apt", "env", "includes", "excludes")

#: Gives a value as it is meant; None for one of the wrong kind, and a UsageError for one that cannot be meant.
type Take = Callable[[object], Any]


def read(table: Table, content: Mapping[str, Any]) -> Profile:
    """What a table says; raises UsageError, naming file, line and key, for anything that is wrong."""
    said: dict[str, Any] = {}
    for key, value in content.items():
        if key not in KEYS:
            raise _unknown(table, key, KEYS)
        said[key] = _image(table, value) if key == "image" else _taken(table, key, value)
    _check_place(table, said)
    return Profile(**said)


def take(key: str, value: object) -> Any:
    """What a setting of the name of a key is; raises UsageError when it cannot be that."""
    wanted, of = KEYS[key]
    found = of(value)
    if found is None:
        raise UsageError(f"{key} is {value!r}; it is {wanted}")
    return found


def _taken(table: Table, key: str, value: object) -> Any:
    wanted, of = KEYS[key]
    try:
        found = of(value)
    except UsageError as error:
        raise table.refused(key, f"{key} of {table.called}: {error}") from None
    if found is None:
        raise table.refused(key, f"{key} of {table.called} is {value!r}; it is {wanted}")
    return found


def _image(table: Table, content: object) -> Image:
    """The image; each key by itself is what it may be for `sky.Image`."""
    from skyward_jupyter.ssh.image import Image

    if not isinstance(content, dict):
        raise table.refused("image", f"image of {table.called} is {content!r}; it is {KEYS['image'][0]}")
    inner = table.inner("image", f"the image of {table.called}")
    for key, value in content.items():
        if key not in _IMAGE:
            raise _unknown(inner, key, _IMAGE)
        try:
            Image(**{key: value})
        except UsageError as error:
            raise inner.refused(key, f"{key} of {inner.called}: {error}") from None
    return Image(**content)


def _check_place(table: Table, said: Mapping[str, Any]) -> None:
    """What is said together must be about one place."""
    about = next((key for key in said if key in ELSEWHERE), None)
    if said.get("provider") == "local" and about is not None:
        raise table.refused(
            about,
            f"{about} of {table.called} is about other machines, and provider = 'local' is this one; leave one of "
            "them out",
        )
    if said.get("provider") == "ssh" and "hosts" not in said:
        raise table.refused(
            "provider",
            f"provider of {table.called} is 'ssh', and nothing says which machines; write "
            "hosts = ['gpu1', 'me@gpu2:2222'] beside it",
        )
    if "hosts" in said and "nodes" in said:
        _check_nodes(table, said["nodes"], len(said["hosts"]))


def _check_nodes(table: Table, nodes: int | tuple[int, int], hosts: int) -> None:
    most = nodes if isinstance(nodes, int) else nodes[1]
    if most > hosts:
        raise table.refused(
            "nodes",
            f"nodes of {table.called} is {most}, and it has {hosts} host{'s' * (hosts != 1)}, which run a node each; "
            "name more hosts, or fewer nodes",
        )


def _unknown(table: Table, key: str, known: Mapping[str, Any] | tuple[str, ...]) -> UsageError:
    close = difflib.get_close_matches(key, known, n=1)
    advice = f"did you mean {close[0]}?" if close else f"it may have {', '.join(known)}"
    return table.refused(key, f"{table.called} has an unknown key {key}; {advice}")


def _hosts(value: object) -> tuple[str, ...] | None:
    from skyward_jupyter.ssh.hosts import parse_all

    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        return None
    return tuple(host.name for host in parse_all(value))  # type: ignore[arg-type]


def _file(value: object) -> str | None:
    from skyward_jupyter.providers.ssh import named_file

    return named_file(value) if isinstance(value, str) and value else None


def _jump(value: object) -> str | None:
    from skyward_jupyter.ssh.hosts import parse

    if not isinstance(value, str) or not value:
        return None
    parse("machine", jump=value)
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(least: int) -> Callable[[object], int | None]:
    return lambda value: value if isinstance(value, int) and not isinstance(value, bool) and value >= least else None


def _seconds(value: object) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 < value < float("inf") else None  # type: ignore[arg-type, operator]


def _nodes(value: object) -> int | tuple[int, int] | None:
    match value:
        case [int() as least, int() as most] if 0 <= least <= most and most > 0:
            return least, most
        case _:
            return _whole(1)(value)


def _env(value: object) -> Mapping[str, str] | None:
    """The values may be secrets: the sentence has only names."""
    if not isinstance(value, dict):
        return None
    for name, text in value.items():
        if not isinstance(text, str):
            raise UsageError(f"{name} is no text; write it in quotes, as in env = {{ DEBUG = '1' }}")
    return value


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _modules(value: object) -> bool | tuple[str, ...] | None:
    from skyward_jupyter.agent.preload import checked_preload

    try:
        return checked_preload(value)
    except UsageError:
        return None


def _choice(*choices: str) -> Callable[[object], str | None]:
    return lambda value: value if isinstance(value, str) and value in choices else None


KEYS: dict[str, tuple[str, Take]] = {
    "provider": (PROVIDER, _choice(*PROVIDERS)),
    "hosts": ("a list of texts, as in ['gpu1', 'me@gpu2:2222'], or one text with commas", _hosts),
    "key": ("the file of a private key, as in '~/.ssh/id_ed25519'", _file),
    "jump": ("text, as in 'me@gate', with commas between several", _jump),
    "known_hosts": ("a file, as in '~/.ssh/known_hosts'", _file),
    "cluster": ("true or false", _truth),
    "image": ("a table, as in image = { pip = ['polars'] }", lambda value: value),
    "nodes": ("a whole number of at least 1, or a range as in [2, 16]", _nodes),
    "name": ("text", _text),
    "concurrency": ("a whole number of at least 1", _whole(1)),
    "executor": ("'process' or 'thread'", _choice(*_EXECUTORS)),
    "ttl": ("a number of seconds above 0", _seconds),
    "timeout": ("a number of seconds above 0", _seconds),
    "retries": ("a whole number of at least 0", _whole(0)),
    "max_retries": ("a whole number of at least 0", _whole(0)),
    "env": ("a table of texts, as in env = { DEBUG = '1' }", _env),
    "group": ("'same', 'node' or 'time'", _choice(*GROUPS)),
    "quiet": ("true or false", _truth),
    "preload": ("a list of modules, as in ['numpy', 'pandas'], or false for none", _modules),
    "size_limit": ("a whole number of bytes", _whole(0)),
}
assert set(KEYS) == {field.name for field in fields(Profile)}
