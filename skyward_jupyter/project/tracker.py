"""What the nodes of a pool are told of the user's project, and when that has changed.

`Tracker.current` is asked before each call. Looking takes some microseconds and one for each module, and is done each
time as long as that is little; with many modules, when a cell of the notebook has begun since, when modules were
imported or have come to a folder, or when it has taken less than a twentieth of the time since. So a module that is
there when a call is made is known with that call; an edit to one of many may be with a later one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from skyward_jupyter.project.settings import Settings
from skyward_jupyter.project.units import Bundle, bundle_of, names_of
from skyward_jupyter.wire.blobs import digest
from skyward_jupyter.wire.imports import Recorder, Source, install, is_settled, stamp_of
from skyward_jupyter.wire.messages import Code
from skyward_jupyter.wire.own import own_roots
from skyward_jupyter.wire.project import Loaded, Project, Provided

#: A look that takes longer than this (seconds) is not taken at each call: it may take one part in so many of the time.
_QUICK = 60e-6
_SHARE = 20

#: What this process has imported of the user's own.
_recorder = Recorder()


def record() -> Recorder:
    """Return the recorder of this process's imports, at work from now on."""
    install(_recorder)
    _recorder.look()
    return _recorder


#: How many cells of the notebook have begun.
_cells = [0]


def cell_begins() -> None:
    """Have the next call look for edits."""
    _cells[0] += 1


#: Says of a module whether this process has taken in what its file is now without importing it again.
_taken_in: list[Callable[[str, str], bool]] = []


def ask_of_edits(taken_in: Callable[[str, str], bool]) -> Callable[[], None]:
    """Ask `taken_in`, with a module's name and file, before one counts as edited; returns what takes this back."""
    _taken_in.append(taken_in)
    return lambda: _taken_in.remove(taken_in)


def version_of(module: str) -> str:
    """Return the digest of what an own module was loaded from; empty for any other module."""
    source = _recorder.sources.get(module)
    return source.digest if source is not None else ""


