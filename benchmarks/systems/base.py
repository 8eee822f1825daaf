"""What a system must be able to do to be measured, and how it says that it cannot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from importlib.util import find_spec
from typing import ClassVar

from benchmarks.work import Array


class NotMeasured(Exception):
    """This system has no such thing; its place in the table stays empty."""


class System(ABC):
    """One way to run Python on several local processes. Everything blocks until it is done."""

    name: ClassVar[str]
    module: ClassVar[str]
    distribution: ClassVar[str]

    def installed(self) -> bool:
        """Tell whether the system can be imported here."""
        return find_spec(self.module) is not None

    def load(self) -> None:
        """Import what `start` uses; what is imported later counts as a part of the start."""
        import_module(self.module)

    @abstractmethod
    def start(self, nodes: int) -> None:
        """Start `nodes` processes and return when each has answered a call."""

    @abstractmethod
    def stop(self) -> None:
        """End everything that was started. Harmless when nothing was."""

    @abstractmethod
    def call(self) -> object:
        """Run the trivial function once, on any node."""

    @abstractmethod
    def gather(self, count: int) -> int:
        """Run `count` trivial calls, each a call of its own, and return how many came back."""

    def yields(self, count: int) -> int:
        """Have one call give `count` small results, read them as they come, and return their sum."""
        raise NotMeasured("results come all at once")

    def feeds(self, count: int) -> int:
        """Have one call read `count` small items that are made meanwhile, and return their sum."""
        raise NotMeasured("arguments go all at once")

    def mapped(self, count: int) -> int:
        """Send `count` small items, double each there, and return the sum of what came back, in order."""
        raise NotMeasured("there is no map")

    @abstractmethod
    def everywhere(self) -> object:
        """Run the trivial function on every node."""

    @abstractmethod
    def send(self, array: Array) -> float:
        """Send `array` to one node and return its checksum from there."""

    def send_over_tcp(self, array: Array) -> float:
        """As `send`, never through shared memory: the way to a node on another machine."""
        return self.send(array)

    @abstractmethod
    def echo(self, array: Array) -> Array:
        """Send `array` to one node and return what came back."""

    @abstractmethod
    def send_to_all(self, array: Array) -> list[float]:
        """Send `array` to every node and return their checksums."""

    def shared_bytes(self) -> int:
        """Bytes this process has written for nodes other than through a socket, since it began."""
        return 0
