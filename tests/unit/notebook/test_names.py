"""Which names a cell reads and binds."""

from __future__ import annotations

import builtins

import pytest

from skyward_jupyter.notebook.names import Names, expanded, names_of


def reads(code: str) -> set[str]:
    return set(names_of(code).reads) - set(dir(builtins)) - {"get_ipython"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x", "x"),
        ("x = 1\nx", ""),
        ("x = x + y", "x y"),
        ("x += 1", "x"),
        ("x.y = z", "x z"),
        ("x[i] = z", "x i z"),
        ("del x", "x"),
        ("import numpy as np\nnp.zeros(n)", "n"),
        ("import os.path\nos.path.join(a)", "a"),
        ("from m import f\nf(a)", "a"),
        ("print(f'{u!r} {v:>{w}}')", "u v w"),
        ("a if b else c", "a b c"),
        ("await g()", "g"),
        ("(y := f(x)) and y", "f x"),
        ("lambda q: q + o", "o"),
        ("lambda q=d: q", "d"),
    ],
)
def test_plain_statements(code: str, expected: str) -> None:
    assert reads(code) == set(expected.split())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("[i * k for i in xs if i > m]", "xs k m"),
        ("{k: v for k, v in d.items()}", "d"),
        ("[j for i in a for j in i]", "a"),
        ("[i for i in i]", "i"),
        ("[(z := i) for i in a]\nz", "a"),
        ("sum(x for x in x)", "x"),
    ],
)
def test_comprehensions(code: str, expected: str) -> None:
    assert reads(code) == set(expected.split())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(a):\n    b = a + c\n    return b", "c"),
        ("def f(a=d): return a", "d"),
        ("@deco\ndef f(): pass", "deco"),
        ("def f(x: T) -> R: pass", "T R"),
        ("def f():\n    def g(): return q + p\n    p = 1\n    return g", "q"),
        ("def f():\n    global n\n    n += 1", "n"),
        ("def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = y\n    return g", "y"),
        ("async def f():\n    async with c as d: await d", "c"),
        ("def f(): return x\nx = 1\nf()", ""),
        ("def f(): return x\nf()\nx = 1", "x"),
        ("def f(): return g()\ndef g(): return h\nf()", "h"),
        ("def f(): return f()", ""),
        ("def f[T](x: T) -> T: return cfg", "cfg T"),
        ("def f():\n    try: pass\n    except E as e: return e", "E"),
        ("def f():\n    import a.b\n    return a", ""),
        ("def f(*args, **kw): return args, kw, k", "k"),
    ],
)
def test_functions(code: str, expected: str) -> None:
    assert reads(code) - {"T"} == set(expected.split()) - {"T"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("class A(B, metaclass=M): pass", "B M"),
        ("class A:\n    y = w\n    z = y\n    def m(self): return self.v + q", "w q"),
        ("class A:\n    y = 1\n    def m(self): return y", "y"),
        ("class A:\n    def m(self): return A", ""),
    ],
)
def test_classes(code: str, expected: str) -> None:
    assert reads(code) == set(expected.split())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("if c: x = 1\nx", "c x"),
        ("if c: x = 1\nelse: x = 2\nx", "c"),
        ("if c: x = 1\nelse: raise E\nx", "c E"),
        ("for e in es:\n    loss = e\nloss", "es"),
        ("while t:\n    x = 1\nx", "t"),
        ("with open(p) as fh:\n    t = fh\nt", "p"),
        ("try:\n    import a as m\nexcept ImportError:\n    import b as m\nm", ""),
        ("try:\n    x = 1\nexcept E:\n    pass\nx", "E x"),
        ("match c:\n    case {'a': z, **r} if g: z, r\n    case P(q): q", "c g P"),
        ("for i, (j, k) in pairs: i, j, k", "pairs"),
    ],
)
def test_branches(code: str, expected: str) -> None:
    assert reads(code) == set(expected.split())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("!echo $who {a + b}", "who a b"),
        ("files = !ls $d", "d"),
        ("!echo $$HOME", ""),
        ("%timeit -n 3 -r 1 f(x)", "f x"),
        ("%time y = f(x)", "f x"),
        ("a = %time f(x)", "f x"),
        ("%%time\nz = f(q)\nz", "f q"),
        ("%%capture out\nprint(q)", "q"),
        ("%cd data", ""),
        ("%matplotlib inline", ""),
        ("%%bash\necho $x {y}", ""),
        ("if c:\n    !echo $d", "c d"),
        ("def f():\n    !echo $d", "d"),
    ],
)
def test_shell_and_magic_lines(code: str, expected: str) -> None:
    assert reads(code) == set(expected.split())


def test_what_a_cell_binds() -> None:
    names = names_of("import os\nx = y = 1\nif x: z = 2\ndef f():\n    global g\n    g = 1\nfor i in []: pass\ndel y")
    assert names.binds == {"os", "x", "y", "z", "f", "g", "i"}
    assert {"os", "x", "f"} <= names.certain
    assert not names.certain & {"y", "z", "g"}


def test_what_functions_read_is_kept_by_their_name() -> None:
    names: Names = names_of("def f(): return lr\nclass C:\n    def m(self): return depth")
    assert names.functions == {"f": {"lr"}, "C": {"depth"}}


def test_names_in_shell_lines() -> None:
    assert set(expanded("echo $a {b.c} {d[0]:>4} {e!r}")) == {"a", "b", "d", "e"}
    assert expanded("awk '{print $1}' ${{x}}") == []
