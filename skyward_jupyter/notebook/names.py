"""Which global names a cell reads and binds, found without running it.

The cell is read in the order it runs, so a name that it binds first is not one it reads. What a function body reads
counts where the function's name is first used, or at the end. Where the order depends on a condition the answer leans
towards a read; loops, ``with`` and ``try`` bodies are taken to run. Attributes, ``exec`` and ``globals()`` are not
seen.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from skyward_jupyter.agent.cells import LineKeepingTransformer
from skyward_jupyter.notebook.scopes import Scope, scope_of

_CODE_MAGICS = frozenset({"time", "timeit", "prun", "memit", "lprun", "mprun"})
_NAME_MAGICS = frozenset({"pinfo", "pinfo2", "psource", "pdef", "pdoc", "pfile"})
_LEADING_OPTIONS = re.compile(r"^(\s*-{1,2}\w+(\s+\d+)?(?=\s|$))*\s*")
_BRACES = re.compile(r"(?<!\{)\{([^{}:!]+)(?:![rsa])?(?::[^{}]*)?\}")
_DOLLAR = re.compile(r"(?<!\$)\$\{?([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Names:
    """The global names of a cell.

    Attributes
    ----------
    reads
        Those it may read before it binds them, in order of appearance.
    binds
        Those it may bind, imports, functions and classes included.
    certain
        Those of `binds` that are bound whenever the cell succeeds.
    functions
        For each function or class it defines, the global names their bodies read.
    """

    reads: tuple[str, ...]
    binds: frozenset[str]
    certain: frozenset[str]
    functions: dict[str, frozenset[str]] = field(default_factory=dict)


def names_of(code: str) -> Names:
    """The names of a cell in IPython's syntax; raises SyntaxError where it is not Python."""
    return names_in(ast.parse(LineKeepingTransformer().transform_cell(code)))


def names_in(tree: ast.Module) -> Names:
    """The names of a cell whose special syntax IPython has transformed."""
    flow = _Flow()
    flow.block(tree.body)
    flow.finish()
    return Names(tuple(flow.reads), frozenset(flow.binds), frozenset(flow.bound), flow.functions)


