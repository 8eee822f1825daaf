"""Python's scoping rules for one piece of syntax: which of its names are free, and which it binds.

Function bodies, comprehensions and class bodies are scopes of their own, as in the language: a class body's names are
not seen by its methods, a comprehension's targets stay inside, a ``:=`` binds outside it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

type _Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
type _Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass
class Scope:
    """The names of one scope.

    Attributes
    ----------
    loads
        Read directly, or by something inside that runs at once, in order.
    stores
        Bound in this scope.
    walrus
        Those of `stores` that ``:=`` binds.
    inner
        Free in functions inside, which run later.
    deferred
        `inner` by the name of the function or class.
    globals_bound
        Declared ``global`` somewhere inside and bound there.
    """

    loads: dict[str, None] = field(default_factory=dict)
    stores: set[str] = field(default_factory=set)
    walrus: set[str] = field(default_factory=set)
    inner: dict[str, None] = field(default_factory=dict)
    deferred: dict[str, frozenset[str]] = field(default_factory=dict)
    globals_bound: set[str] = field(default_factory=set)
    declared_global: set[str] = field(default_factory=set)
    declared_nonlocal: set[str] = field(default_factory=set)

    def free(self) -> list[str]:
        """Names it reads, at once or later, in order."""
        return [*self.loads, *(name for name in self.inner if name not in self.loads)]

    def local(self) -> set[str]:
        """Names that are its own."""
        return self.stores - self.declared_global - self.declared_nonlocal


def scope_of(nodes: Iterable[ast.AST]) -> Scope:
    """The scope that these nodes make up."""
    reader = _Reader()
    for node in nodes:
        reader.visit(node)
    return reader.scope


class _Reader(ast.NodeVisitor):
    def __init__(self) -> None:
        self.scope = Scope()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.scope.loads.setdefault(node.id)
        else:
            self.scope.stores.add(node.id)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.scope.loads.setdefault(node.target.id)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.scope.walrus.add(node.target.id)
        self.scope.stores.add(node.target.id)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self.scope.stores.add(alias.asname or alias.name.partition(".")[0])
        self.scope.stores.discard("*")

    visit_ImportFrom = visit_Import  # noqa: N815

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.scope.stores.add(node.name)
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        self.scope.declared_global.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.scope.declared_nonlocal.update(node.names)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self.scope.stores.add(node.name)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs  # noqa: N815

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.scope.stores.add(node.rest)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._signature(node.args)
        inner = self._body(node)
        if node.returns is not None:
            self.visit(node.returns)
        self._later(node.name, inner)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._signature(node.args)
        self._now(self._body(node))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)):
            self.visit(part)
        body = scope_of(node.body)
        own = {_name_of(parameter) for parameter in node.type_params}
        for name in body.loads:
            if name not in body.local() and name not in own:
                self.scope.loads.setdefault(name)
        self.scope.globals_bound |= body.globals_bound | (body.declared_global & body.stores)
        self._later(node.name, [name for name in body.inner if name not in own])

    def visit_ListComp(self, node: _Comprehension) -> None:
        self.visit(node.generators[0].iter)
        inner = _Reader()
        for index, generator in enumerate(node.generators):
            inner.visit(generator.target)
            for part in (*([generator.iter] if index else []), *generator.ifs):
                inner.visit(part)
        for part in [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]:
            inner.visit(part)
        own = inner.scope.stores - inner.scope.walrus
        self.scope.walrus |= inner.scope.walrus
        self.scope.stores |= inner.scope.walrus
        for name in inner.scope.free():
            if name not in own:
                self.scope.loads.setdefault(name)

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp  # noqa: N815

    def visit_TypeAlias(self, node: ast.TypeAlias) -> None:
        own = {_name_of(parameter) for parameter in node.type_params}
        self.scope.stores.add(node.name.id)
        self._now([name for name in scope_of([node.value]).free() if name not in own])

    def _signature(self, args: ast.arguments) -> None:
        for default in (*args.defaults, *args.kw_defaults):
            if default is not None:
                self.visit(default)
        for arg in _all_args(args):
            if arg.annotation is not None:
                self.visit(arg.annotation)

    def _body(self, node: _Function) -> list[str]:
        """The free names of a function's body."""
        scope = scope_of([node.body] if isinstance(node, ast.Lambda) else node.body)
        own = scope.local() | {arg.arg for arg in _all_args(node.args)}
        if not isinstance(node, ast.Lambda):
            own |= {_name_of(parameter) for parameter in node.type_params}
        self.scope.globals_bound |= scope.globals_bound | (scope.declared_global & scope.stores)
        return [name for name in scope.free() if name not in own]

    def _later(self, name: str, free: Iterable[str]) -> None:
        self.scope.stores.add(name)
        names = list(free)
        self.scope.deferred[name] = frozenset(names)
        for found in names:
            self.scope.inner.setdefault(found)

    def _now(self, free: Iterable[str]) -> None:
        for name in free:
            self.scope.loads.setdefault(name)


def _name_of(parameter: ast.type_param) -> str:
    return str(getattr(parameter, "name", ""))


def _all_args(args: ast.arguments) -> list[ast.arg]:
    extra = [arg for arg in (args.vararg, args.kwarg) if arg is not None]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *extra]
