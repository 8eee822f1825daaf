"""Ray: one actor per node, arrays through its shared-memory object store."""

from __future__ import annotations

import logging
import os
from typing import Any

from benchmarks.systems.base import NotMeasured, System
from benchmarks.work import Array, checksum, double, echo, one


class Node:
    """What one actor can do."""

    def one(self) -> int:
        return one()

    def double(self, item: int) -> int:
        return double(item)

    def checksum(self, array: Array) -> float:
        return checksum(array)

    def echo(self, array: Array) -> Array:
        return echo(array)


class Ray(System):
    """Tasks for calls anywhere, actors for given nodes, `put` for arrays."""

    name = "Ray"
    module = "ray"
    distribution = "ray"

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._one: Any = None
        self._put = 0

    def start(self, nodes: int) -> None:
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        ray.init(
            num_cpus=nodes,
            object_store_memory=10**9,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        actor = ray.remote(num_cpus=0)(Node)
        self._one = ray.remote(num_cpus=1)(one)  # so that as many processes as nodes share the tasks
        self._nodes = [actor.remote() for _ in range(nodes)]
        self.everywhere()

    def stop(self) -> None:
        import ray

        self._nodes = []
        ray.shutdown()

    def call(self) -> object:
        import ray

        return ray.get(self._one.remote())

    def call_bound(self) -> object:
        """Call an actor, which is bound to its process: cheaper than a task, which may go anywhere."""
        import ray

        return ray.get(self._nodes[0].one.remote())

    def gather(self, count: int) -> int:
        import ray

        return sum(ray.get([self._one.remote() for _ in range(count)]))

    def mapped(self, count: int) -> int:
        from ray.util import ActorPool

        # As its users would: an actor is given one small item after the other.
        actors: Any = ActorPool(self._nodes)  # its own types take nothing
        return sum(actors.map(lambda node, item: node.double.remote(item), range(count)))

    def everywhere(self) -> object:
        import ray

        return ray.get([node.one.remote() for node in self._nodes])

    def _store(self, array: Array) -> Any:
        import ray

        self._put += array.nbytes
        return ray.put(array)

    def send(self, array: Array) -> float:
        import ray

        return float(ray.get(self._nodes[0].checksum.remote(self._store(array))))

    def send_over_tcp(self, array: Array) -> float:
        raise NotMeasured("nodes on one machine share a store")

    def echo(self, array: Array) -> Array:
        import ray

        back: Array = ray.get(self._nodes[0].echo.remote(self._store(array)))
        return back

    def send_to_all(self, array: Array) -> list[float]:
        import ray

        reference = self._store(array)
        return list(ray.get([node.checksum.remote(reference) for node in self._nodes]))

    def shared_bytes(self) -> int:
        return self._put
