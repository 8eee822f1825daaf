"""What Tab offers on a pool, typed and told by the reference; of other objects see `tests.unit.test_surface`."""

from __future__ import annotations

import concurrent.futures
import inspect
import traceback
from pathlib import Path
from typing import Any

import pytest

import skyward as sky
from skyward_jupyter.api.sharing import Sharing

OFFERED = [
    "bounds",
    "broadcast",
    "cost",
    "endpoints",
    "events",
    "gather_lists",
    "interrupt",
    "logs",
    "map",
    "name",
    "nodes",
    "on",
    "preloaded",
    "provider",
    "run",
    "runs",
    "scale",
    "scale_async",
    "size",
    "ssh_command",
    "start",
    "start_async",
    "state",
    "stop",
    "stop_async",
    "stream",
    "submit",
    "timeline",
    "token",
    "worker",
]
#: Names of other libraries, which work and are not offered beside those they stand for.
ALSO = ["Named", "barrier", "counter", "current_nodes", "dict", "lock", "queue", "resize", "run_async", "set"]
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "python.md"


def visible(value: object) -> list[str]:
    return [name for name in dir(value) if not name.startswith("_")]


@pytest.fixture
def pool() -> sky.ComputePool:
    """One that has not started."""
    return sky.ComputePool(nodes=2, name="surface")


def test_tab_offers_these(pool: sky.ComputePool) -> None:
    assert visible(pool) == OFFERED


def test_other_names_are_there_all_the_same(pool: sky.ComputePool) -> None:
    on_class = {name for name in vars(sky.ComputePool) | vars(Sharing) if not name.startswith("_")}
    assert on_class - set(OFFERED) == set(ALSO)
    assert all(inspect.getattr_static(pool, name) is not None for name in ALSO)


@pytest.mark.parametrize("name", [*OFFERED, *ALSO])
def test_each_is_typed_and_explained(name: str) -> None:
    found: Any = inspect.getattr_static(sky.ComputePool, name)
    function = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(
        one.annotation is not one.empty for one in signature.parameters.values() if one.name not in ("self", "cls")
    )
    assert function.__doc__


def test_the_reference_tells_of_each() -> None:
    text = REFERENCE.read_text().partition("autoclass:: skyward.ComputePool")[2].partition("```")[0]
    members = text.partition(":members:")[2].partition("..")[0].replace(",", " ").split()
    assert set(members) >= set(OFFERED)
    assert set(members) <= {*OFFERED, *ALSO}


@pytest.mark.parametrize("name", ["hub", "panel", "launch", "ranks", "key", "close_now", "strange_sessions"])
def test_what_is_ours_is_none_of_theirs(pool: Any, name: str) -> None:
    with pytest.raises(AttributeError, match=f"object has no attribute '{name}'"):
        getattr(pool, name)


@pytest.mark.parametrize("code", ["pool.inner", "pool.specc", "call.timeout", "call.text", "f.timeout", "sky.gathr"])
def test_python_suggests_nothing_of_ours(pool: sky.ComputePool, code: str) -> None:
    f = sky.compute(len)
    with pytest.raises(AttributeError) as raised:
        eval(code, {"pool": pool, "f": f, "call": f([]), "sky": sky})
    assert "Did you mean" not in "".join(traceback.format_exception(raised.value))


def test_a_future_offers_what_futures_do() -> None:
    assert visible(sky.PoolFuture) == visible(concurrent.futures.Future)
