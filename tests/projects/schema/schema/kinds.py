from __future__ import annotations

import abc
import enum
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")


class Color(enum.Enum):
    RED = "r"
    BLUE = "b"

    @property
    def pretty(self):
        return self.name.title()


class Feature(enum.Flag):
    FAST = enum.auto()
    CHEAP = enum.auto()
    GOOD = enum.auto()


class Size(enum.IntEnum):
    S = 1
    L = 3


class Point(NamedTuple):
    x: float
    y: float = 0.0

    def norm(self):
        return (self.x**2 + self.y**2) ** 0.5


@runtime_checkable
class Shape(Protocol):
    def area(self) -> float: ...


class Figure(abc.ABC):
    @abc.abstractmethod
    def area(self): ...


@dataclass(frozen=True, slots=True)
class Square(Figure):
    side: float
    color: Color = Color.RED

    def area(self):
        return self.side**2


@dataclass(order=True, kw_only=True)
class Interval:
    low: float
    high: float
    tags: list[str] = field(default_factory=list, compare=False)


class Tree(Generic[T]):
    __slots__ = ("left", "right", "value")

    def __init__(self, value: T, left: Tree[T] | None = None, right: Tree[T] | None = None):
        self.value, self.left, self.right = value, left, right

    def __iter__(self):
        if self.left:
            yield from self.left
        yield self.value
        if self.right:
            yield from self.right


Figure.register(Interval)
