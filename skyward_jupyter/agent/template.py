"""The template: one process per machine and kernel from which agents and slots are started in milliseconds.

It has one thread and has started nothing, so forking it is safe; it imports what agents and slots need before it is
asked. Agents and slots, also the ones that replace dead ones, are its children: it tells whoever asked for them how
they ended, kills the slots of an agent that is gone, and takes all of them with it when it dies itself. It goes on
without its kernel for as long as an agent lives, and then removes the pool's files and ends.

Where forking is not safe (macOS) the same children are spawned.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from setproctitle import setproctitle

from skyward_jupyter.agent.channel import Channel, Message, encoded
from skyward_jupyter.agent.child import become
from skyward_jupyter.agent.config import AgentConfig

#: Imported before the first request, and while there is nothing else to do.
FIRST = ("skyward_jupyter.agent.node", "skyward_jupyter.agent.slot")
LATER = ("IPython.core.interactiveshell", "skyward_jupyter.agent.session", "skyward_jupyter.agent.http_server")

FORK = sys.platform == "linux" and os.environ.get("SKYWARD_START") != "spawn"


@dataclass(slots=True)
class _Agent:
    config: AgentConfig
    pid: int
    channel: Channel
    slots: dict[int, int] = field(default_factory=dict)


class Template:
    """Starts, watches and ends the agents and slots of one kernel on this machine."""

    def __init__(self, control: socket.socket) -> None:
        self._control: Channel | None = Channel(control)
        self._agents: dict[int, _Agent] = {}
        self._selector = selectors.DefaultSelector()
        self._later = list(LATER)
        self._wake_read, self._wake_write = os.pipe()
        self._stores: set[str] = set()
        self._unsent = bytearray()

    def run(self) -> None:
        """Serve until the kernel and every agent are gone."""
        for fd in (self._wake_read, self._wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        if self._control is not None:
            self._selector.register(self._control, selectors.EVENT_READ, self._control)
        while self._wanted():
            self._turn()
        for store in self._stores:
            shutil.rmtree(store, ignore_errors=True)

    def _wanted(self) -> bool:
        return self._control is not None or bool(self._agents)

    def _turn(self) -> None:
        ready = self._selector.select(0 if self._later else None)
        if not ready and self._later:
            with contextlib.suppress(Exception):
                importlib.import_module(self._later.pop(0))
        for key, mask in ready:
            if key.data is None:
                self._reap()
            elif isinstance(key.data, _Agent):
                self._serve_agent(key.data)
            else:
                if mask & selectors.EVENT_WRITE:
                    self._flush()
                if mask & selectors.EVENT_READ:
                    self._serve_kernel(key.data)

    def _serve_kernel(self, control: Channel) -> None:
        received = control.receive()
        if received is None:
            self._selector.unregister(control)
            self._control = None
            return
        for message, _ in received:
            match message["op"]:
                case "start":
                    self._start_agent(AgentConfig.from_json(message["config"]))
                case "kill":
                    self._kill_agent(message["pool"], message["rank"])
                case "end":
                    for agent in self._agents.values():
                        self._kill_slots(agent)
                        _kill(agent.pid)
                case "forget":
                    self._stores.discard(message["store"])
                    shutil.rmtree(message["store"], ignore_errors=True)

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
                self._tell_kernel({**message, "pool": agent.config.pool, "rank": agent.config.rank})

    def _start_agent(self, config: AgentConfig) -> None:
        self._stores.add(str(Path(config.store).parent))
        ours, theirs = socket.socketpair()
        try:
            pid = self._launch("agent", config, "", [theirs])
        except OSError as error:
            ours.close()
            self._tell_kernel({"op": "exited", "pool": config.pool, "rank": config.rank, "pid": 0, "why": str(error)})
            return
        finally:
            theirs.close()
        agent = _Agent(config, pid, Channel(ours))
        self._agents[pid] = agent
        self._selector.register(agent.channel, selectors.EVENT_READ, agent)
        self._tell_kernel({"op": "started", "pool": config.pool, "rank": config.rank, "pid": pid})
        self._start_slot(agent, 0, 1 if config.executor == "process" else config.concurrency + 1)
        for slot in range(1, config.concurrency if config.executor == "process" else 1):
            self._start_slot(agent, slot, 1)

    def _start_slot(self, agent: _Agent, slot: int, count: int) -> None:
        pairs = [socket.socketpair() for _ in range(count)]
        label = f".{slot}" if slot >= 0 else ".session"
        try:
            pid = self._launch("slot", agent.config, label, [theirs for _, theirs in pairs])
            agent.slots[pid] = slot
            fds = tuple(ours.fileno() for ours, _ in pairs)
            agent.channel.send({"op": "slot", "slot": slot, "pid": pid}, fds)
        except OSError as error:
            with contextlib.suppress(OSError):
                agent.channel.send({"op": "slot_failed", "slot": slot, "why": str(error)})
        finally:
            for ours, theirs in pairs:
                ours.close()
                theirs.close()

    def _launch(self, role: str, config: AgentConfig, label: str, sockets: list[socket.socket]) -> int:
        fds = [sock.fileno() for sock in sockets]
        if not FORK:
            return _spawn(role, config, label, fds)
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        try:
            self._leave(set(fds))
            become(role, config, label, fds, parent)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)

    def _leave(self, keep: set[int]) -> None:
        """In a fresh child: drop everything that is the template's (its selector too, by its descriptor)."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for name in os.listdir("/proc/self/fd"):
            fd = int(name)
            if fd > 2 and fd not in keep:
                with contextlib.suppress(OSError):
                    os.close(fd)

    def _kill_agent(self, pool: str, rank: int) -> None:
        for agent in self._agents.values():
            if (agent.config.pool, agent.config.rank) == (pool, rank):
                self._kill_slots(agent)
                _kill(agent.pid)

    def _kill_slots(self, agent: _Agent) -> None:
        for pid in agent.slots:
            _kill(pid)

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
        agent = self._agents.pop(pid, None)
        if agent is not None:
            self._kill_slots(agent)
            if agent.channel.fileno() >= 0:
                self._selector.unregister(agent.channel)
                agent.channel.close()
            why = f"signal {-code}" if code < 0 else f"exit status {code}"
            config = agent.config
            self._tell_kernel({"op": "exited", "pool": config.pool, "rank": config.rank, "pid": pid, "why": why})
            return
        for agent in self._agents.values():
            slot = agent.slots.pop(pid, None)
            if slot is not None:
                _kill_group(pid)
                with contextlib.suppress(OSError):
                    agent.channel.send({"op": "slot_exited", "slot": slot, "pid": pid, "code": code})

    def _tell_kernel(self, message: Message) -> None:
        """Queue a message: a kernel that is busy for minutes must not stop the template."""
        if self._control is not None:
            self._unsent += encoded(message)
            self._flush()

    def _flush(self) -> None:
        if self._control is None:
            return
        try:
            sent = self._control.sock.send(self._unsent, socket.MSG_DONTWAIT) if self._unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(self._unsent)  # the kernel is gone, as reading will tell
        del self._unsent[:sent]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        self._selector.modify(self._control, events, self._control)


def _spawn(role: str, config: AgentConfig, label: str, fds: list[int]) -> int:
    spec = {"role": role, "config": config.to_json(), "label": label, "fds": fds, "parent": os.getpid()}
    command = [sys.executable, "-P", "-m", "skyward_jupyter.agent.child"]
    child = subprocess.Popen(command, pass_fds=fds, stdin=subprocess.PIPE)
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
        pipe.write(json.dumps(spec).encode())
    return child.pid


def _kill(pid: int) -> None:
    _kill_group(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def main() -> None:
    """Entry: the control socket's descriptor is the one argument."""
    setproctitle(f"skyward: template {os.getppid()}")
    template = Template(socket.socket(fileno=int(sys.argv[1])))
    for module in FIRST:
        importlib.import_module(module)
    gc.freeze()
    template.run()


if __name__ == "__main__":
    main()
