"""Values of a notebook as bytes and back: code that keeps its lines, and what cloudpickle alone refuses or changes."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from skyward_jupyter.wire.blame import explain
from skyward_jupyter.wire.codec import dumps, loads
from skyward_jupyter.wire.stays import Stays
from tests.elsewhere import Elsewhere, elsewhere

CELL = "/tmp/ipykernel_1/3815.py"

type Cell = Callable[..., types.SimpleNamespace]


@pytest.fixture(scope="module")
def there() -> Iterator[Elsewhere]:
    with elsewhere() as process:
        yield process


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """Runs a notebook's cell in a ``__main__`` of its own; its names are attributes of what it gives."""
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)

    def run(source: str) -> types.SimpleNamespace:
        exec(compile(source, CELL, "exec", dont_inherit=True), vars(main))
        return types.SimpleNamespace(**vars(main))

    return run


def codes(code: types.CodeType) -> list[types.CodeType]:
    """A function's code with the code inside it."""
    return [code, *(part for const in code.co_consts if isinstance(const, types.CodeType) for part in codes(const))]


def test_code_keeps_the_name_of_its_cell_and_its_lines(cell: Cell) -> None:
    here = cell("def f(x):\n    class A:\n        y = [lambda z: (x, z) for _ in range(2)]\n    return A\n").f
    there: Any = loads(dumps(here))
    assert [code.co_filename for code in codes(there.__code__)] == [CELL] * len(codes(here.__code__))
    assert there.__code__ == here.__code__
    assert list(there.__code__.co_positions()) == list(here.__code__.co_positions())


def test_the_methods_of_a_class_keep_the_name_of_their_cell(cell: Cell) -> None:
    code = dumps(cell("class A:\n    def f(self):\n        return 1\n").A)
    assert CELL.encode() in code
    assert b"<dynamic-code>" not in code


def test_the_same_function_has_the_same_bytes_there_as_here(cell: Cell) -> None:
    here = cell("def f(first, second=1):\n    def g(): return first, len\n    return g\n").f
    assert dumps(loads(dumps(here))) == dumps(here)


CACHES = """
import functools, os
@functools.cache
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
def uses(n): return fib(n), fib.__name__, fib.__wrapped__.__name__, fib.cache_info().currsize
base = functools.cache(os.path.basename)
def of_library(): return base('a/b')
class Point:
    def __init__(self, x): self.x = x
    @functools.lru_cache(maxsize=7, typed=True)
    def method(self, n): return self.x if n == 0 else self.method(n - 1) + 1
    @staticmethod
    @functools.cache
    def static(x): return x
    @classmethod
    @functools.cache
    def own(cls): return cls
    @functools.cached_property
    def late(self): return 5
make = functools.cache(Point)
def of_class(): return make(1) is make(1)
def methods(point):
    return point.method(3), point.method.cache_parameters(), Point.static(1), Point.own() is Point, point.late
def inner():
    @functools.cache
    def g(n): return n if n < 2 else g(n - 1) + g(n - 2)
    return g
"""


def test_caches_go_along_empty(there: Elsewhere, cell: Cell) -> None:
    names = cell(CACHES)
    names.fib(50)
    assert there(names.uses, 30) == (832040, "fib", "fib", 31)
    assert there(names.fib, 30) == 832040
    assert (there(names.of_library), there(names.of_class)) == ("b", True)
    assert there(names.methods, names.Point(2)) == (5, {"maxsize": 7, "typed": True}, 1, True, 5)
    assert there(names.Point(2).method, 3) == 5
    assert there(names.inner)(30) == 832040


def test_a_cache_of_a_library_goes_by_its_name() -> None:
    import re

    assert loads(dumps(re._compile_template)) is re._compile_template  # type: ignore[attr-defined]


GENERIC = """
import functools
from collections.abc import Mapping
class P: pass
@functools.singledispatch
def enc(x):
    "Encode."
    return 'any'
enc.note = 3
@enc.register
def _(x: int): return 'int'
@enc.register(list)
def _(x): return [enc(i) for i in x]
@enc.register(Mapping)
def _(x): return {k: enc(v) for k, v in x.items()}
@enc.register
def _(x: P): return 'P'
enc([1])
def uses():
    found = enc(1), enc([1, 2.0, P()]), enc({'a': P()}), enc.dispatch(int)(3)
    return *found, enc.__name__, enc.__doc__, enc.note
class S:
    @functools.singledispatchmethod
    def method(self, x): return 'any'
    @method.register
    def _(self, x: int): return 'int'
    @functools.singledispatchmethod
    @classmethod
    def made(cls, x): return cls
    @made.register
    @classmethod
    def _(cls, x: int): return 'int'
def methods(s): return s.method(1), s.method('a'), S.made(1), S.made('') is S
"""


