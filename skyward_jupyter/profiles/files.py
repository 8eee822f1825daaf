"""Profiles: what a pool is to be like, under a name, in a ``skyward.toml``: ``[profiles.NAME]``, or ``[pools.NAME]``.

The file is looked for in the folder that the notebook runs in, in the folders above it, and in ``skyward`` in the
user's configuration folder. The nearest file that has the profile counts. A profile that says something unknown, or of
the wrong type, is refused as a whole, naming the file, the key and its line.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from skyward_jupyter.errors import UsageError
from skyward_jupyter.profiles import keys
from skyward_jupyter.profiles.profile import Profile
from skyward_jupyter.profiles.table import Table
from skyward_jupyter.ssh.image import working_directory

#: What profiles are kept in, and under which names there.
FILE = "skyward.toml"
SECTIONS = ("profiles", "pools")

#: Profiles by name, each with the table that it is in.
type Found = Mapping[str, tuple[Table, Any]]


def load(name: str) -> Profile:
    """The profile called `name`; raises UsageError, saying which there are, when no file has it."""
    known: list[str] = []
    for path in files():
        found = _read(path)
        if name in found:
            return _profile(*found[name], name)
        known += found
    raise UsageError(_no_such(name, known))


def names() -> list[str]:
    """The profiles there are, nearest first; those of a file that cannot be read are not among them."""
    found: dict[str, None] = {}
    for path in files():
        try:
            found.update(dict.fromkeys(_read(path)))
        except UsageError:
            continue
    return list(found)


def files() -> Iterator[Path]:
    """The files that may have profiles, nearest first."""
    here = Path(working_directory())
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for folder in (here, *here.parents, home / "skyward"):
        if (folder / FILE).is_file():
            yield folder / FILE


def _read(path: Path) -> Found:
    """The profiles of a file."""
    try:
        text = path.read_text("utf-8")
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    file = Table(path, text)
    for key in content:
        if key not in SECTIONS:
            advice = f"; write [profiles.{key}] for a profile" if isinstance(content[key], dict) else ""
            raise file.refused(key, f"{key} is unknown, a file has [profiles.NAME] and [pools.NAME] only{advice}")
    found: dict[str, tuple[Table, Any]] = {}
    for section in SECTIONS:
        table = file.inner(section, f"the {section}")
        profiles = content.get(section, {})
        if not isinstance(profiles, dict):
            raise file.refused(section, f"{section} is no table; write [{section}.NAME]")
        for name, said in profiles.items():
            if name in found:
                why = f"{name} is in [profiles] and in [pools], which mean the same; leave one of them out"
                raise table.refused(name, why)
            found[name] = table, said
    return found


def _profile(table: Table, content: Any, name: str) -> Profile:
    if not isinstance(content, dict):
        raise table.refused(name, f"profile {name} is no table; write [{table.header}.{name}]")
    return keys.read(table.inner(name, f"profile {name}"), content)


def _no_such(name: str, known: list[str]) -> str:
    if not known:
        return (
            f"there is no profile {name!r}: no {FILE} in this folder, above it or in ~/.config/skyward has any; "
            f"write [profiles.{name}] and nodes = 4 into one"
        )
    close = difflib.get_close_matches(name, known, n=1)
    advice = f"did you mean {close[0]}?" if close else f"there {'is' if len(known) == 1 else 'are'} {', '.join(known)}"
    return f"there is no profile {name!r}; {advice}"
