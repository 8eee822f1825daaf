"""The files of one top-level module of the user's, as another machine needs them to import it.

A module that the kernel has loaded goes with the content that it was loaded from. Data files go along where they are
small: those of a package's own folder, those beside the module, and those in folders beside it that hold no code. What
is too large is left out and named; a module whose sources are too large does not travel at all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder

from skyward_jupyter.project.folder import files_of, is_never
from skyward_jupyter.wire.blobs import digest
from skyward_jupyter.wire.imports import Recorder, Source, Stamp, found_anew, stamp_of
from skyward_jupyter.wire.own import is_own_path
from skyward_jupyter.wire.project import Provided, Unit, UnitFile

#: The largest data file that goes along, and all data files of a module together (bytes).
LARGEST_DATA = 2**20
ALL_DATA = 16 * 2**20
#: The sources and compiled extensions of a module together (bytes).
ALL_CODE = 256 * 2**20
#: The most data files of one module.
MOST_DATA = 2_000
_CODE = (".py", *EXTENSION_SUFFIXES)
_NOTEBOOK = ".ipynb"


class TooLarge(ValueError):
    """A module has more code than travels; the message is a sentence that names the largest file."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A unit with what is needed to send it, and to notice that it has changed.

    Attributes
    ----------
    contents
        Where each content is, by digest: a file, or the bytes.
    stamps
        Of the files and folders that it was made of.
    folders
        Those of the folders that modules may come to.
    left
        Data files that were left out, and their sizes, largest first.
    """

    unit: Unit
    contents: Mapping[str, str | bytes]
    stamps: Mapping[str, Stamp | None]
    folders: tuple[str, ...] = ()
    left: tuple[tuple[str, int], ...] = ()

    @property
    def changed(self) -> bool:
        """Whether a file or a folder is not as it was."""
        return any(stamp_of(path) != stamp for path, stamp in self.stamps.items())


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder to import from: what it is here, below the project's directory there, and what of it is taken."""

    here: str
    there: str
    package: str = ""
    single: str = ""

    def at(self, path: str) -> str:
        """Return where a file goes."""
        if self.package and (path + os.sep).startswith(self.package + os.sep):
            return f"{self.there}/{self.single}/{os.path.relpath(path, self.package)}"
        return self.there if path == self.here else f"{self.there}/{os.path.relpath(path, self.here)}"


def spec_of(name: str, roots: Sequence[str], recorder: Recorder) -> ModuleSpec | None:
    """Return where a top-level module is, without importing anything; None when it is not the user's."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if spec is None:
        spec = PathFinder.find_spec(name, list(roots)) or found_anew(name, list(roots))
    if spec is None or (spec.loader is None and not any(map(is_own_path, spec.submodule_search_locations or ()))):
        spec = next(filter(None, (find(name) for find in _editable_finders(recorder))), spec)
    if spec is None:
        return None
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return spec if any(place and is_own_path(place) for place in places) else None


def names_of(roots: Iterable[str], recorder: Recorder) -> dict[str, Provided]:
    """Return the top-level modules that the folders, the loaded modules and editable installs provide."""
    found: dict[str, Provided] = {}
    for root in roots:
        for name, namespace in _listed(root):
            if name not in found or (found[name].namespace and not namespace):
                found[name] = Provided(namespace)
    for name in list(recorder.sources):
        top = name.partition(".")[0]
        found[top] = Provided(namespace=getattr(sys.modules.get(top), "__file__", None) is None)
    for finder in sys.meta_path:
        mapping = getattr(sys.modules.get(getattr(finder, "__module__", None) or ""), "MAPPING", None)
        if isinstance(mapping, dict):
            found.update({str(name): Provided() for name in mapping if "." not in str(name)})
    return found


def bundle_of(name: str, roots: Sequence[str], recorder: Recorder) -> Bundle | None:
    """Return the unit of a top-level module as it is now; None when there is no such module of the user's.

    Raises
    ------
    TooLarge
        Its code is more than travels.
    """
    spec = spec_of(name, roots, recorder)
    if spec is None:
        return None
    places = tuple(_places(name, spec))
    code: dict[str, str] = {}
    data: dict[str, str] = {}
    walked: dict[str, Stamp | None] = {}
    for place in places:
        for path in _files(place, walked):
            kind = code if path.endswith(_CODE) or path == spec.origin else data
            kind.setdefault(place.at(path), path)
    sources = dict(recorder.sources)
    for module, source in sources.items():
        if module == name or module.startswith(f"{name}."):
            for place in places:
                if source.path.startswith(place.here + os.sep):
                    code.setdefault(place.at(source.path), source.path)
    return _bundle(name, places, code, data, {source.path: source for source in sources.values()}, walked)


def _bundle(
    name: str,
    places: Sequence[_Place],
    code: Mapping[str, str],
    data: Mapping[str, str],
    loaded: Mapping[str, Source],
    walked: Mapping[str, Stamp | None],
) -> Bundle:
    files: list[UnitFile] = []
    contents: dict[str, str | bytes] = {}
    stamps = dict(walked)

    def take(there: str, path: str) -> None:
        source = loaded.get(path)
        if source is not None and source.content:
            key, size = source.digest, len(source.content)
            contents[key] = source.content
        else:
            stamps[path] = stamp = stamp_of(path)
            key, size = _digest_of(path, stamp)
            contents[key] = path
        files.append(UnitFile(there, key, size))
        stamps.setdefault(folder := os.path.dirname(path), stamp_of(folder))

    sizes = {path: _size(path) for path in (*code.values(), *data.values())}
    total = sum(sizes[path] for path in code.values())
    if total > ALL_CODE:
        largest = max(code.values(), key=lambda path: sizes[path])
        raise TooLarge(
            f"the code of {name} is {_mb(total)}, more than the {_mb(ALL_CODE)} that travel; the largest file is "
            f"{largest} ({_mb(sizes[largest])}): install it on the machines, or have it in the pool's image"
        )
    for there, path in sorted(code.items()):
        take(there, path)
    left: list[tuple[str, int]] = []
    room = ALL_DATA
    for count, (there, path) in enumerate(sorted(data.items(), key=lambda item: sizes[item[1]])):
        if sizes[path] > min(LARGEST_DATA, room) or count >= MOST_DATA:
            left.append((path, sizes[path]))
            continue
        room -= sizes[path]
        take(there, path)
    files.sort(key=lambda file: file.path)
    roots = tuple(dict.fromkeys((place.there, place.here) for place in places))
    key = digest(repr((roots, [(file.path, file.digest) for file in files])).encode())
    folders = _folders(walked, code.values(), data.values())
    return Bundle(Unit(name, key, roots, tuple(files)), contents, stamps, folders, tuple(reversed(left)))


def _folders(walked: Iterable[str], code: Iterable[str], data: Iterable[str]) -> tuple[str, ...]:
    """Return the folders that modules may come to: not those that hold data alone, of which there may be many."""
    plain = set(map(os.path.dirname, data)) - set(map(os.path.dirname, code))
    return tuple(folder for folder in walked if folder not in plain)


def _places(name: str, spec: ModuleSpec) -> Iterator[_Place]:
    if spec.submodule_search_locations is not None:
        for folder in map(os.path.abspath, spec.submodule_search_locations):
            if is_own_path(folder) and os.path.isdir(folder):
                above = os.path.dirname(folder)
                same = os.path.basename(folder) == name
                yield _Place(above, _label(above if same else folder), folder, name)
            elif is_own_path(folder):
                yield _archive(folder)
        return
    origin = os.path.abspath(spec.origin or "")
    if os.path.isfile(origin):
        above = os.path.dirname(origin)
        yield _Place(above, _label(above), single=os.path.basename(origin))
    else:
        yield _archive(origin)


def _archive(path: str) -> _Place:
    """Return the zip archive that a module is in."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return _Place(path, f"{_label(os.path.dirname(path))}/{os.path.basename(path)}")


