"""``python -m tests.chaos FILE`` checks a kept history again; ``python -m tests.chaos SECONDS [SEED]`` makes runs."""

from __future__ import annotations

import random
import re
import sys
import time
from pathlib import Path

import tests.conftest  # noqa: F401  (records of pools go to a directory of this run's own)
from tests.chaos.checks import problems
from tests.chaos.history import load
from tests.chaos.run import run

#: Seconds of one run: its history is checked then, and another pool is started.
_RUN = 60.0
#: Seconds that something is stopped or cut off at most, in one run after another.
_LONGEST = (3.0, 8.0)


def again(file: Path) -> int:
    """Check a history that was kept."""
    beside = file.with_suffix(".txt")
    killed = re.match(r"killed (\d+)", beside.read_text()) if beside.exists() else None
    wrong = problems(load(file), int(killed[1]) if killed else 0)
    print("\n".join(wrong) or "nothing is wrong")
    return bool(wrong)


def runs(seconds: float, seed: int) -> int:
    """Make runs for so many seconds in all, also after one that went wrong."""
    failed = 0
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        report = run(min(_RUN, left), seed, f"chaos-{seed}", longest=_LONGEST[seed % len(_LONGEST)])
        print(f"seed {seed}: {report}", flush=True)
        failed += bool(report.wrong)
        seed += 1
    return bool(failed)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [given] if not given.replace(".", "").isdigit():
            sys.exit(again(Path(given)))
        case [given, *seeds]:
            sys.exit(runs(float(given), int(seeds[0]) if seeds else random.randrange(10**6)))
    sys.exit(__doc__)