def test_generic_functions_go_with_their_implementations(there: Elsewhere, cell: Cell) -> None:
    names = cell(GENERIC)
    assert there(names.uses) == ("int", ["int", "any", "P"], {"a": "P"}, "int", "enc", "Encode.", 3)
    assert there(names.enc, [1, names.P()]) == ["int", "P"]
    assert there(lambda generic: generic, names.enc)([1]) == ["int"]
    assert there(names.methods, names.S()) == ("int", "any", "int", True)


LOCKED = """
import functools, threading
lock = threading.Lock()
@functools.singledispatch
def enc(x): return 'any'
@enc.register
def locked(x: str): return lock
"""


def test_a_part_of_a_generic_function_that_cannot_travel_is_named(cell: Cell) -> None:
    assert explain("enc", cell(LOCKED).enc).path == "lock (used by enc.dispatch(str))"


SLOTS = """
import dataclasses, weakref
from typing import Generic, NamedTuple, TypeVar
G = 1
@dataclasses.dataclass(slots=True)
class D:
    x: int
    y: list = dataclasses.field(default_factory=list)
    def up(self): return dataclasses.replace(self, x=self.x + G)
@dataclasses.dataclass(slots=True, frozen=True, order=True)
class B:
    x: int
@dataclasses.dataclass(slots=True, frozen=True, weakref_slot=True, kw_only=True)
class C(B):
    y: 'int' = 5
class P:
    __slots__ = ('a', '__b', '__weakref__', '__dict__')
    def __init__(self, a): self.a = self.__b = a
    def b(self): return self.__b
class Q(P):
    __slots__ = 'q'
class R(Q):
    __slots__ = {'r': 'what r is'}
    def __init__(self):
        super().__init__(7)
        self.q, self.r, self.free = 1, 2, 3
    def parts(self): return self.a, self.b(), self.q, self.r, self.free
T = TypeVar('T')
class Box(Generic[T]):
    __slots__ = ('v',)
    def __init__(self, v): self.v = v
class N(NamedTuple):
    a: int
    b: str = 'x'
class L(list):
    __slots__ = ('z',)
def up(d): return d.up()
def made(): return D(3), C(x=1), R(), Box[int](4), N(1), listed()
def listed():
    one = L([1])
    one.z = 3
    return one
def closed():
    d = D(3)
    try: d.z = 1
    except AttributeError: return True
def referred(c): return weakref.ref(c)() is c
def same(value): return value
"""


def test_instances_with_slots_go_and_come_back(there: Elsewhere, cell: Cell) -> None:
    names = cell(SLOTS)
    back = there(names.up, names.D(1))
    assert type(back) is names.D
    assert back == names.D(2)
    assert there(names.same, names.C(x=1, y=2)) == names.C(x=1, y=2)
    d, c, r, box, n, listed = there(names.made)
    assert (d, c, n) == (names.D(3), names.C(x=1), names.N(1))
    assert {c: 1}[names.C(x=1)] == 1
    assert (type(r), r.parts(), box.v, listed, listed.z) == (names.R, (7, 7, 1, 2, 3), 4, [1], 3)
    assert there(names.same, r).parts() == r.parts()


def test_slots_are_slots_there_too(there: Elsewhere, cell: Cell) -> None:
    names = cell(SLOTS)
    assert there(names.closed)
    assert there(names.referred, names.C(x=1))


def test_classes_with_slots_that_attrs_makes(there: Elsewhere, cell: Cell) -> None:
    names = cell(
        "import attrs\n@attrs.define\nclass A:\n    x: int\n    def up(self): return attrs.evolve(self, x=2)\n"
    )
    names = cell("def up(a): return a.up(), A(3)")
    assert there(names.up, names.A(1)) == (names.A(2), names.A(3))


LOCAL = """
def f():
    import dataclasses, enum
    @dataclasses.dataclass(slots=True)
    class D:
        x: int
        def up(self): return D(self.x + 1)
    class Plain:
        __slots__ = ('x',)
        def __init__(self): self.x = 1
    class E(enum.Enum):
        A = 1
    return D(1), Plain(), E.A
def again(d): return d, d.up(), type(d)
"""


