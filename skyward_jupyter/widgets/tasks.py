"""Tasks as a page reads them: a few strings, and a buffer with a row of numbers for each."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import groupby

from skyward_jupyter.actors.ongoing import Ongoing
from skyward_jupyter.actors.source import Ended

#: Its number; queued, sent, began, ended and received in seconds after `base`; node, and places of name and error.
ROW = struct.Struct("<d5fiHH")
#: The most characters of a name that travel.
_NAME = 80


def packed(ended: Ended) -> tuple[dict[str, object], bytes]:
    """What describes the rows, which is JSON, and the rows."""
    base = min((one.queued for one in ended.times), default=0.0)
    words: dict[str, int] = {"": 0}
    rows = bytearray()
    for one in ended.times:
        moments = (one.queued, one.sent, one.began, one.ended, one.received)
        name, error = (words.setdefault(word[:_NAME], len(words)) for word in (one.name, one.error))
        rows += ROW.pack(one.task, *(moment - base for moment in moments), one.node, name, error)
    header: dict[str, object] = {"first": ended.first, "base": base, "words": list(words)}
    if any(one.cell for one in ended.times):
        # Those of a cell follow each other: its number, and how many they are.
        header["cells"] = [(cell, len(list(group))) for cell, group in groupby(one.cell for one in ended.times)]
    return header, bytes(rows)


def live(tasks: Iterable[Ongoing]) -> list[list[object]]:
    """Tasks that have not ended, a row each: number, name, node, queued, sent, began, cell."""
    return [
        [one.task, one.name[:_NAME], one.node, *(round(at, 4) for at in (one.queued, one.sent, one.began)), one.cell]
        for one in tasks
    ]
