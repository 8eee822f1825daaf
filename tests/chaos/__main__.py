"""``python -m tests.chaos FILE`` checks a kept history again; ``python -m tests.chaos SECONDS [SEED]`` makes runs.

``--first SECONDS`` ends with the first run in which something is wrong. ``--eventual SECONDS`` makes them with eventual
collections, to see what these lose: they are checked as strong ones are.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

import tests.conftest  # noqa: F401  (records of pools go to a directory of this run's own)
from skyward_jupyter.collections.address import Consistency
from tests.chaos.checks import problems
from tests.chaos.history import load
from tests.chaos.run import counted, run

#: Seconds of one run: its history is checked then, and another pool is started.
_RUN = 60.0
#: Seconds that something is stopped or cut off at most, how often nodes are killed, and how often they are stopped, in
#: one run after another. Stopped for longest, the nodes of those who wait for a lock hear late of having got it.
_PLANS = ((9.8, 1, 12), (3.0, 14, 3), (8.0, 4, 3))


def again(file: Path) -> int:
    """Check a history that was kept."""
    beside = file.with_suffix(".txt")
    killed = re.match(r"killed (\d+)", beside.read_text()) if beside.exists() else None
    wrong = problems(load(file), int(killed[1]) if killed else 0)
    print("\n".join(wrong) or "nothing is wrong")
    return bool(wrong)


def runs(seconds: float, seed: int, *, first: bool = False, consistency: Consistency = "strong") -> int:
    """Make runs for so many seconds in all, also after one that went wrong unless it is to be the last."""
    failed, operations, maybe, kinds = 0, 0, 0, Counter[str]()
    began = time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0 and not (first and failed):
        longest, kills, stops = _PLANS[seed % len(_PLANS)]
        report = run(
            min(_RUN, left), seed, f"chaos-{seed}", longest=longest, kills=kills, stops=stops, consistency=consistency
        )
        print(f"{time.monotonic() - began:.0f} s, seed {seed}: {report}", flush=True)
        failed += bool(report.wrong)
        operations, maybe, kinds = operations + report.operations, maybe + report.maybe, kinds + report.kinds
        seed += 1
    print(
        f"in {time.monotonic() - began:.0f} s: {operations:,} operations, {maybe:,} of them maybe; {counted(kinds)}; "
        f"{failed} runs went wrong"
    )
    return bool(failed)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [given] if not given.replace(".", "").isdigit():
            sys.exit(again(Path(given)))
        case ["--first", given, *seeds]:
            sys.exit(runs(float(given), int(seeds[0]) if seeds else random.randrange(10**6), first=True))
        case ["--eventual", given, *seeds]:
            sys.exit(runs(float(given), int(seeds[0]) if seeds else random.randrange(10**6), consistency="eventual"))
        case [given, *seeds]:
            sys.exit(runs(float(given), int(seeds[0]) if seeds else random.randrange(10**6)))
    sys.exit(__doc__)
