"""``%sky`` and the words after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from IPython.display import display

from skyward_jupyter.actors.tally import Tally
from skyward_jupyter.api import registry
from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook import help, listing, logs, plan, pools, runlogs, switching
from skyward_jupyter.notebook.docking import dock
from skyward_jupyter.notebook.expressions import on_every_node
from skyward_jupyter.notebook.interrupting import interrupt
from skyward_jupyter.notebook.moving import pull, push
from skyward_jupyter.notebook.options import (
    ATTACH,
    POOL,
    POOLS,
    logs_options,
    parse,
    start_options,
)
from skyward_jupyter.notebook.postmortem import debug
from skyward_jupyter.notebook.ranks import ALL
from skyward_jupyter.notebook.restarting import restart
from skyward_jupyter.notebook.state import Notebook
from skyward_jupyter.profiles.profile import Profile
from skyward_jupyter.runtime.bridge import wait
from skyward_jupyter.runtime.writing import put

#: So many hosts are named in a sentence; more are counted.
_NAMED = 3


def run_line(notebook: Notebook, line: str) -> object:
    """What ``%sky LINE`` gives."""
    text = line.strip()
    if not text:
        display(pools.find(None))
        _say_which()
        return None
    word, *more = text.split(None, 1)
    rest = more[0] if more else ""
    if word in help.FLAGS or (word in _COMMANDS and any(flag in rest.split() for flag in help.FLAGS)):
        _say(help.of(word if word in _COMMANDS else rest))
        return None
    if word in _COMMANDS:
        _COMMANDS[word](notebook, str(notebook.shell.var_expand(rest)) if rest else "")
        return None
    return on_every_node(notebook, text)


def _help(notebook: Notebook, line: str) -> None:
    _say(help.of(line))


def _start(notebook: Notebook, line: str) -> None:
    options = start_options(line)
    asked = plan.on_line(options)
    wanted = plan.whole(asked, notebook.settings, profiled=options.profile is not None)
    for pool in pools.running():
        if pool.state != "taken" and wanted.name in (None, pool.name):
            _already(pool, asked, wanted.name)
            _at_hand(notebook, pool)
            return
    if wanted.nodes is None and wanted.provider != "ssh":
        raise UsageError(f"%sky start needs to know how many nodes: %sky start{_profiled(options.profile)} --nodes 4")
    started = time.monotonic()
    pool = _wait(pools.start(wanted))
    _say(f"pool {pool.name}: {_size(pool)} ready in {time.monotonic() - started:.1f} s")
    _at_hand(notebook, pool)


def _profiled(profile: str | None) -> str:
    return f" --profile {profile}" if profile is not None else ""


def _ssh(notebook: Notebook, line: str) -> None:
    given, words = parse(line, POOL, "%sky ssh")
    if len(words) > 1 or (words and not words[0].isdecimal()):
        raise UsageError(f"%sky ssh {line}: say which node, as in %sky ssh 0")
    pool = pools.find(given.get("pool"))
    _say(pool.ssh_command(int(words[0]) if words else 0))


def _already(pool: pools.Pool, asked: Profile, name: str | None) -> None:
    """A pool that runs is left as it is, and a wish that it does not meet is refused."""
    other = "" if name is not None else ", or %sky start --name NAME for a second pool"
    nodes = asked.nodes
    if _elsewhere(pool, asked):
        raise UsageError(
            f"pool {pool.name} already runs, with {_size(pool)} {_place(pool)}: use %sky stop first{other}"
        )
    if nodes is not None and nodes not in (pool.size, pool.bounds):
        scale = f"use %sky scale {nodes}, %sky stop first" if isinstance(nodes, int) else "use %sky stop first"
        raise UsageError(f"pool {pool.name} already runs, with {_size(pool)}: {scale}{other}")
    _say(f"pool {pool.name} already runs, with {_size(pool)}")


def _elsewhere(pool: pools.Pool, asked: Profile) -> bool:
    """Whether a pool is to run in another place than this one does."""
    if asked.provider in (None, pool.provider.name):
        return asked.hosts is not None and asked.hosts != _hosts(pool)
    return True


def _place(pool: pools.Pool) -> str:
    hosts = _hosts(pool)
    named = ", ".join(hosts) if len(hosts) <= _NAMED else f"{len(hosts)} hosts"
    return f"on {named}" if hosts else "on this machine"


def _hosts(pool: pools.Pool) -> tuple[str, ...]:
    return tuple(getattr(pool.provider, "hosts", ()))


def _status(notebook: Notebook, line: str) -> None:
    pool = pools.find(_pool_name("status", line))
    cost = f", {pool.cost}" if any(pool.cost) else ""
    active = ", active" if len(pools.running()) > 1 and pool is pools.find(None) else ""
    tally = Tally(*pool._inner.panel.snapshot()["ended"])
    ended = f", {tally}" if tally.ended else ""
    _say(f"pool {pool.name}: {pool.state}, {_size(pool)}{ended}{cost}{active}")
    if any((pool.preloaded.libraries, pool.preloaded.refused)):
        _say(f"preloaded: {pool.preloaded}")
    # Why a node was lost may have several lines.
    phases = {node.rank: node.doing.partition("\n")[0] for node in pool.nodes}
    width = max([10, *map(len, phases.values())])
    _say(f"{'node':>5}  {'state':<8} {'phase':<{width}} {'running':>7} {'ended':>7}  address")
    for node in pool.nodes:
        what = f"{node.rank:>5}  {node.state!s:<8} {phases[node.rank]:<{width}}"
        _say(f"{what} {node.running:>7} {node.done:>7}  {node.address}".rstrip())


def _stop(notebook: Notebook, line: str) -> None:
    pool = pools.find(_pool_name("stop", line))
    taken = pool.state == "taken"
    _wait(_do(pool.stop_async()))
    notebook.at_hand.release(pool, pools.running())
    what = "runs on where it was taken over, and is gone from here" if taken else "is stopped"
    _say(switching.ended(notebook) or f"pool {pool.name} {what}")
    _say_which()


def _use(notebook: Notebook, line: str) -> None:
    name = _pool_name("use", line)
    if name is None:
        raise UsageError(f"%sky use: say which pool, as in %sky use {pools.find(None).name}")
    pool = pools.find(name)
    pool._inner.check()
    registry.use(pool)
    meant = ", and the name pool is bound to it" if notebook.at_hand.bind(pool, tell=False) else ""
    _say(f"pool {pool.name} is active{meant}")
    _at_hand(notebook, pool)


def _scale(notebook: Notebook, line: str) -> None:
    given, words = parse(line, POOL, "%sky scale")
    if len(words) != 1 or not words[0].isdecimal():
        raise UsageError(f"%sky scale {line}: say how many nodes, as in %sky scale 4")
    pool = pools.find(given.get("pool"))
    if int(words[0]) < 1 and (pool.bounds is None or pool.bounds[0] > 0):
        raise UsageError(f"%sky scale {line}: say how many nodes, as in %sky scale 4")
    _wait(_do(pool.scale_async(int(words[0]))))
    _say(f"pool {pool.name}: {_size(pool)}")


def _attach(notebook: Notebook, line: str) -> None:
    from skyward_jupyter.api.attach import attach_async

    given, words = parse(line, ATTACH, "%sky attach")
    if len(words) > 1:
        raise UsageError("%sky attach takes one pool at most: %sky attach NAME")
    pool = _wait(attach_async(words[0] if words else None, force=given.get("force", False)))
    _say(f"pool {pool.name}: {_size(pool)}, attached")
    put("stdout", listing.runs(pool), flush=False)
    _at_hand(notebook, pool)


def _pools(notebook: Notebook, line: str) -> None:
    given, words = parse(line, POOLS, "%sky pools")
    if words:
        advice = "did you mean %sky pools --all?" if words == ["all"] else "for one pool use %sky status NAME"
        raise UsageError(f"%sky pools takes no word {words[0]!r}; {advice}")
    active = pools.find(None) if pools.running() else None
    put("stdout", listing.table(active, everyone=given.get("everyone", False)), flush=False)


def _logs(notebook: Notebook, line: str) -> None:
    if runlogs.show(notebook, line):
        return
    options = logs_options(line)
    pool = pools.find(options.pool)
    ranks = None if options.nodes == ALL else pools.chosen(pool, options.nodes)
    if not options.follow:
        _wait(logs.catch_up(pool))
        put("stdout", logs.text(pool, ranks, options.lines), flush=False)
        return
    try:
        wait(logs.follow(pool, ranks, options.lines), "async for event in pool.events(sky.events.LogLine)")
    except KeyboardInterrupt:
        return  # as it is meant to end
    _say(f"pool {pool.name} is {pool.state}")


def _pool_name(command: str, line: str) -> str | None:
    given, words = parse(line, POOL, f"%sky {command}")
    if len(words) > 1 or (words and "pool" in given):
        raise UsageError(f"%sky {command} takes one pool at most: %sky {command} NAME")
    name: str | None = words[0] if words else given.get("pool")
    return name


def _at_hand(notebook: Notebook, pool: pools.Pool) -> None:
    """Have a pool that is active from now on under the name `pool`, and say what there is to say of that name."""
    notebook.at_hand.bind(pool)
    for sentence in notebook.at_hand.news():
        _say(sentence)


def _say_which() -> None:
    """Say which of several pools is the active one."""
    if len(running := pools.running()) > 1:
        others = ", ".join(pool.name for pool in running[:-1])
        _say(f"pool {running[-1].name} is active; {others} {'runs' if len(running) == 2 else 'run'} too: %sky use NAME")


def _say(text: str) -> None:
    put("stdout", f"{text}\n", flush=False)


def _nodes(count: int) -> str:
    return f"{count} node{'s' if count != 1 else ''}"


def _size(pool: pools.Pool) -> str:
    bounds = f" of {pool.bounds[0]} to {pool.bounds[1]}" if pool.bounds is not None else ""
    return f"{_nodes(pool.size)}{bounds}"


def _wait[T](work: Coroutine[Any, Any, T]) -> T:
    return wait(work, "the pool's own start_async, stop_async or scale_async")


async def _do(work: Any) -> None:
    await work


_COMMANDS: dict[str, Callable[[Notebook, str], None]] = {
    "start": _start,
    "status": _status,
    "stop": _stop,
    "ssh": _ssh,
    "use": _use,
    "scale": _scale,
    "push": push,
    "pull": pull,
    "logs": _logs,
    "attach": _attach,
    "pools": _pools,
    "dock": dock,
    "interrupt": interrupt,
    "debug": debug,
    "on": switching.on,
    "off": switching.off,
    "restart": restart,
    "help": _help,
}
