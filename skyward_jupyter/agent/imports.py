"""Own modules of the user's in a slot: the same as the kernel's, whatever machine this is.

Where the kernel's files are here too, modules come from them, with the content that the kernel has loaded where that is
another one. Elsewhere the first import of a module brings its files. Before each task, what the kernel has in another
version by now is loaded again, and so is what imports it, so that an edit is there at the next call or cell.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.modules import ask
from skyward_jupyter.wire import spaces
from skyward_jupyter.wire.imports import Recorder, Source, found_by_others, install, stamp_of
from skyward_jupyter.wire.locks import thread_rlock
from skyward_jupyter.wire.project import Loaded, Project

if TYPE_CHECKING:
    from importlib.abc import Loader  # which imports much


class HeldLoader(SourceFileLoader):
    """Loads a module from the content that the kernel has loaded, whose file has another one by now."""

    def __init__(self, name: str, path: str, content: bytes) -> None:
        super().__init__(name, path)
        self._content = content

    def get_data(self, path: str) -> bytes:
        """Return the content for the module's own file."""
        return self._content if path == self.path else super().get_data(path)

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """Say that there is no file to compare a compiled form with."""
        raise OSError("the kernel has another content")


class _Completing:
    """Loads a module, then those below it that the kernel has loaded. It is a `Loader` by what it has."""

    def __init__(self, loader: Loader, imports: Imports) -> None:
        self._loader = loader
        self._imports = imports

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return what the loader makes."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        spec = module.__spec__
        if spec is not None:
            spec.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._imports.complete(module.__name__)


