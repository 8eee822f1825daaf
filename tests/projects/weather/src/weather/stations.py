from __future__ import annotations

import csv
import dataclasses
from importlib import resources


@dataclasses.dataclass(frozen=True)
class Station:
    name: str
    readings: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        return sum(self.readings) / len(self.readings)


class NoSuchStation(LookupError):
    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"no station {name!r}; there are {', '.join(known)}")
        self.name = name
        self.known = known

    def __reduce__(self):
        return type(self), (self.name, self.known)


def load(name: str | None = None) -> list[Station]:
    with resources.files("weather.data").joinpath("readings.csv").open(newline="") as lines:
        rows = [Station(row[0], tuple(map(float, row[1:]))) for row in csv.reader(lines)]
    if name is None:
        return rows
    found = [station for station in rows if station.name == name]
    if not found:
        raise NoSuchStation(name, [station.name for station in rows])
    return found
