"""ipyparallel: engines behind a controller, talked to over ZeroMQ."""

from __future__ import annotations

import logging
from typing import Any

from benchmarks.systems.base import System
from benchmarks.work import Array, checksum, double, echo, one


class Ipyparallel(System):
    """A load-balanced view for calls anywhere, a direct view for given engines."""

    name = "ipyparallel"
    module = "ipyparallel"
    distribution = "ipyparallel"

    def __init__(self) -> None:
        self._cluster: Any = None
        self._client: Any = None
        self._anywhere: Any = None

    def start(self, nodes: int) -> None:
        import ipyparallel

        self._cluster = ipyparallel.Cluster(n=nodes, log_level=logging.ERROR)
        self._client = self._cluster.start_and_connect_sync(activate=False)
        self._anywhere = self._client.load_balanced_view()
        self.everywhere()

    def stop(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._cluster is not None:
            self._cluster.stop_cluster_sync()
        self._client = self._cluster = self._anywhere = None

    def call(self) -> object:
        return self._anywhere.apply_sync(one)

    def gather(self, count: int) -> int:
        # map() would put many items into one call; these are calls of their own, as everywhere else.
        pending = [self._anywhere.apply_async(one) for _ in range(count)]
        return sum(result.get() for result in pending)

    def mapped(self, count: int) -> int:
        # Items in chunks, as its users send many small ones.
        return sum(self._anywhere.map_sync(double, range(count), chunksize=1000))

    def everywhere(self) -> object:
        return self._client[:].apply_sync(one)

    def send(self, array: Array) -> float:
        import ipyparallel

        # push is the fast way: twice what the array as an argument does.
        self._client[0].push({"array": array}, block=True)
        return float(self._client[0].apply_sync(checksum, ipyparallel.Reference("array")))

    def echo(self, array: Array) -> Array:
        import ipyparallel

        self._client[0].push({"array": array}, block=True)
        back: Array = self._client[0].apply_sync(echo, ipyparallel.Reference("array"))
        return back

    def send_to_all(self, array: Array) -> list[float]:
        import ipyparallel

        self._client[:].push({"array": array}, block=True)
        return list(self._client[:].apply_sync(checksum, ipyparallel.Reference("array")))