def test_classes_made_there_come_here_and_go_back(there: Elsewhere, cell: Cell) -> None:
    names = cell(LOCAL)
    d, plain, member = there(names.f)
    assert (d.up().x, plain.x, member.name) == (2, 1, "A")
    same, up, kind = there(names.again, d)
    assert kind is type(d) is type(same) is type(up)
    assert (same, up.x) == (d, 2)


STATE = """
import enum
G = 1
class C:
    n = 0
    def m(self): return G
class E(enum.Enum):
    A = 1
    def m(self): return G
def counts():
    C.n += 1
    return C(), E.A, C.n
def n(): return C.n
def new(): return C().new()
def lacks(): return not hasattr(C, 'new')
"""


def test_a_class_that_comes_back_is_left_as_it_is_here(there: Elsewhere, cell: Cell) -> None:
    names = cell(STATE)
    before = names.C.m, names.E.m
    instance, member, _ = there(names.counts)
    assert (names.C.n, names.C.m, names.E.m) == (0, *before)
    assert member is names.E.A
    cell("G = 2")
    assert instance.m() == 2


def test_a_class_there_follows_the_one_here(there: Elsewhere, cell: Cell) -> None:
    names = cell(STATE)
    assert there(names.n) == 0
    names.C.n = 5
    assert there(names.n) == 5
    names.C.new = lambda self: 3
    assert there(names.new) == 3
    del names.C.new
    assert there(names.lacks)


def test_a_class_is_made_once_so_that_its_registry_has_it_once(there: Elsewhere, cell: Cell) -> None:
    source = "class Base:\n    def __init_subclass__(cls): made.append(cls.__name__)\nmade = []\nclass A(Base): pass\n"
    names = cell(source + "def f():\n    global made\n    before = len(made)\n    return A, before\n")
    kind, _ = there(names.f)
    there(names.f)
    assert kind is names.A
    assert names.made == ["A"]


TYPING = """
from typing import NewType, ParamSpec, TypeVarTuple
U = NewType('U', int)
PS = ParamSpec('PS')
TS = TypeVarTuple('TS')
type Json = dict[str, Json] | list[Json] | str
type Pair[X] = tuple[X, X]
type Tree[X] = X | list[Tree[X]]
def f(x: Json, u: U = U(3), p: Pair[int] = (1, 1), t: Tree[int] = 1) -> Pair[int]: return u, x, U(5)
def g(*a: *TS) -> PS: return 1
def h[X: int](x: X, y: list[X]) -> X: return x
def aliases():
    return str(Json.__value__), Tree.__value__.__parameters__ == Tree.__type_params__, Tree.__module__, str(Tree[int])
def same(value): return value
"""


def test_names_of_types_go_along(there: Elsewhere, cell: Cell) -> None:
    names = cell(TYPING)
    assert there(names.f, "a") == (3, "a", 5)
    assert (there(names.g), there(names.h, 1, [])) == (1, 1)
    assert there(names.aliases) == ("dict[str, Json] | list[Json] | str", True, "__main__", "Tree[int]")
    back = there(names.same, names.Json)
    assert back.__value__.__args__[1].__args__ == (back,)
    assert there(names.same, names.U) is names.U


SINGLE = """
class Missing:
    def __reduce__(self): return 'MISSING'
MISSING = Missing()
class Slotted:
    __slots__ = ('n',)
    def __reduce__(self): return 'SLOTTED'
SLOTTED = Slotted()
SLOTTED.n = 1
def is_it(x=MISSING): return x is MISSING
def slotted(x): return x is SLOTTED, x.n
def given(): return MISSING, SLOTTED
"""


def test_an_object_that_pickles_as_a_name_of_the_notebook_stays_one(there: Elsewhere, cell: Cell) -> None:
    names = cell(SINGLE)
    assert there(names.is_it)
    assert there(names.is_it, names.MISSING)
    assert there(names.slotted, names.SLOTTED) == (True, 1)
    missing, slotted = there(names.given)
    assert missing is names.MISSING
    assert slotted is names.SLOTTED


def test_what_is_only_a_name_is_refused_with_its_path(cell: Cell) -> None:
    names = cell("import numpy as np\nadds = np.frompyfunc(lambda a: a + 1, 1, 1)\ndef f(): return adds(1)\n")
    with pytest.raises(Stays, match="travels by its name alone"):
        dumps(names.f)
    assert str(explain("f", names.f)) == (
        "adds (used by f) (a numpy.ufunc) cannot be sent to a node: it travels by its name alone, and no module has it "
        "as '<lambda> (vectorized)'; make it inside the function that needs it, or in a module of your own"
    )
    assert loads(dumps(np.add)) is np.add