def _files(place: _Place, walked: dict[str, Stamp | None]) -> Iterator[str]:
    """Yield the files of a place; notes the folders of modules that it has looked into, as they were before."""

    def enter(folder: str) -> bool:
        walked.setdefault(folder, stamp_of(folder))
        return True

    if os.path.isfile(place.here):
        yield place.here
    elif place.package:
        enter(place.package)
        for path, ignored in files_of(place.package, enter=enter):
            if path.endswith(_CODE) or (not ignored and not path.endswith(_NOTEBOOK)):  # generated code is imported too
                yield path
        yield from _beside(place.here)
    else:
        enter(place.here)
        yield os.path.join(place.here, place.single)
        yield from _beside(place.here)


def _beside(root: str) -> Iterator[str]:
    """Yield the data files beside a module, and those in folders beside it that hold no code."""
    for path, ignored in files_of(root, enter=lambda folder: not _has_code(folder)):
        if not ignored and not path.endswith((*_CODE, _NOTEBOOK)):
            yield path


def _has_code(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entry.name.endswith(_CODE) for entry in entries)
    except OSError:
        return True


def _listed(root: str) -> Iterator[tuple[str, bool]]:
    if os.path.isfile(root):
        yield from _archived(root)
        return
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        stem = entry.name.partition(".")[0]
        if not stem.isidentifier():
            continue
        if entry.name.endswith(_CODE) and entry.is_file():
            yield stem, False
        elif entry.name == stem and entry.is_dir() and not is_never(stem):
            yield stem, not os.path.exists(os.path.join(entry.path, "__init__.py"))


def _archived(path: str) -> Iterator[tuple[str, bool]]:
    """Yield the modules in a zip archive."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return
    for name in names:
        stem, _, rest = name.partition("/")
        if rest == "__init__.py" or (not rest and name.endswith(".py")):
            yield stem.removesuffix(".py"), False


def _editable_finders(recorder: Recorder) -> Iterator[Callable[[str], ModuleSpec | None]]:
    """Yield what finds the modules of editable installs whose folders are not on ``sys.path``."""
    for finder in sys.meta_path:
        home = sys.modules.get(getattr(finder, "__module__", None) or "")
        if finder is not recorder and isinstance(getattr(home, "MAPPING", None), dict):
            yield getattr(finder, "find_spec")  # noqa: B009


def _label(folder: str) -> str:
    """Return a short name for a folder, unlike that of any other."""
    return f"{os.path.basename(folder) or 'root'}-{digest(folder.encode())[:8]}"


_digests: dict[tuple[str, Stamp | None], tuple[str, int]] = {}


def _digest_of(path: str, stamp: Stamp | None) -> tuple[str, int]:
    key = path, stamp
    known = _digests.get(key)
    if known is None:
        with open(path, "rb") as file:
            content = file.read()
        known = _digests[key] = digest(content), len(content)
    return known


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _mb(size: int) -> str:
    return f"{size / 2**20:.0f} MB"
