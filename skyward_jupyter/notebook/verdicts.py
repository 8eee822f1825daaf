"""How a cell ended here, put together from how it ended on each node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skyward_jupyter.agent.cells import CellOutcome
from skyward_jupyter.notebook.ranks import compact, spoken


@dataclass(frozen=True, slots=True)
class Verdict:
    """A value, or an error that is raised where the user waits."""

    value: object = None
    error: BaseException | None = None

    def unwrap(self) -> Any:
        """The value; raises the error."""
        if self.error is not None:
            raise self.error
        return self.value


def refusals(outcomes: Mapping[int, CellOutcome], *, value: bool, moves: bool = False) -> str | None:
    """What was asked for and cannot be brought here, as a sentence; None when nothing.

    Parameters
    ----------
    value
        Whether the value of the last expression was asked for.
    moves
        Whether names were asked for without a cell: by ``%sky pull``.
    """
    reasons: dict[tuple[str, str], list[int]] = defaultdict(list)
    for rank, done in outcomes.items():
        for name, reason in done.refused.items():
            if name or value:
                reasons[name, reason].append(rank)
    option = "" if moves else "-o "
    sentences = [
        f"{f'{option}{name}' if name else 'the value'}, {spoken(ranks)}: {reason}"
        for (name, reason), ranks in reasons.items()
    ]
    able = [rank for rank, done in outcomes.items() if not done.refused]
    if moves and sentences and able:
        sentences.append(f"{spoken(able)} can: --on {compact(able)}")
    return "; ".join(sentences) or None
