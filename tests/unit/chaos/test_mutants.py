"""The faults that runs have to find take the place of something that is there, and are all there is to a copy."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator

import pytest

from tests.chaos.mutants import MUTANTS, mutated


def replaced(code: str) -> Iterator[str]:
    """What code takes the place of; names that begin with `_muta` are its own."""
    for step in ast.parse(code).body:
        match step:
            case ast.Assign(targets=[target]):
                yield ast.unparse(target)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_takes_the_place_of_what_is_there(name: str) -> None:
    for path, code in MUTANTS[name].code.items():
        module = importlib.import_module(f"skyward_jupyter.{path.removesuffix('.py').replace('/', '.')}")
        names = [one for one in replaced(code) if not one.startswith("_muta")]
        assert names
        for one in names:
            found: object = module
            for part in one.split("."):
                assert hasattr(found, part), f"{path} has no {one}"
                found = getattr(found, part)


def test_a_copy_has_the_fault_and_the_product_does_not() -> None:
    with mutated(MUTANTS["barrier-early"]) as copy:
        mutant = (copy / "skyward_jupyter/collections/turnstile.py").read_text()
        assert mutant.endswith("_Turnstile._open = _mutant\n\n")
        assert (copy / "tests/chaos/run.py").exists()
    assert not copy.exists()
