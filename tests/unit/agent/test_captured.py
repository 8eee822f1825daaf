"""What a function took along: kept while it is as it was sent, loaded anew when it may have changed."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from skyward_jupyter.agent.captured import Loaded
from skyward_jupyter.wire.codec import dumps
from tests.elsewhere import Elsewhere, elsewhere, in_turn, is_kept, repeated

type Cell = Callable[[str], bytes]


@pytest.fixture(scope="module")
def there() -> Iterator[Elsewhere]:
    with elsewhere() as process:
        yield process


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """Runs a notebook's cell; gives its function ``f`` as it is sent."""

    def send(source: str) -> bytes:
        main = types.ModuleType("__main__")
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "__main__", main)
            exec(compile(source, "/tmp/ipykernel_1/1.py", "exec", dont_inherit=True), vars(main))
            return dumps(vars(main)["f"])

    return send


CHANGED = {
    "a list": "seen = []\ndef f():\n    seen.append(1)\n    return len(seen)",
    "an iterator": "numbers = iter([1, 2, 3])\ndef f(): return next(numbers)",
    "an object": "class C: n = 0\nc = C()\ndef f():\n    c.n += 1\n    return c.n",
    "an array": "import numpy as np\nx = np.zeros(3)\ndef f():\n    x[0] += 1\n    return int(x[0])",
    "a random state": "import random\nr = random.Random(7)\nfirst = random.Random(7).random()\n"
    "def f(): return 1 if r.random() == first else 2",
    "a default": "def f(seen=[]):\n    seen.append(1)\n    return len(seen)",
    "a keyword's default": "def f(*, seen={}):\n    seen[len(seen)] = 1\n    return len(seen)",
    "a closure": "def make():\n    seen = []\n    def f():\n        seen.append(1)\n        return len(seen)\n"
    "    return f\nf = make()",
    "a number of a closure": "def make():\n    n = 0\n    def f():\n        nonlocal n\n        n += 1\n"
    "        return n\n    return f\nf = make()",
    "a global number": "n = 0\ndef f():\n    global n\n    n += 1\n    return n",
    "a new global": "def f():\n    global made\n    made = globals().get('made', 0) + 1\n    return made",
    "an attribute of the function": "def f():\n    f.n = getattr(f, 'n', 0) + 1\n    return f.n",
    "an attribute of another": "def g(): pass\ndef f():\n    g.n = getattr(g, 'n', 0) + 1\n    return g.n",
    "a list of another": "seen = []\ndef g(): return seen\ndef f():\n    g().append(1)\n    return len(seen)",
    "a number of a class": "class C: n = 0\ndef f():\n    C.n += 1\n    return C.n",
    "a list of a class": "class C: seen = []\ndef f():\n    C.seen.append(1)\n    return len(C.seen)",
    "a new attribute of a class": "class C: pass\ndef f():\n    C.n = getattr(C, 'n', 0) + 1\n    return C.n",
    "a list in a tuple": "seen = ([],)\ndef f():\n    seen[0].append(1)\n    return len(seen[0])",
    "a list in a partial": "import functools\ng = functools.partial(list.append, [])\n"
    "def f():\n    g(1)\n    return len(g.args[0])",
    "a method of an object": "class C:\n    def __init__(self): self.n = 0\n    def up(self):\n        self.n += 1\n"
    "        return self.n\nup = C().up\ndef f(): return up()",
}


@pytest.mark.parametrize("source", CHANGED.values(), ids=CHANGED)
def test_a_call_does_not_see_what_another_changed(there: Elsewhere, sent: Cell, source: str) -> None:
    assert there(repeated, sent(source), 3) == [1, 1, 1]


KEPT = {
    "numbers and modules": "import math\nk = 3\npair = (1, 'a')\ndef f(x=2.0): return math.sqrt(k) + x + pair[0]",
    "other functions": "def g(): return h()\ndef h(): return 1\ndef f(): return g()",
    "itself": "def f(n=0): return 1 if n else f(1)",
    "what a library has": "from os.path import join\nfrom collections import OrderedDict\nfrom numpy import exp, mean\n"
    "def f(): return join('a', 'b'), OrderedDict, exp(0), mean",
    "a class": "import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int = 1\n    def m(self): return self.x\n"
    "    @property\n    def p(self): return 1\n    @staticmethod\n    def s(): return 1\ndef f(): return P(2).m()",
    "an enum": "import enum\nclass E(enum.Enum):\n    A = 1\ndef f(): return E.A.value",
    "a named tuple": "from typing import NamedTuple\nclass N(NamedTuple):\n    a: int\ndef f(): return N(1).a",
    "a generic function": "import functools\n@functools.singledispatch\ndef g(x): return 1\n@g.register\n"
    "def h(x: int): return 2\ndef f(): return g(1)",
}


@pytest.mark.parametrize("source", KEPT.values(), ids=KEPT)
def test_what_cannot_change_is_loaded_once(there: Elsewhere, sent: Cell, source: str) -> None:
    assert there(is_kept, sent(source))


def test_a_cache_fills_for_the_calls_that_follow(there: Elsewhere, sent: Cell) -> None:
    source = "import functools\n@functools.cache\ndef g(): return [0]\ndef f():\n    g()[0] += 1\n    return g()[0]"
    assert there(repeated, sent(source), 3) == [1, 2, 3]


MODEL = """
import functools, dataclasses, os
@dataclasses.dataclass
class Model:
    name: str
    number: bytes
    def get(self): return self.number
@functools.cache
def model(): return Model('m', os.urandom(8))
"""


def test_a_cache_of_objects_stays_while_others_use_their_class(there: Elsewhere, sent: Cell) -> None:
    first, second = sent(f"{MODEL}def f(): return model().get()"), sent(f"{MODEL}def f(): return (model().get(), 2)")
    given = there(in_turn, first, second)
    assert (given[0], given[1]) == (given[2], given[3])


def test_a_function_that_did_not_load_is_tried_again() -> None:
    tries: list[int] = []

    def load() -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise ImportError("not yet")
        return len

    loaded = Loaded(load)
    with pytest.raises(ImportError):
        loaded.get()
    assert loaded.get() is loaded.get() is len
    assert len(tries) == 2


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("def f(x): return x + K", True),
        ("def f(x):\n    def g(y): return y * K\n    return [g(i) for i in range(x)]", True),
        ("def f(x):\n    global K\n    K += x\n    return K", False),
        ("def f(x):\n    f.calls = x", False),
        ("def f(x):\n    globals()['K'] = x", False),
        ("def f(x):\n    def g():\n        global K\n        K = x\n    g()", False),
    ],
)
def test_code_that_can_change_nothing_is_not_looked_at_after_each_call(text: str, stays: bool) -> None:
    scope: dict[str, Any] = {"__name__": "__main__", "K": 1}
    exec(text, scope)
    loaded = Loaded(lambda: scope["f"])
    assert loaded.get() is scope["f"]
    assert loaded._stays is stays
