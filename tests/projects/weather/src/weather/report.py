from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from collections.abc import Iterable

    from weather.drawing import Canvas
    from weather.stations import Station


class Summary(typing.NamedTuple):
    station: Station
    mean: float


def summarize(stations: Iterable[Station], canvas: Canvas | None = None) -> list[Summary]:
    return [Summary(station, round(station.mean, 2)) for station in stations]


def hottest(stations: Iterable[Station]) -> Station:
    from weather.ranking import rank

    return rank(stations)[0]
