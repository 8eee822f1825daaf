"""Faults that runs have to find: ``python -m tests.chaos.mutants [--seconds 300] [NAME ...]``.

Each is put into a copy of the product, by code that takes the place of some of its own, and runs are made with that
copy until something is wrong. A fault that is not found says that the clients, what is broken, or the checks are too
weak.

On two busy cores each was found within 80 to 160 seconds, most by the first or second run. `lock-old-word` takes a
waiter whose node is stopped for longer than a lock's lease just as it is given the lock: it was also missed by several
runs in a row, and needs those with long stops (whose seed 3 divides).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.run import KEPT

_ROOT = Path(__file__).parents[2]
_PACKAGE = "skyward_jupyter"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault.

    Attributes
    ----------
    what
        What it does to users.
    code
        What is appended to modules of the product.
    """

    what: str
    code: Mapping[str, str]


_TIMER = "Patience = asyncio.timeout  # counts before an answer that has come"
_NO_MARKS = "made_before = lambda made, mark: None"

MUTANTS: Mapping[str, Mutant] = {
    "write-repeated": Mutant(
        "a write to a dict or set that is asked for again undoes what was confirmed since",
        {
            "collections/segments.py": _NO_MARKS,
            "collections/patience.py": _TIMER,
        },
    ),
    "count-repeated": Mutant(
        "an addition to a counter counts twice when it is asked for again",
        {"collections/tally.py": _NO_MARKS, "collections/patience.py": _TIMER},
    ),
    "copies-not-made": Mutant(
        "a node that takes the place of another gets no copies",
        {
            "collections/repair.py": """
def meet(system): pass
async def _write_anew(*given): pass
async def _let_go(system): pass
"""
        },
    ),
    "one-copy": Mutant(
        "the only copy of an entry goes with its node",
        {
            "collections/segments.py": """
strong_segment = strong_segment.configured(strong_segment.name, 1, "majority")
SEGMENT = {"majority": strong_segment, "one": eventual_segment}
"""
        },
    ),
    "item-again": Mutant(
        "an item of a queue is put back though whoever took it has it",
        {"collections/link.py": "_HANDING = frozenset()"},
    ),
    "queue-one-copy": Mutant(
        "the only copy of an item of a queue goes with its node",
        {
            "collections/line.py": """
def _mutant(self):
    return self.room.collections.queue(self.address.name, value=bytes, replicas=1)
ServedQueue._made = _mutant
"""
        },
    ),
    "lock-old-word": Mutant(
        "a lock is handed out on an answer from before its waiter was stopped",
        {
            "collections/freshness.py": "fresh = lambda asked: True\nAllowance.fresh = property(lambda self: True)",
            "collections/latch.py": "BEAT = 60.0",
        },
    ),
    "barrier-early": Mutant(
        "a barrier opens when all but one have come",
        {
            "collections/turnstile.py": """
_mutated = _Turnstile._open
async def _mutant(self, parties): await _mutated(self, parties - 1)
_Turnstile._open = _mutant
"""
        },
    ),
}


@contextmanager
def mutated(mutant: Mutant) -> Iterator[Path]:
    """A directory with a copy of the product that has the fault, and of what runs it."""
    with tempfile.TemporaryDirectory(prefix="skyward-mutant-") as directory:
        copy = Path(directory)
        for package in (_PACKAGE, "skyward", "tests"):
            shutil.copytree(_ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "static"))
        for module, code in mutant.code.items():
            with (copy / _PACKAGE / module).open("a") as file:
                file.write(f"\n\n{code}\n")
        yield copy


def found(mutant: Mutant, seconds: float, seed: int) -> tuple[bool, str]:
    """Whether runs with a fault find something within so many seconds, and what they say."""
    with mutated(mutant) as copy:
        made = subprocess.run(
            [sys.executable, "-m", "tests.chaos", "--first", str(seconds), str(seed)],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if (copy / KEPT).exists():
            shutil.copytree(copy / KEPT, _ROOT / KEPT, dirs_exist_ok=True)
    return " things are wrong " in made.stdout, made.stdout


def main() -> int:
    """Put faults in one after the other; returns how many were not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(MUTANTS), metavar="NAME", help=", ".join(MUTANTS))
    parser.add_argument("--seconds", type=float, default=300.0, help="how long a fault is looked for")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    missed = 0
    for name in given.names:
        began = time.monotonic()
        is_found, said = found(MUTANTS[name], given.seconds, given.seed)
        missed += not is_found
        print(f"{name}: {'found' if is_found else 'NOT FOUND'} in {time.monotonic() - began:.0f} s")
        print("\n".join(said.splitlines()[-12:]), flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