class Imports(Recorder):
    """Finds own modules for the code of a slot, and loads them again when the kernel's have changed."""

    def __init__(self) -> None:
        super().__init__()
        self._config: AgentConfig | None = None
        self._project: Project | None = None
        self._roots: dict[str, tuple[tuple[str, str], ...]] = {}
        self._digests: dict[str, str] = {}
        self._lacking: set[str] = set()
        self._followed: dict[str, str | None] = {}
        self._paths: tuple[str, ...] = ()
        self._counted = 0
        self._failed: dict[str, object] = {}
        self._directory = ""
        self._fresh = True
        self._lock = thread_rlock()
        self._objects: dict[Any, Any] = {}

    def enter(self, config: AgentConfig) -> None:
        """Serve the code of this process from now on."""
        self._config = config
        self._paths = config.paths
        install(self)

    def take(self, body: bytes) -> None:
        """Know the project as the kernel has it now."""
        with self._lock:
            self._project = project = Project.from_bytes(body)
            spaces.forget()
            self._fresh = True
            if project.shared:
                self._follow(project)

    def _follow(self, project: Project) -> None:
        """Take over the kernel's path, directory and variables, except where this process has changed them itself."""
        if project.paths != self._paths:
            mine = [entry for entry in sys.path if entry not in self._paths]
            gone = {entry for entry in self._paths if entry not in sys.path}
            sys.path[:] = [*(entry for entry in project.paths if entry not in gone), *mine]
            self._paths = project.paths
        former = self._directory or project.began_in
        if project.directory not in ("", former) and _directory() == former:
            with contextlib.suppress(OSError):
                os.chdir(project.directory)
        self._directory = project.directory or former
        before = self._config.env if self._config is not None else {}
        for name in {*project.env, *self._followed}:
            known = self._followed.get(name, before.get(name))
            value = project.env.get(name, before.get(name))
            if os.environ.get(name) == known and value != known:
                _set_variable(name, value)
            self._followed[name] = value

    # -- finding ------------------------------------------------------------------------------------------------------

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is: the kernel's version where the kernel has one."""
        project = self._project
        if project is None:
            return None
        if project.shared:
            spec = self._here(project, fullname, path, target)
        else:
            spec = self._sent(project, fullname, path, target)
        if spec is not None:
            if not isinstance(spec.loader, HeldLoader):
                self.note(spec)
            if path is None and spec.loader is not None and _below(fullname, project.loaded):
                spec.loader = cast("Loader", _Completing(spec.loader, self))
        return spec

    def complete(self, top: str = "") -> None:
        """Import what the kernel has loaded of the packages that are loaded here, as it is there by its name alone.

        A module that fails is left to the code that needs it.
        """
        project = self._project
        if project is None or not (top or self._counted != len(sys.modules)):
            return
        for name in project.loaded:
            first, _, below = name.partition(".")
            if below and first in sys.modules and name not in sys.modules and top in ("", first):
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
        self._counted = len(sys.modules)

    def as_called(self, text: str) -> str:
        """Return a text with the paths of files that were sent here as they are at the kernel."""
        home = os.path.expanduser("~")
        for folder, called in {place for roots in self._roots.values() for place in roots}:
            text = text.replace(folder + os.sep, called + os.sep)
            if folder.startswith(home + os.sep):  # as IPython writes it
                text = text.replace(f"~{folder.removeprefix(home)}{os.sep}", called + os.sep)
        return text

    def _here(
        self, project: Project, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        loaded = project.modules.get(name)
        if loaded is None:
            return found_by_others(self, name, path, target)
        held = project.held.get(loaded.digest)
        if held is not None:
            self.keep(name, Source(loaded.path, loaded.stamp, loaded.digest, held))
            return _spec(name, HeldLoader(name, loaded.path, held))
        spec = found_by_others(self, name, path, target)
        if (spec is None or spec.origin != loaded.path) and os.path.isfile(loaded.path):
            return importlib.util.spec_from_file_location(
                name, loaded.path, submodule_search_locations=_locations(loaded.path)
            )
        return spec

    def _sent(
        self, project: Project, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        top = name.partition(".")[0]
        provided = project.names.get(top)
        if provided is None:
            return None
        if path is None and provided.namespace:
            spec = found_by_others(self, name, path, target)
            if spec is not None and spec.loader is not None:
                return spec
        with self._lock:
            roots = self._roots_of(top)
        folders = [folder for folder, _ in roots]
        return PathFinder.find_spec(name, folders if path is None else path, target)

    def _roots_of(self, top: str) -> tuple[tuple[str, str], ...]:
        if top in self._lacking:
            return ()
        if top not in self._roots:
            self._bring(top)
        return self._roots.get(top, ())

    def _bring(self, top: str) -> None:
        """Have the files of a module on this machine, as the kernel has them now."""
        assert self._config is not None
        answer = ask(self._config, top)
        if answer.why:
            self._lacking.add(top)
            raise ImportError(f"{top} could not be brought here from the notebook: {answer.why}", name=top)
        self._roots[top], self._digests[top] = answer.roots, answer.digest
        for folder, _ in answer.roots:
            if folder not in sys.path:
                sys.path.append(folder)  # for processes that this one starts
        importlib.invalidate_caches()

    # -- edits --------------------------------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Load again what the kernel has in another version, and what imports it; returns whether anything was.

        A module that fails to load is said, and left as it is.
        """
        with self._lock:
            project = self._project
            if project is None:
                return False
            self._lacking.clear()  # what could not be brought may be there by now
            if self._fresh:
                self._fresh = False
                self._renew(project)
            stale = [name for name in list(self.sources) if name in sys.modules and self._is_stale(project, name)]
            for name in self._in_order(stale):
                self._reload(project, name)
            self.complete()
            return bool(stale)

    def _renew(self, project: Project) -> None:
        for top, digest in list(self._digests.items()):
            provided = project.names.get(top)
            if provided is not None and provided.digest not in ("", digest):
                self._bring(top)
        for name in list(self.sources):
            if name not in sys.modules:
                self.sources.pop(name, None)

    def _is_stale(self, project: Project, name: str) -> bool:
        wanted, had = self._versions(project, name)
        return wanted not in (None, had, self._failed.get(name))

    def _versions(self, project: Project, name: str) -> tuple[object, object]:
        """Return which version of a module there should be, None if that is not known, and which one there is."""
        source = self.sources[name]
        loaded: Loaded | None = project.modules.get(name)
        if loaded is not None:
            return loaded.digest, source.digest
        return stamp_of(source.path), source.stamp

    def _reload(self, project: Project, name: str) -> None:
        from IPython.extensions.autoreload import superreload

        module = sys.modules[name]
        try:
            superreload(module, _reload, self._objects)
            self._failed.pop(name, None)
        except Exception as error:
            self._failed[name], _ = self._versions(project, name)
            sys.stderr.write(f"{name} was edited but does not load: {type(error).__name__}: {error}\n")

    def _in_order(self, stale: Sequence[str]) -> list[str]:
        """Return these modules and those that import them, each after what it imports."""
        if not stale:
            return []
        imports = {name: self._imports(name) for name in list(self.sources) if name in sys.modules}
        wanted = set(stale)
        while more := {name for name, used in imports.items() if name not in wanted and used & wanted}:
            wanted |= more
        ordered: dict[str, None] = {}

        def visit(name: str, above: frozenset[str]) -> None:
            for used in sorted((imports.get(name, frozenset()) & wanted) - above - set(ordered)):
                visit(used, above | {name})
            ordered.setdefault(name)

        for name in [*stale, *sorted(wanted - set(stale))]:
            visit(name, frozenset({name}))
        return list(ordered)

    def _imports(self, name: str) -> frozenset[str]:
        """Return the own modules that a module imports, wherever in its code."""
        try:
            tree = ast.parse(self.sources[name].content)
        except (SyntaxError, ValueError):
            return frozenset()
        module = sys.modules[name]
        package = name if hasattr(module, "__path__") else name.rpartition(".")[0]
        return frozenset(found for found in _imported(tree, package) if found in self.sources and found != name)


def _reload(module: ModuleType) -> ModuleType:
    """Load a module again; autoreload has emptied it, also of its submodules, which nothing imports again."""
    for name, child in list(sys.modules.items()):
        above, _, last = name.rpartition(".")
        if above == module.__name__:
            module.__dict__.setdefault(last, child)
    return importlib.reload(module)


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                above = ".".join(parts[: len(parts) - node.level + 1])
                base = f"{above}.{base}" if base else above
            yield from _with_parents(base)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _with_parents(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]


def _spec(name: str, loader: SourceFileLoader) -> ModuleSpec | None:
    return importlib.util.spec_from_file_location(
        name, loader.path, loader=loader, submodule_search_locations=_locations(loader.path)
    )


def _locations(path: str) -> list[str] | None:
    return [os.path.dirname(path)] if os.path.basename(path).startswith("__init__.") else None


def _below(top: str, names: Sequence[str]) -> bool:
    return any(name.startswith(f"{top}.") for name in names)


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _set_variable(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


#: The imports of this process.
imports = Imports()