class _Flow:
    """Walks module-level statements in the order they run."""

    def __init__(self) -> None:
        self.reads: dict[str, None] = {}
        self.binds: set[str] = set()
        self.bound: set[str] = set()
        self.functions: dict[str, frozenset[str]] = {}
        self._waiting: dict[str, frozenset[str]] = {}

    def block(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self._statement(statement)

    def finish(self) -> None:
        while self._waiting:
            self._use(next(iter(self._waiting)))

    def load(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.bound:
                self.reads.setdefault(name)
            self._use(name)

    def _use(self, name: str) -> None:
        inner = self._waiting.pop(name, None)
        if inner is not None:
            self.load(sorted(inner))

    def store(self, names: Iterable[str]) -> None:
        for name in names:
            self.binds.add(name)
            self.bound.add(name)
            if name in self._waiting:
                self._use(name)

    def expression(self, *nodes: ast.AST | None) -> None:
        for node in nodes:
            if node is not None:
                self._take(scope_of([node]))
                self._magics(node)

    def _take(self, scope: Scope) -> None:
        self.load(name for name in scope.free() if name not in scope.walrus)
        self.store(sorted(scope.stores))
        self.binds |= scope.globals_bound

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._definition(node)
            case ast.If():
                self.expression(node.test)
                self._branches([node.body, node.orelse])
            case ast.For() | ast.AsyncFor():
                self.expression(node.iter)
                self.expression(node.target)
                self.block([*node.body, *node.orelse])
            case ast.While():
                self.expression(node.test)
                self.block([*node.body, *node.orelse])
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    self.expression(item.context_expr, item.optional_vars)
                self.block(node.body)
            case ast.Try() | ast.TryStar():
                self._try(node)
            case ast.Match():
                self.expression(node.subject)
                self._branches([[*_case_parts(case), *case.body] for case in node.cases] + [[]])
            case ast.Delete():
                self._delete(node)
            case _:
                self.expression(node)

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        scope = scope_of([node])
        inner = scope.deferred.get(node.name, frozenset())
        self.load(scope.loads)
        self._magics(node)
        self.store([node.name])
        self.functions[node.name] = inner
        self._waiting[node.name] = inner - {node.name}
        self.binds |= scope.globals_bound

    def _branches(self, branches: Sequence[Sequence[ast.stmt | ast.expr]]) -> None:
        before = set(self.bound)
        ends: list[set[str]] = []
        for branch in branches:
            self.bound = set(before)
            for part in branch:
                if isinstance(part, ast.stmt):
                    self._statement(part)
                else:
                    self.expression(part)
            if not _leaves(branch):
                ends.append(self.bound)
        self.bound = set.intersection(*ends) if ends else before

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        before = set(self.bound)
        self.block([*node.body, *node.orelse])
        ends = [self.bound]
        for handler in node.handlers:
            self.bound = set(before)
            self.expression(handler.type)
            if handler.name:
                self.store([handler.name])
            self.block(handler.body)
            if not _leaves(handler.body):
                ends.append(self.bound - {handler.name or ""})
        self.bound = set.intersection(*ends)
        self.block(node.finalbody)

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.load([target.id])
                self.binds.add(target.id)
                self.bound.discard(target.id)
            else:
                self.expression(target)

    def _magics(self, node: ast.AST) -> None:
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and (found := _magic_of(call)) is not None:
                method, arguments = found
                _MAGIC[method](self, arguments)


def _case_parts(case: ast.match_case) -> list[ast.stmt | ast.expr]:
    """A case's captures and guard, as nodes to walk before its body."""
    names = [
        ast.Assign([ast.Name(name, ast.Store())], ast.Constant(None))
        for pattern in ast.walk(case.pattern)
        for name in (getattr(pattern, "name", None), getattr(pattern, "rest", None))
        if isinstance(name, str)
    ]
    values = [node for node in ast.walk(case.pattern) if isinstance(node, ast.expr)]
    return [*values, *names, *([case.guard] if case.guard is not None else [])]


def _leaves(branch: Sequence[ast.AST]) -> bool:
    return bool(branch) and isinstance(branch[-1], ast.Raise | ast.Return | ast.Continue | ast.Break)


def _magic_of(call: ast.Call) -> tuple[str, list[str]] | None:
    match call.func:
        case ast.Attribute(ast.Call(ast.Name("get_ipython")), method) if method in _MAGIC:
            texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            return (method, texts) if len(texts) == len(call.args) else None
    return None


def _shell_line(flow: _Flow, arguments: list[str]) -> None:
    for text in arguments[:1]:
        flow.load(expanded(text))


def _line_magic(flow: _Flow, arguments: list[str]) -> None:
    if len(arguments) == 2:
        name, line = arguments
        flow.load(expanded(line))
        if name in _CODE_MAGICS:
            _run_inside(flow, _LEADING_OPTIONS.sub("", line, count=1))
        elif name in _NAME_MAGICS:
            flow.load(re.findall(r"^[A-Za-z_]\w*", line.strip()))


def _cell_magic(flow: _Flow, arguments: list[str]) -> None:
    if len(arguments) == 3:
        name, line, body = arguments
        flow.load(expanded(line))
        if name == "capture":
            _run_inside(flow, body)
            flow.store(word for word in line.split() if word.isidentifier())
        elif name in _CODE_MAGICS:
            _run_inside(flow, _LEADING_OPTIONS.sub("", line, count=1))
            _run_inside(flow, body)


def _run_inside(flow: _Flow, code: str) -> None:
    try:
        tree = ast.parse(LineKeepingTransformer().transform_cell(code))
    except SyntaxError:
        return
    flow.block(tree.body)


_MAGIC: dict[str, Callable[[_Flow, list[str]], None]] = {
    "system": _shell_line,
    "getoutput": _shell_line,
    "run_line_magic": _line_magic,
    "run_cell_magic": _cell_magic,
}


def expanded(text: str) -> list[str]:
    """The names that IPython would put into a shell or magic line for ``$name`` and ``{expression}``."""
    found = _DOLLAR.findall(text)
    for part in _BRACES.findall(text):
        try:
            found += scope_of([ast.parse(part.strip(), mode="eval")]).free()
        except SyntaxError:
            continue
    return found
