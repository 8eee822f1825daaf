"""What a node measures, in the text format of Prometheus."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import psutil
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from skyward_jupyter.agent.accelerators import GpuLoad
from skyward_jupyter.agent.jobs import Jobs
from skyward_jupyter.agent.metrics import Meter

if TYPE_CHECKING:
    from skyward_jupyter.agent.node import Agent


class Measured:
    """Measures a node each time it is asked; CPU is since the last time."""

    def __init__(self, agent: Agent, jobs: Jobs) -> None:
        self._agent = agent
        self._jobs = jobs
        self._meter = Meter(os.getpid())
        self._since = psutil.Process().create_time()
        self._gpus: tuple[GpuLoad, ...] = ()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    async def text(self) -> bytes:
        """Everything, as it is now."""
        self._gpus = await self._agent.gpus.now()
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """prometheus_client's callback."""
        agent, config = self._agent, self._agent.config
        load = agent.load(self._meter)
        yield InfoMetricFamily("skyward_node", "The node.", value={"pool": config.pool, "rank": str(config.rank)})
        running = {"running": load.running, "queued": agent.queued}
        yield _gauges("skyward_tasks", "Tasks that run, the session's included, and that wait.", "state", running)
        ended = CounterMetricFamily("skyward_tasks_ended", "Tasks that have ended.", labels=("outcome",))
        ended.add_metric(("done",), load.done - agent.failed)
        ended.add_metric(("failed",), agent.failed)
        yield ended
        yield _gauge("skyward_slots", "Slots for tasks.", config.concurrency)
        yield _gauge("skyward_slots_busy", "Slots that run a task.", load.busy)
        yield _gauge("skyward_cpu_percent", "CPU of the node's processes, in percent of one core.", load.cpu)
        yield _gauge("skyward_memory_bytes", "Resident memory of the node's processes.", load.memory * 2**20)
        yield _gauge("skyward_uptime_seconds", "Since the node's process began.", time.time() - self._since)
        states = {str(state): count for state, count in self._jobs.counts().items()}
        yield _gauges("skyward_jobs", "Jobs that came over HTTP and are kept.", "state", states)
        yield _gauge("skyward_job_result_bytes", "Results of jobs that are kept.", self._jobs.result_bytes)
        yield from _of_gpus(self._gpus)
        dropped = agent.dropped + self._jobs.dropped
        yield CounterMetricFamily("skyward_log_dropped_bytes", "Output that nobody read in time.", value=dropped)


def _of_gpus(gpus: Sequence[GpuLoad]) -> Iterator[Metric]:
    """What the driver says of each GPU; nothing of a node without."""
    told: dict[str, tuple[str, list[float | None]]] = {
        "skyward_gpu_busy_percent": ("Of the time that the GPU was busy.", [gpu.busy for gpu in gpus]),
        "skyward_gpu_memory_used_bytes": ("Memory of the GPU in use.", [_bytes(gpu.memory) for gpu in gpus]),
        "skyward_gpu_memory_bytes": ("Memory of the GPU.", [_bytes(gpu.total) for gpu in gpus]),
        "skyward_gpu_temperature_celsius": ("Temperature of the GPU.", [gpu.temperature for gpu in gpus]),
        "skyward_gpu_power_watts": ("Power that the GPU draws.", [gpu.power for gpu in gpus]),
    }
    for name, (what, values) in told.items():
        known = {str(gpu.index): value for gpu, value in zip(gpus, values, strict=True) if value is not None}
        if known:
            yield _gauges(name, what, "gpu", known)


def _bytes(mebibytes: float | None) -> float | None:
    return None if mebibytes is None else mebibytes * 2**20


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)


def _gauges(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, what, labels=(label,))
    for given, value in values.items():
        family.add_metric((given,), value)
    return family
