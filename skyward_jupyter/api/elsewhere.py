"""What is called otherwise in other libraries, or looked for in another place, and how it is written here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from skyward_jupyter.hints import near

#: Public names of `skyward`, by what they are called elsewhere, or by where one looks for them.
NAMES: Mapping[str, str] = {
    "remote": "@sky.compute",
    "task": "@sky.compute",
    "delayed": "@sky.compute",
    "Pool": "sky.ComputePool",
    "Cluster": "sky.ComputePool",
    "LocalCluster": "sky.ComputePool",
    "Client": "sky.ComputePool",
    "App": "sky.ComputePool",
    "init": "sky.ComputePool(nodes=4)",
    "start": "sky.ComputePool(nodes=4).start()",
    "stop": "pool.stop()",
    "shutdown": "pool.stop()",
    "run": "call >> pool, or await pool.run(call)",
    "submit": "call > pool",
    "map": "pool.map(f, items)",
    "broadcast": "call @ pool",
    "wait": "concurrent.futures.wait",
    "as_completed": "sky.gather(*calls, stream=True, ordered=False) >> pool",
    "rank": "sky.instance_info().node",
    "node": "sky.instance_info().node",
    "info": "sky.instance_info()",
    "ProcessPoolExecutor": "sky.Executor",
    "ThreadPoolExecutor": "sky.Executor",
}
#: What a pool has, by what others call it.
OF_POOL: Mapping[str, str] = {
    "shutdown": "stop()",
    "close": "stop()",
    "terminate": "stop()",
    "apply": "run, or write call >> pool",
    "apply_async": "submit, or write call > pool",
    "execute": "run, or write call >> pool",
    "starmap": "map, with an iterable for each parameter",
    "imap": "map, or write sky.gather(*calls, stream=True) >> pool",
    "gather": "run, or write sky.gather(*calls) >> pool",
    "cancel": "interrupt()",
    "status": "state",
    "rank": "ranks",
    "num_nodes": "size",
    "result": "runs",
}
#: What `ComputePool` takes, by what else one may write.
OPTIONS: Mapping[str, str] = {
    "concurrency": "worker=sky.Worker(concurrency={value})",
    "slots": "worker=sky.Worker(concurrency={value})",
    "threads": "worker=sky.Worker(concurrency={value}, executor='thread')",
    "executor": "worker=sky.Worker(executor={value})",
    **dict.fromkeys(
        ("n", "size", "count", "workers", "n_workers", "num_workers", "max_workers", "processes", "num_nodes",
         "n_nodes", "node_count", "machines", "instances", "desired"),
        "nodes={value}",
    ),
    **dict.fromkeys(("min", "max", "min_nodes", "max_nodes"), "nodes=(2, 16) for bounds"),
    **dict.fromkeys(("hosts", "host", "servers"), "provider=sky.SSH(hosts={value})"),
    **dict.fromkeys(("pip", "packages", "requirements", "dependencies"), "image=sky.Image(pip={value})"),
    **dict.fromkeys(("apt", "includes", "excludes", "python"), "image=sky.Image({name}={value})"),
    **dict.fromkeys(("environment", "env_vars", "environ"), "env={value}"),
    **dict.fromkeys(("start_timeout", "wait"), "timeout={value}"),
}  # fmt: skip


def of_module(name: str, known: Iterable[str]) -> str:
    """What to say of an attribute that `skyward` has not, after a sentence; empty where there is nothing to say."""
    if (instead := NAMES.get(name)) is not None:
        return f"; write {instead}"
    asked = near(name, known)
    return f"; {asked}" if asked else ""


def of_pool(name: str, known: Iterable[str]) -> str:
    """The same of a pool."""
    if (instead := OF_POOL.get(name)) is not None:
        return f"; it has {instead}"
    asked = near(name, (one for one in known if not one.startswith("_")))
    return f"; {asked}" if asked else ""
