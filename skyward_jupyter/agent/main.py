"""The process of an agent: it joins the cluster, serves its node until that is over, and leaves in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket

from skyward_jupyter.agent import actors
from skyward_jupyter.agent.again import LACKING, lack, lack_of_threads
from skyward_jupyter.agent.channel import Channel
from skyward_jupyter.agent.cluster import LEAVE_WITHIN, join
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.door import kept_open, raise_limit
from skyward_jupyter.agent.http import listen
from skyward_jupyter.agent.modules import serve_modules
from skyward_jupyter.agent.node import Agent
from skyward_jupyter.agent.shared import share
from skyward_jupyter.tasks import begin

#: So many threads its part in the cluster takes, which waits for ever where it has not all of them.
_THREADS = 4
#: Seconds that leaving the cluster may take: when the node goes by itself, and when all others may go as well.
_LEAVE, _LEAVE_ALL = LEAVE_WITHIN + 1.0, 2.0


class _Told(logging.Handler):
    """Has what this process logs in the node's own log, which the kernel shows."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(logging.WARNING)
        self._agent = agent

    def emit(self, record: logging.LogRecord) -> None:
        """logging's callback."""
        self._agent.report("log", text=record.getMessage())


async def serve(config: AgentConfig, sock: socket.socket) -> int:
    """Be the agent of `config` until it is stopped, or its owner has been gone for its ttl; returns its status."""
    agent = Agent(config, Channel(sock))
    actors.host(agent)
    logging.getLogger("skyward").addHandler(_Told(agent))
    loop = asyncio.get_running_loop()
    loop.add_reader(sock, agent.serve_template)
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, agent.stop)
    if lacks := lack_of_threads(_THREADS):
        agent.report("failed", why=lacks)
        return LACKING
    agent.lease.start()
    member = begin(_member(agent), f"node {config.rank}")
    over = begin(agent.over.wait(), "waiting for the end of the node")
    await asyncio.wait([member, over], return_when=asyncio.FIRST_COMPLETED)
    agent.stop()
    # One that has not joined yet has nothing to leave; leaving in order takes a moment.
    await asyncio.wait([member], timeout=_LEAVE if agent.leaving else _LEAVE_ALL)
    agent.lease.end()
    if member.done() and (error := member.exception()) is not None:
        lacks = "" if agent.joined else lack(error)
        agent.report("failed", why=lacks or f"its agent failed: {error or type(error).__name__}")
        return LACKING if lacks else 0
    member.cancel()
    return 0


async def _member(agent: Agent) -> None:
    async with (
        join(agent.config, actors.worker) as system,
        share(agent, system),
        kept_open(agent.config.address, lambda: system.stats().connections, agent.shut_out),
        serve_modules(agent.modules, agent.config),
        listen(agent),
    ):
        agent.others = actors.Others(system)
        agent.joined = True
        agent.report("ready")
        await agent.over.wait()


def run_agent(config: AgentConfig, sock: socket.socket) -> None:
    """Be an agent process; does not return.

    What has not left the cluster in its time is not waited for any longer.
    """
    sock.setblocking(True)
    raise_limit()
    os._exit(asyncio.new_event_loop().run_until_complete(serve(config, sock)))