class Tracker:
    """The user's project for the nodes of one pool.

    Parameters
    ----------
    shared
        Whether the nodes share this machine's files.
    fixed
        Names of environment variables that the pool sets itself.

    Attributes
    ----------
    code
        The project as it was last, packed, under its digest.
    """

    def __init__(self, shared: bool, fixed: Mapping[str, str] | None = None) -> None:
        self._shared = shared
        self._fixed = frozenset(fixed or ())
        self._recorder = record()
        self._before = _variables()
        self._began_in = _directory()
        self._bundles: dict[str, Bundle] = {}
        self._roots: tuple[str, ...] = ()
        self._names: dict[str, Provided] = {}
        self._rooted: object = None
        self._project = Project(shared)
        self.code = Code("", b"")
        self._seen: tuple[int, int] | None = None
        self._looked: tuple[object, ...] = ()
        self._folders: tuple[str, ...] = ()
        self._places: object = None
        self._settled = True
        self._edits = False
        self._next = 0.0
        self._cells = 0
        self._settings = Settings()
        self._told: set[tuple[str, str]] = set()
        self._notes: list[str] = []
        self._look()
        self._tell_of_settings()

    def current(self, *, exact: bool = False) -> Code:
        """Return the project as it is now, packed, under its digest; `exact` looks again in any case."""
        imported = self._recorder.count, len(sys.modules)
        due = imported != self._seen or _cells[0] != self._cells or time.perf_counter() >= self._next
        if exact or due or not self._settled or self._places != self._sources_of_modules():
            self._look()
        if exact:
            self._tell_of_settings()
        return self.code

    def notes(self) -> list[str]:
        """Return what the user should hear since the last call: edits not loaded here, files that stay here."""
        notes, self._notes = self._notes, []
        return notes

    def _tell_of_settings(self) -> None:
        for module, name in self._settings.look(self._recorder):
            self._tell(
                module,
                name,
                f"{module}.{name} was set here after the import: the nodes have what the file says; set it there too, "
                "in a %%sky cell or in the function that uses it",
            )

    def bundle(self, name: str) -> Bundle | None:
        """Return the files of a module that a node asks for; they are looked after from now on.

        Raises
        ------
        TooLarge
            As of `bundle_of`.
        """
        known = self._bundles.get(name)
        if known is None or known.changed:
            found = bundle_of(name, self._roots, self._recorder)
            if found is None:
                return None
            known = self._bundles[name] = found
            self._next = 0.0
            if note := _left_out(known):
                self._tell(name, known.unit.digest, note)
        return known

    def _look(self) -> None:
        began = time.thread_time()  # not that of others, which may be long where much goes on
        self._cells = _cells[0]
        if self._seen is None or self._seen != (self._recorder.count, len(sys.modules)):
            self._recorder.look()
        now = time.time_ns()
        self._places = places = self._sources_of_modules()
        surroundings = self._surroundings()
        changed = (places, surroundings) != self._looked or not self._settled
        if changed or self._edits:
            self._looked = places, surroundings
            self._take_in()
            self._settled = all(is_settled(stamp_of(folder), now) for folder in self._folders)
        self._seen = self._recorder.count, len(sys.modules)
        took = time.thread_time() - began
        self._next = 0.0 if changed or took < _QUICK else time.perf_counter() + _SHARE * took

    def _sources_of_modules(self) -> tuple[object, ...]:
        """Return what tells whether modules have come: few looks, whatever the number of modules."""
        return tuple(sys.path), _directory(), tuple(map(stamp_of, self._folders))

    def _surroundings(self) -> tuple[object, ...]:
        """Return all that the project is made of, as far as it costs next to nothing to tell."""
        files = [stamp_of(source.path) for source in list(self._recorder.sources.values())]
        asked = [stamp_of(path) for bundle in list(self._bundles.values()) for path in bundle.stamps]
        return self._recorder.count, _variables(), files, asked, len(self._bundles)

    def _take_in(self) -> None:
        project = self._here() if self._shared else self._elsewhere()
        if project != self._project or not self.code.digest:
            self._project = project
            body = project.to_bytes()
            self.code = Code(digest(body), body)

    # -- for nodes that share this machine's files --------------------------------------------------------------------

    def _here(self) -> Project:
        held = {source.digest: source.content for _, source in self._edited() if source.content}
        sources = dict(self._recorder.sources)
        return Project(
            shared=True,
            paths=tuple(map(str, sys.path)),
            directory=_directory(),
            began_in=self._began_in,
            env=self._changed_variables(),
            modules={name: Loaded(source.path, source.digest, source.stamp) for name, source in sources.items()},
            loaded=tuple(sources),
            held=held,
        )

    def _edited(self) -> Iterator[tuple[str, Source]]:
        """Yield the modules whose file has another content than what was loaded."""
        self._edits = False
        for name, source in list(self._recorder.sources.items()):
            stamp = stamp_of(source.path)
            if stamp == source.stamp:
                continue
            now = Source.read(source.path)
            if now is not None and now.digest == source.digest:
                self._recorder.sources[name] = replace(source, stamp=now.stamp)
                continue
            if now is not None and any(taken_in(name, source.path) for taken_in in _taken_in):
                self._recorder.keep(name, now)
                continue
            if now is not None:
                self._tell(
                    name,
                    now.digest,
                    f"{os.path.basename(source.path)} was edited since {name} was imported: the nodes use what is "
                    f"loaded here; importlib.reload({name}) or %autoreload 2 takes the edit in",
                )
            self._edits = True
            yield name, source

    def _changed_variables(self) -> dict[str, str | None]:
        now = _variables()
        if now == self._before:
            return {}
        changed = {name for name in {*now, *self._before} if now.get(name) != self._before.get(name)}
        names = {os.fsdecode(name) for name in changed} - self._fixed
        return {name: os.environ.get(name) for name in sorted(names)}

    # -- for nodes on other machines ----------------------------------------------------------------------------------

    def _elsewhere(self) -> Project:
        imported = self._seen is None or self._seen[0] != self._recorder.count
        roots = tuple(own_roots(sys.path))
        rooted = roots, tuple(map(stamp_of, roots)), self._recorder.count
        listed = rooted != self._rooted or not self._settled
        if listed:
            self._roots, self._rooted = roots, rooted
            self._names = names_of(roots, self._recorder)
        for _ in self._edited():
            pass
        self._tell_of_surroundings()
        for name, bundle in list(self._bundles.items()):
            spread = listed and name in self._names and self._names[name].namespace
            if imported or spread or bundle.changed or not self._settled:
                self._renew(name)
        folders = (folder for bundle in list(self._bundles.values()) for folder in bundle.folders)
        self._folders = tuple(dict.fromkeys((*roots, *folders)))
        given = {name: bundle.unit.digest for name, bundle in self._bundles.items()}
        names = {name: replace(it, digest=given.get(name, "")) for name, it in self._names.items()}
        return Project(shared=False, loaded=tuple(self._recorder.sources), names=names)

    def _tell_of_surroundings(self) -> None:
        """Say what is not followed on other machines: variables that were set meanwhile, and another directory."""
        changed = self._changed_variables()
        fresh = [name for name in changed if ("variable", name) not in self._told]
        if fresh:
            self._told.update(("variable", name) for name in fresh)
            self._notes.append(
                f"{', '.join(fresh)} changed here after the pool was made; its machines have their own environments: "
                "set it there in a %%sky cell, or start with ComputePool(env={...})"
            )
        if (now := _directory()) not in ("", self._began_in):
            self._tell(
                "directory",
                now,
                f"the working directory here is {now} by now; the pool's machines have their own directories: "
                "Image(includes=[...]) brings files there",
            )

    def _renew(self, name: str) -> None:
        """Take in what has changed of a module's files; one that cannot be sent now stays as it was."""
        try:
            found = bundle_of(name, self._roots, self._recorder)
        except (OSError, ValueError):
            return
        if found is not None:
            self._bundles[name] = found

    def _tell(self, name: str, what: str, note: str) -> None:
        if (name, what) not in self._told:
            self._told.add((name, what))
            self._notes.append(note)


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _variables() -> dict[bytes, bytes]:
    """Return the environment as it is kept: to decode it all takes as long as a tenth of a call."""
    kept: Mapping[bytes, bytes] | None = getattr(os.environ, "_data", None)
    return dict(os.environb if kept is None else kept)


def _left_out(bundle: Bundle) -> str:
    """Return a sentence on the files that do not travel with a module; empty when all do."""
    if not bundle.left:
        return ""
    named = ", ".join(f"{path} ({size / 2**20:.3g} MB)" for path, size in bundle.left[:3])
    more = f" and {len(bundle.left) - 3} more" if len(bundle.left) > 3 else ""
    return (
        f"{bundle.unit.name} travels without {named}{more}: data files beside code go along up to 1 MB each and 16 MB "
        "together; Image(includes=[...]) brings them"
    )
