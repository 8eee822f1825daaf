"""Which file of tests each of several workers gets next: a few of them compute at a time, the others wait.

More workers than processors are of use while tests wait. Were all of them at tests that compute, these would miss their
deadlines: whoever is one too many gets a file whose tests wait, and is done when there is none left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from tests.order import waits

#: How many workers may be at files that compute, on the two processors of the machine that tests every change.
COMPUTING = 3


class Handing(LoadFileScheduling):
    """Hands out whole files in their order, but none that computes while enough of those are under way."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        elsewhere = [work for other, work in self.assigned_work.items() if other is not node]
        at = [[file for file, tests in work.items() if not all(tests.values())] for work in elsewhere]
        file = following(self.workqueue, at)
        if file is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)


def following(queue: Iterable[str], others: Iterable[Collection[str]]) -> str | None:
    """Return the file that a worker gets next; None where it is not needed any more.

    Parameters
    ----------
    queue
        The files nobody has, in their order, named from the root; at least one.
    others
        Those that each of the other workers is at.
    """
    first = next(iter(queue))
    computing = sum(not all(map(_waits, files)) for files in others)
    # Unit tests come first whoever asks: they expect that nothing else was run in their process.
    if first.startswith("tests/unit/") or computing < COMPUTING:
        return first
    return next(filter(_waits, queue), None)


def _waits(file: str) -> bool:
    return waits(file.removeprefix("tests/"))
