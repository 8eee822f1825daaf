"""The template: one process per machine and kernel from which agents and slots are started in milliseconds.

It has one thread and has started nothing, so forking it is safe; it imports what agents and slots need before it is
asked. Agents and slots, also the ones that replace dead ones, are its children: it tells whoever asked for them how
they ended, ends the slots of an agent that is gone, and takes all of them with it when it dies itself; its guard ends
what those had started then. A node that was to end has ended once nothing is left of its slots; of one that was lost it
is told at once. The template goes on without its kernel for as long as an agent lives, lets another kernel take over
one of the pools meanwhile, and removes the files of a pool that nobody drives once its last agent has ended. On a
machine of its own it serves one pool, and what counts as its kernel's life is when that was last heard of; see
`skyward_jupyter.agent.outpost`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from setproctitle import setproctitle

from skyward_jupyter.agent.again import LACKING, Again, lack
from skyward_jupyter.agent.channel import Channel, Message
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.controls import Control, Pool, opened
from skyward_jupyter.agent.endings import Endings, adopt_orphans, kill_group
from skyward_jupyter.agent.guard import start_guard
from skyward_jupyter.agent.launch import kill, launch
from skyward_jupyter.agent.marks import Marks
from skyward_jupyter.agent.pipes import Ends
from skyward_jupyter.agent.shelves import Shelves
from skyward_jupyter.agent.stock import Preloader, Shelf
from skyward_jupyter.wire.remnants import remove_partial, remove_results

#: Imported before the first request, and while there is nothing else to do.
FIRST = ("skyward_jupyter.agent.main", "skyward_jupyter.agent.slot")
LATER = ("IPython.core.interactiveshell", "skyward_jupyter.agent.answers", "skyward_jupyter.agent.http_server")


@dataclass(slots=True)
class _Agent:
    """An agent that was started; its successor is started when it has ended.

    `slots` are its slots' process ids with their numbers, `groups` those of which something is left, and `ended` says
    how it ended where that is told later.
    """

    config: AgentConfig
    pid: int
    channel: Channel
    slots: dict[int, int] = field(default_factory=dict)
    groups: set[int] = field(default_factory=set)
    asked: bool = False
    ended: str = ""
    lacking: bool = False
    reports: dict[str, Message] = field(default_factory=dict)
    successor: AgentConfig | None = None


class Template:
    """Starts, watches and ends agents and slots on this machine.

    Parameters
    ----------
    control
        The connection to the kernel that it is for.
    pool
        Or the pool that it is for; then it goes on for `linger` seconds after it last heard of a kernel.
    files
        What goes with it, should it be killed.
    """

    def __init__(
        self,
        control: socket.socket | None = None,
        pool: Pool | None = None,
        linger: float = 0.0,
        files: Sequence[str] = (),
    ) -> None:
        self._controls: list[Control] = []
        self._pools: dict[str, Pool] = {}
        self._agents: dict[int, _Agent] = {}
        self._leaving: list[_Agent] = []
        self._lost: dict[int, AgentConfig] = {}
        self._marks = Marks()
        self._files = files
        self._guard = start_guard(self._marks, files)
        self._endings = Endings(self._marks)
        self._again = Again()
        self._selector = selectors.DefaultSelector()
        self._shelves = Shelves(
            self._selector, self._marks.put, self._tell_kernel, self._tell_agents, self._endings.exited
        )
        self._later = list(LATER)
        self._wake_read, self._wake_write = os.pipe()
        self._linger = linger
        self._expired = False
        self._until = time.monotonic() + linger
        if control is not None:
            self._admit(control)
        if pool is not None:
            self._open(pool)

    def run(self) -> None:
        """Serve until the kernel and every agent are gone."""
        adopt_orphans()
        for fd in (self._wake_read, self._wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        while self._wanted():
            self._turn()
        for pool in self._pools.values():
            self._remove(pool)
        if self._guard:
            kill(self._guard)
            os.waitpid(self._guard, 0)

    def _wanted(self) -> bool:
        if self._agents or self._endings:
            self._until = time.monotonic() + self._linger
            return True
        if self._linger:
            # A connection whose other end is gone may look open for hours.
            return bool(self._pools) and not self._expired and time.monotonic() < self._until
        return bool(self._controls)

    def _open(self, pool: Pool) -> None:
        self._pools[pool.key] = pool
        self._selector.register(pool.door, selectors.EVENT_READ, pool)

    def _turn(self) -> None:
        ready = self._selector.select(0 if self._later else self._idle())
        if not ready and self._later:
            with contextlib.suppress(Exception):
                importlib.import_module(self._later.pop(0))
        for key, mask in ready:
            if key.data is None:
                self._reap()
            elif isinstance(key.data, _Agent):
                self._serve_agent(key.data)
            elif isinstance(key.data, Preloader):
                self._shelves.stock.serve(key.data)
            elif isinstance(key.data, Pool):
                self._admit(key.data.door.accept()[0])
            else:
                if mask & selectors.EVENT_WRITE:
                    self._flush(key.data)
                if mask & selectors.EVENT_READ:
                    self._serve_kernel(key.data)
        for pid in self._endings.over():
            self._over(pid)
        for go in (*self._again.due(), *self._shelves.due()):
            go()

    def _idle(self) -> float | None:
        """How long there may be nothing to do (seconds)."""
        waits = [self._endings.wait(), self._again.wait(), self._shelves.wait()]
        if self._linger and not self._agents and not self._endings:
            waits.append(max(0.0, self._until - time.monotonic()))
        return min((wait for wait in waits if wait is not None), default=None)

    def _admit(self, sock: socket.socket) -> None:
        control = Control(Channel(sock))
        self._controls.append(control)
        self._selector.register(control, selectors.EVENT_READ, control)

    def _serve_kernel(self, control: Control) -> None:
        received = control.channel.receive()
        if received is None:
            self._dismiss(control)
            return
        self._until = time.monotonic() + self._linger
        for message, _ in received:
            match message["op"]:
                case "start":
                    self._start_agent(AgentConfig.from_json(message["config"]), control, message.get("preload"))
                case "preload":
                    self._shelves.learn(message, self._pools)
                case "take":
                    self._take(message, control)
                case "kill":
                    if self._obeys(message["pool"], control):
                        self._kill_agents(message["pool"], message["rank"])
                case "end":
                    for key, pool in list(self._pools.items()):
                        if pool.control is control:
                            self._kill_agents(key)
                case "forget":
                    if self._obeys(message["pool"], control):
                        self._forget(message["pool"])
                case "renew":
                    self._renew(message, control)
                case "finish":
                    self._finish(message)

    def _dismiss(self, control: Control) -> None:
        """A kernel is gone."""
        self._selector.unregister(control)
        control.channel.close()
        self._controls.remove(control)
        for key, pool in list(self._pools.items()):
            if pool.control is control:
                pool.control = None
                self._prune(key)

    def _obeys(self, key: str, control: Control) -> bool:
        pool = self._pools.get(key)
        return pool is not None and pool.control is control

    def _take(self, message: Message, control: Control) -> None:
        key = message["pool"]
        pool = self._pools.get(key)
        if pool is None or not pool.take(control, message["epoch"], message["by"], message.get("holder", "")):
            self._tell(control, {"op": "refused", "pool": key})
            return
        for former in self._controls:
            self._flush(former)
        agents = [
            {"rank": agent.config.rank, "pid": agent.pid, "reports": list(agent.reports.values())}
            for agent in self._agents_of(key)
        ]
        config = pool.config.to_json() if pool.config is not None else ""
        self._tell(control, {"op": "yours", "pool": key, "config": config, "agents": agents})

    def _renew(self, message: Message, control: Control) -> None:
        """The kernel of an epoch, on another machine, is alive."""
        pool = self._pools.get(message["pool"])
        agents = self._agents_of(message["pool"])
        for agent in agents:
            with contextlib.suppress(OSError):
                agent.channel.send({"op": "renew", "epoch": message["epoch"], "spread": message["spread"]})
        epoch = pool.epoch if pool is not None else -1
        self._tell(control, {"op": "renewed", "pool": message["pool"], "agents": len(agents), "epoch": epoch})

    def _finish(self, message: Message) -> None:
        """The kernel of an epoch has ended in order, and leaves it to another process of its machine to say so."""
        pool = self._pools.get(message["pool"])
        if pool is not None and pool.epoch <= message["epoch"]:
            self._kill_agents(pool.key)
            self._forget(pool.key)

    def _forget(self, key: str) -> None:
        """Nobody will attach to the pool any more; its agents are reported until the last has ended."""
        self._remove(self._pools[key])
        self._prune(key)

    def _remove(self, pool: Pool) -> None:
        """Remove a pool's door and files, once."""
        if not pool.ending:
            pool.ending = True
            self._selector.unregister(pool.door)
            pool.remove()

    def _prune(self, key: str) -> None:
        """Let go of a pool that has no agent and no kernel, or whose kernel has let go of it."""
        pool = self._pools.get(key)
        if pool is None or self._agents_of(key):
            return
        if pool.control is None:
            self._again.drop("agent", key)
        if pool.control is None and not self._linger:
            self._remove(pool)
        if pool.ending:
            pool.clear()  # again: a slot that was just starting may have made its directory anew
            del self._pools[key]
            self._shelves.forget(key)

    def _serve_agent(self, agent: _Agent) -> None:
        received = agent.channel.receive()
        if received is None:
            if agent.channel.fileno() >= 0:
                self._selector.unregister(agent.channel)
                agent.channel.close()
            return
        for message, _ in received:
            if message["op"] == "slot":
                self._start_slot(agent, message["slot"], message["sockets"])
            elif message["op"] == "report":
                self._reported(agent, message)

    def _reported(self, agent: _Agent, message: Message) -> None:
        key = agent.config.key
        if message["what"] == "alone" and key in self._pools:
            self._pools[key].stamp()
        if message["what"] == "ready":
            self._again.done(("agent", key, agent.config.rank))
        message = {**message, "pool": key, "rank": agent.config.rank}
        if message["what"] == "expired":
            self._expired = True
        if message["what"] not in ("alone", "log", "expired"):
            agent.reports[message["what"]] = message
        self._tell_kernel(message)

    def _start_agent(self, config: AgentConfig, control: Control, preload: Message | None) -> None:
        if config.key not in self._pools:
            self._open(opened(config, control))
        if not self._obeys(config.key, control):
            return
        self._pools[config.key].config = config
        self._shelves.prepare(self._pools[config.key], preload)
        self._again.drop("agent", config.key, config.rank)
        former = self._agents_of(config.key, config.rank)
        if former:
            # It may not answer any more, and has the node's address until it has ended: that takes a while if it has
            # much memory.
            former[0].successor = config
            self._end(former[0])
        else:
            self._start(config)

    def _start(self, config: AgentConfig) -> None:
        self._guard = self._guard or start_guard(self._marks, self._files)
        try:
            ours, pid = _launched(config)
        except OSError as error:
            self._start_again(config, lack(error) or str(error))
            return
        agent = _Agent(config, pid, Channel(ours))
        self._agents[pid] = agent
        self._selector.register(agent.channel, selectors.EVENT_READ, agent)
        self._tell_kernel({"op": "started", "pool": config.key, "rank": config.rank, "pid": pid})
        self._start_slot(agent, 0, 1 if config.executor == "process" else config.concurrency + 1)
        for slot in range(1, config.concurrency if config.executor == "process" else 1):
            self._start_slot(agent, slot, 1)

    def _start_again(self, config: AgentConfig, why: str) -> None:
        """The system has no room for an agent: say so, and try again later."""
        self._again.later(("agent", config.key, config.rank), partial(self._start, config))
        text = f"cannot start: {why}; it is tried again"
        self._tell_kernel(
            {"op": "report", "what": "lacks", "pool": config.key, "rank": config.rank, "slots": 0, "text": text}
        )

    def _start_slot(self, agent: _Agent, slot: int, count: int) -> None:
        """Start a slot of an agent at once, its session when what that is to be born with is there.

        A slot that has run nothing is replaced then, a session lasts.
        """
        fork = partial(self._fork_slot, agent, slot, count)
        if slot >= 0:
            fork()
        else:
            self._shelves.when_ready(self._pools.get(agent.config.key), agent.config, ("slot", agent.pid, slot), fork)

    def _fork_slot(self, agent: _Agent, slot: int, count: int) -> None:
        label = f".{slot}" if slot >= 0 else ".session"
        pairs: list[tuple[socket.socket, socket.socket]] = []
        ends: Ends | None = None
        try:
            ends = Ends.new()
            pairs += [socket.socketpair() for _ in range(count)]
            sockets = [theirs for _, theirs in pairs]
            pool = self._pools.get(agent.config.key)
            pid, stock = self._shelves.launch(pool, agent.config, label, sockets, ends.fds)
            pid = pid or launch("slot", agent.config, label, sockets, ends.fds)
            self._marks.put(pid)
            agent.slots[pid] = slot
            agent.groups.add(pid)
            fds = (*(ours.fileno() for ours, _ in pairs), *ends.for_agent)
            self._again.done(("slot", agent.pid, slot))
            try:
                awaited = self._shelves.awaited(pool, agent.config)
                agent.channel.send({"op": "slot", "slot": slot, "pid": pid, "stock": stock, "awaited": awaited}, fds)
            except OSError:
                kill(pid)  # its agent has ended, or does not get what it needs to have it
        except OSError as error:
            self._again.later(("slot", agent.pid, slot), partial(self._start_slot, agent, slot, count))
            with contextlib.suppress(OSError):
                agent.channel.send({"op": "slot_failed", "slot": slot, "why": lack(error) or str(error)})
        finally:
            if ends is not None:
                ends.close()
            for ours, theirs in pairs:
                ours.close()
                theirs.close()

    def _kill_agents(self, key: str, rank: int | None = None) -> None:
        """End the agent of a rank, or all of a pool, and those that were to come after them."""
        for _, pool, number in self._again.drop("agent", key, *(() if rank is None else (rank,))):
            self._tell_kernel(
                {"op": "exited", "pool": pool, "rank": number, "pid": 0, "why": "it was ended before it had started"}
            )
        for agent in self._agents_of(key, rank):
            if agent.successor is not None:
                self._tell_exited(agent.successor, 0, "it was ended before it had started")
                agent.successor = None
            self._end(agent)

    def _agents_of(self, key: str, rank: int | None = None) -> list[_Agent]:
        """The agent of a rank, or all of a pool, also those that are ending."""
        every = (*self._agents.values(), *self._leaving)
        return [it for it in every if it.config.key == key and rank in (None, it.config.rank)]

    def _end(self, agent: _Agent) -> None:
        agent.asked = True
        self._end_slots(agent)
        if agent.pid in self._agents:
            kill(agent.pid)

    def _end_slots(self, agent: _Agent) -> None:
        for pid in agent.slots:
            self._endings.begin(pid)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, code: int) -> None:
        if pid == self._guard:
            self._guard = start_guard(self._marks, self._files)
            return
        agent = self._agents.pop(pid, None)
        if agent is not None:
            self._agent_ended(agent, code)
            return
        if self._endings.knows(pid):
            self._endings.exited(pid)
        for agent in (*self._agents.values(), *self._leaving):
            slot = agent.slots.pop(pid, None)
            if slot is not None:
                self._endings.exited(pid)
                with contextlib.suppress(OSError):
                    agent.channel.send({"op": "slot_exited", "slot": slot, "pid": pid, "code": code})

    def _agent_ended(self, agent: _Agent, code: int) -> None:
        self._again.drop("slot", agent.pid)
        self._shelves.drop("slot", agent.pid)
        self._end_slots(agent)
        kill_group(agent.pid)
        if agent.channel.fileno() >= 0:
            self._hear_the_last(agent)
            self._selector.unregister(agent.channel)
            agent.channel.close()
        agent.ended = f"signal {-code}" if code < 0 else f"exit status {code}"
        agent.lacking = code == LACKING and not agent.asked
        remove_partial(Path(agent.config.store), agent.pid)
        if agent.groups and (agent.asked or code == 0):
            self._leaving.append(agent)
        else:
            self._lost |= dict.fromkeys(agent.groups, agent.config)
            self._gone(agent)

    def _over(self, pid: int) -> None:
        """Nothing is left of a slot: what it had half written goes, and its results if nobody can fetch them."""
        for agent in (*self._agents.values(), *self._leaving):
            if pid in agent.groups:
                agent.groups.discard(pid)
                self._tidy(pid, agent.config, results=agent in self._leaving)
        if (config := self._lost.pop(pid, None)) is not None:
            pool = self._pools.get(config.key)
            used = config.shared and pool is not None and pool.control is not None
            self._tidy(pid, config, results=not used)
            if used:
                # It may not have got to what it was told of yet, and says so when it has.
                self._tell_kernel({"op": "left", "pool": config.key, "rank": config.rank, "pid": pid})
        for agent in [agent for agent in self._leaving if not agent.groups]:
            self._leaving.remove(agent)
            self._gone(agent)

    @staticmethod
    def _tidy(pid: int, config: AgentConfig, *, results: bool) -> None:
        directory = Path(config.store)
        remove_partial(directory, pid)
        if results:
            remove_results(directory, pid)

    def _gone(self, agent: _Agent) -> None:
        if agent.lacking and agent.successor is None:
            self._start_again(agent.config, agent.reports["failed"]["why"])
            return
        self._tell_exited(agent.config, agent.pid, agent.reports.get("failed", {}).get("why", agent.ended))
        if agent.successor is not None:
            self._start(agent.successor)
        self._prune(agent.config.key)

    def _hear_the_last(self, agent: _Agent) -> None:
        """What an agent said before it ended may not have been read yet."""
        agent.channel.sock.setblocking(False)
        for message, _ in agent.channel.receive() or ():
            if message["op"] == "report":
                self._reported(agent, message)

    def _tell_exited(self, config: AgentConfig, pid: int, why: str) -> None:
        self._tell_kernel({"op": "exited", "pool": config.key, "rank": config.rank, "pid": pid, "why": why})

    def _tell_kernel(self, message: Message) -> None:
        """Tell whoever has the pool that the message is about."""
        pool = self._pools.get(message["pool"])
        if pool is not None and pool.control is not None:
            self._tell(pool.control, message)

    def _tell_agents(self, shelf: Shelf) -> None:
        """Tell the agents whose slots are of this kind what these are born with now."""
        stock = shelf.serving.pid if shelf.serving is not None else 0
        message = {"op": "stocked", "stock": stock, "libraries": shelf.loaded, "awaited": shelf.awaited}
        for agent in self._agents.values():
            if self._shelves.shelf(self._pools.get(agent.config.key), agent.config) is shelf:
                with contextlib.suppress(OSError):
                    agent.channel.send(message)

    def _tell(self, control: Control, message: Message) -> None:
        control.tell(message)
        self._flush(control)

    def _flush(self, control: Control) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if control.flush() else 0)
        self._selector.modify(control, events, control)


def _launched(config: AgentConfig) -> tuple[socket.socket, int]:
    """Start an agent; returns the socket that leads to it, and its process id."""
    ours, theirs = socket.socketpair()
    try:
        return ours, launch("agent", config, "", [theirs])
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()


def main() -> None:
    """Entry: the arguments are the control socket's descriptor and the file that stderr goes to, removed in the end."""
    setproctitle(f"skyward: template {os.getppid()}")
    template = Template(socket.socket(fileno=int(sys.argv[1])), files=(sys.argv[2],))
    warm()
    try:
        template.run()
    finally:
        Path(sys.argv[2]).unlink(missing_ok=True)


def warm() -> None:
    """Import what agents and slots need."""
    for module in FIRST:
        importlib.import_module(module)
    gc.freeze()


if __name__ == "__main__":
    main()
