"""Profiles: what a pool is to be like, under a name, in a ``skyward.toml``.

The file is looked for in the folder that the notebook runs in, in the folders above it, and in ``skyward`` in the
user's configuration folder. The nearest file that has the profile counts. A profile that says something unknown, or of
the wrong type, is refused as a whole, naming the file, the key and its line.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook.options import GROUPS

#: What profiles are kept in.
FILE = "skyward.toml"
#: Where nodes may come from.
PROVIDERS = ("local",)
_EXECUTORS = ("process", "thread")


@dataclass(frozen=True, slots=True)
class Profile:
    """What a profile says; None for what it leaves open."""

    provider: str | None = None
    nodes: int | tuple[int, int] | None = None
    name: str | None = None
    concurrency: int | None = None
    executor: str | None = None
    ttl: float | None = None
    timeout: float | None = None
    retries: int | None = None
    max_retries: int | None = None
    env: Mapping[str, str] | None = None
    group: str | None = None
    quiet: bool | None = None
    size_limit: int | None = None


NO_PROFILE = Profile()


def load(name: str) -> Profile:
    """The profile called `name`; raises UsageError, saying which there are, when no file has it."""
    known: list[str] = []
    for path in files():
        text, profiles = _read(path)
        if name in profiles:
            return _checked(path, text, name, profiles[name])
        known += profiles
    raise UsageError(_no_such(name, known))


def names() -> list[str]:
    """The profiles there are, nearest first; those of a file that cannot be read are not among them."""
    found: dict[str, None] = {}
    for path in files():
        try:
            found.update(dict.fromkeys(_read(path)[1]))
        except UsageError:
            continue
    return list(found)


def files() -> Iterator[Path]:
    """The files that may have profiles, nearest first."""
    here = Path.cwd()
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for folder in (here, *here.parents, home / "skyward"):
        if (folder / FILE).is_file():
            yield folder / FILE


def refused_provider(given: str) -> str:
    """Why there is no such provider, in a sentence."""
    return (
        f"there is no provider {given!r}: this version starts nodes on this machine only; leave it out, or set it to "
        "'local'"
    )


def _read(path: Path) -> tuple[str, Mapping[str, Any]]:
    try:
        text = path.read_text("utf-8")
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    for key in content:
        if key != "profiles":
            advice = f"; write [profiles.{key}] for a profile" if isinstance(content[key], dict) else ""
            raise UsageError(f"{path}{_line(text, '', key)}: {key} is unknown, a file has [profiles.NAME] only{advice}")
    profiles = content.get("profiles", {})
    if not isinstance(profiles, dict):
        raise UsageError(f"{path}{_line(text, '', 'profiles')}: profiles is no table; write [profiles.NAME]")
    return text, profiles


def _checked(path: Path, text: str, name: str, content: Any) -> Profile:
    if not isinstance(content, dict):
        raise UsageError(f"{path}{_line(text, 'profiles', name)}: profile {name} is no table; write [profiles.{name}]")
    said: dict[str, Any] = {}
    for key, value in content.items():
        where = f"{path}{_line(text, f'profiles.{name}', key)}"
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, n=1)
            advice = f"did you mean {close[0]}?" if close else f"it may have {', '.join(_KEYS)}"
            raise UsageError(f"{where}: profile {name} has an unknown key {key}; {advice}")
        wanted, take = _KEYS[key]
        said[key] = take(value)
        if said[key] is None:
            raise UsageError(f"{where}: {key} of profile {name} is {value!r}; it is {wanted}")
        if key == "provider" and value not in PROVIDERS:
            raise UsageError(f"{where}: {refused_provider(value)}")
    return Profile(**said)


def _line(text: str, table: str, key: str) -> str:
    """``, line 3``: where `key` of `table` is written; nothing when it is written in some other way."""
    at = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\]]+?)\s*\]", line):
            at = re.sub(r"[\s\"']", "", header[1])
            if at == key or at == f"{table}.{key}":
                return f", line {number}"
        elif at == table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
            return f", line {number}"
    return ""


def _no_such(name: str, known: list[str]) -> str:
    if not known:
        return (
            f"there is no profile {name!r}: no {FILE} in this folder, above it or in ~/.config/skyward has any; "
            f"write [profiles.{name}] and nodes = 4 into one"
        )
    close = difflib.get_close_matches(name, known, n=1)
    advice = f"did you mean {close[0]}?" if close else f"there {'is' if len(known) == 1 else 'are'} {', '.join(known)}"
    return f"there is no profile {name!r}; {advice}"


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
    fits = isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    return value if fits else None  # type: ignore[return-value]


def _choice(*choices: str) -> Callable[[object], str | None]:
    return lambda value: value if isinstance(value, str) and value in choices else None


_KEYS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "provider": ("text, as in 'local'", _text),
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
    "quiet": ("true or false", lambda value: value if isinstance(value, bool) else None),
    "size_limit": ("a whole number of bytes", _whole(0)),
}
