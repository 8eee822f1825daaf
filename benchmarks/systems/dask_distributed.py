"""Dask: a scheduler in this process and worker processes of one thread each."""

from __future__ import annotations

import logging
from typing import Any

from benchmarks.systems.base import System
from benchmarks.work import Array, checksum, double, echo, one


class Dask(System):
    """`submit` for calls anywhere, `run` for every worker, `scatter` straight to a worker for arrays."""

    name = "Dask"
    module = "distributed"
    distribution = "distributed"

    def __init__(self) -> None:
        self._cluster: Any = None
        self._client: Any = None
        self._workers: list[str] = []

    def start(self, nodes: int) -> None:
        from distributed import Client, LocalCluster

        self._cluster = LocalCluster(
            n_workers=nodes,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
        self._client = Client(self._cluster)
        self._client.wait_for_workers(nodes)
        self._workers = list(self._client.run(one))

    def stop(self) -> None:
        for part in (self._client, self._cluster):
            if part is not None:
                part.close()
        self._client = self._cluster = None

    def call(self) -> object:
        return self._client.submit(one, pure=False).result()

    def gather(self, count: int) -> int:
        return sum(self._client.gather([self._client.submit(one, pure=False) for _ in range(count)]))

    def mapped(self, count: int) -> int:
        return sum(self._client.gather(self._client.map(double, range(count), pure=False)))

    def everywhere(self) -> object:
        return self._client.run(one)

    def _scatter(self, array: Array) -> Any:
        # Straight to the worker and not hashed: the fastest of its ways.
        return self._client.scatter(array, workers=self._workers[:1], hash=False, direct=True)

    def send(self, array: Array) -> float:
        return float(self._client.submit(checksum, self._scatter(array), pure=False).result())

    def echo(self, array: Array) -> Array:
        future = self._client.submit(echo, self._scatter(array), pure=False)
        back: Array = self._client.gather(future, direct=True)
        return back

    def send_to_all(self, array: Array) -> list[float]:
        there = self._client.scatter(array, broadcast=True, hash=False, direct=True)
        calls = [
            self._client.submit(checksum, there, workers=[worker], allow_other_workers=False, pure=False)
            for worker in self._workers
        ]
        return list(self._client.gather(calls))
