"""The user's project on its way to nodes: what the kernel has loaded, and the files of modules that a machine lacks.

Nodes that share the kernel's files import from there; what is sent says what the kernel has loaded, so that they use
the same. Other machines import from a directory of their own that holds what they asked for, file by file under its
content hash.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field

from skyward_jupyter.wire.imports import Stamp


@dataclass(frozen=True, slots=True)
class Loaded:
    """An own module as the kernel has loaded it: from which file, with which content, when that was changed."""

    path: str
    digest: str
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Provided:
    """A top-level module that the kernel can send.

    Attributes
    ----------
    namespace
        Whether it is a package without ``__init__.py``: an installed module of its name goes before it.
    digest
        Of the files that belong to it; empty until a node has asked for them.
    """

    namespace: bool = False
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """The user's project as the kernel has it now.

    Attributes
    ----------
    shared
        Whether the nodes share the kernel's files.
    paths, env
        With `shared`: ``sys.path``, and variables that were set (or removed: None) since the pool was made.
    directory, began_in
        With `shared`: the working directory, and the one when the pool was made.
    modules
        With `shared`: what the kernel has loaded, by name.
    loaded
        Names of all own modules that the kernel has loaded, in the order in which it did.
    held
        With `shared`: contents, by digest, of modules whose file has another content by now.
    names
        Without: the top-level modules that a node may ask for.
    """

    shared: bool
    paths: tuple[str, ...] = ()
    directory: str = ""
    began_in: str = ""
    env: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    modules: Mapping[str, Loaded] = field(default_factory=dict)
    loaded: tuple[str, ...] = ()
    held: Mapping[str, bytes] = field(default_factory=dict)
    names: Mapping[str, Provided] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return it as bytes, equal for equal projects."""
        return pickle.dumps(self, 5)

    @classmethod
    def from_bytes(cls, data: bytes) -> Project:
        """Return what `to_bytes` was called on."""
        project: Project = pickle.loads(data)
        return project


@dataclass(frozen=True, slots=True)
class UnitFile:
    """A file of a unit: where it goes below the project's directory, the hash of its content, and its size."""

    path: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Unit:
    """All files of one top-level module: its sources, and the small files beside them.

    Attributes
    ----------
    name
        Of the module.
    digest
        Of what is in it.
    roots
        The directories to import from, below the project's directory, each with what it is called at the kernel.
    files
        All of them.
    """

    name: str
    digest: str
    roots: tuple[tuple[str, str], ...]
    files: tuple[UnitFile, ...]
