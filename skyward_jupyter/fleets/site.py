"""One machine as a pool has it: logged in to, made ready, with a template there that starts the node's processes.

The template outlives the connection. While that is broken nothing is known to be lost: the site knocks again until the
template answers, is gone, or has not been heard of for so long that it has ended by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from skyward_jupyter.agent.channel import Message
from skyward_jupyter.agent.cluster import AUTHORITY, CERTIFICATE, KEY, TOKEN
from skyward_jupyter.agent.controls import DOOR
from skyward_jupyter.collections.data_nodes import is_data_node
from skyward_jupyter.errors import CommandFailed, MachineError, ProvisioningFailed
from skyward_jupyter.fleets.link import DoorLink, Refused, knock
from skyward_jupyter.fleets.place import Place, Plan
from skyward_jupyter.providers.base import Instance
from skyward_jupyter.ssh.bootstrap import accompanied, clear, prepare
from skyward_jupyter.ssh.connection import Connection
from skyward_jupyter.ssh.keeper import State
from skyward_jupyter.ssh.login import connection
from skyward_jupyter.ssh.steps import Step
from skyward_jupyter.tasks import begin

#: How long a template may take to start, and to end (seconds).
START_WITHIN = 60.0
END_WITHIN = 12.0
#: How long a machine may take to be logged in to (seconds).
REACH_WITHIN = 60.0
#: A machine that is prepared waits so long for word from here, with a shorter ttl too (seconds): for longer than it
#: takes to notice that the link is down.
LEAST_PATIENCE = 20.0
#: What the path of a socket may have (bytes).
LONGEST = 107
#: Seconds between two knocks, and how much longer than its ttl a machine may be silent before it is given up.
AGAIN = 0.5
MARGIN = 5.0

#: The steps that make a machine ready, for people.
STEPS = {
    "look": "looking what is there",
    "upload": "sending files",
    "wait": "waiting for the image",
    "apt": "installing apt packages",
    "uv": "getting uv",
    "python": "getting Python",
    "venv": "making an environment",
    "packages": "installing packages",
    "check": "checking the image",
    "files": "placing files",
}

type Heard = Callable[[Message], None]


@dataclass(slots=True)
class _Known:
    """What is known of the agent there."""

    pid: int = 0
    told: set[str] = field(default_factory=set)


class Site:
    """One machine of a pool.

    Parameters
    ----------
    heard
        Called with every message of the template, and with ``template_gone`` when there is none any more.
    place
        Where the template is, when one runs already.

    Attributes
    ----------
    forwards
        The ports of this machine that lead to the agent, to its HTTP API, and to the agent as a data
        node; 0 for none.
    """

    def __init__(self, rank: int, instance: Instance, plan: Plan, heard: Heard, place: Place | None = None) -> None:
        self.rank = rank
        self.instance = instance
        self.place = place
        self.forwards = (0, 0, 0)
        self.asked = False
        self._plan = plan
        self._heard = heard
        self._machine: Connection | None = None
        self._link: DoorLink | None = None
        self._serving: asyncio.Task[None] | None = None
        self._agent = _Known()
        self._over = False
        self._why = ""

    @property
    def located(self) -> bool:
        """Whether it is known where its node is."""
        return self.place is not None and self.place.port > 0

    @property
    def up(self) -> bool:
        """Whether its template can be told something now."""
        return self._link is not None

    @property
    def _patience(self) -> float:
        """How long its machine goes on with being prepared when it hears nothing (seconds)."""
        return max(self._plan.ttl, LEAST_PATIENCE)

    # -- its start ---------------------------------------------------------------------------------------------------

    async def open(self, former: Place | None = None) -> None:
        """Log in, make the machine ready, and start a template; one of the pool that is there still is ended first."""
        machine = await self._connected()
        if former is not None:
            await self._finish_at(machine, former)
        key = f"{self._plan.key.replace('~', '-')}.{self.rank}.{secrets.token_hex(2)}"
        # From now on there may be something to remove, however far this gets.
        self.place = Place(key)
        async with accompanied(machine, key, self._patience):
            self.place = await self._launched(machine, key)
        await self._forward(machine)
        await self._take()
        self._serving = self._begin_serving()

    async def reopen(self) -> Message:
        """Have the template that another kernel started; returns what it says of its agents.

        Raises
        ------
        Refused
            Somebody else has it, or it is gone.
        """
        machine = await self._connected()
        try:
            answer = await self._take()
        except ConnectionRefusedError:
            raise Refused("its processes have ended") from None
        await self._forward(machine)
        return answer

    def adopt(self, answer: Message) -> None:
        """Hear of the agent that `reopen` found, and of what comes after."""
        self.asked = True
        self._reconcile(answer)
        self._serving = self._begin_serving()

    async def _connected(self) -> Connection:
        self._tell("connecting")
        self._machine = await connection(self.instance, self._watch)
        await self._machine.open(REACH_WITHIN)
        return self._machine

    def _watch(self, state: State, why: str) -> None:
        """Say why the machine cannot be logged in to yet, or any more."""
        if state == "up":
            self._why = ""
        elif state not in ("lost", "connecting") or self._over or self._is_given_up:
            return
        elif self._serving is not None:
            self._hear({"op": "report", "what": "unreached", "text": why or "connection lost"})
        elif why and why != self._why:
            self._why = why
            self._hear({"op": "report", "what": "line", "text": f"not yet: {why}"})

    @property
    def _is_given_up(self) -> bool:
        """Whether it was said that there is no template any more: what is heard now is not about the next one."""
        return self._serving is not None and self._serving.done()

    async def _launched(self, machine: Connection, key: str) -> Place:
        ready = await prepare(machine, self._plan.image, self._step, key=key, patience=self._patience)
        self.place = Place(key, ready.pool)
        if len(f"{ready.pool}/{DOOR}".encode()) > LONGEST:
            raise ProvisioningFailed(
                f"{ready.pool} on {machine.name} is too long a path for a socket: give the pool a shorter name, or log "
                "in as a user whose home has a shorter path"
            )
        self._tell("starting its template")
        certificates = f"{ready.pool}/certificates"
        await self._run(machine, "its private directory", f"umask 077; mkdir -p {shlex.quote(certificates)}")
        for name in (AUTHORITY, CERTIFICATE, KEY, TOKEN):
            await machine.write(f"{certificates}/{name}", (self._plan.certificates / name).read_bytes())
        # Alone, a node is reached through its tunnel only, and no other node of the pool may have its address.
        address = f"127.99.{self.rank // 250}.{self.rank % 250 + 1}" if self._plan.alone else self.instance.private
        words = [ready.python, "-P", "-m", "skyward_jupyter.agent.outpost", ready.pool, self._plan.key]
        command = shlex.join([*words, f"{self._plan.ttl:g}", address])
        enter = f". {shlex.quote(ready.env_file)} && " if ready.env_file else ""
        said = json.loads(await self._run(machine, "the template", f"{enter}exec {command}"))
        place = Place(key, ready.pool, ready.directory, accelerators=ready.accelerators)
        return replace(place, **{name: said[name] for name in ("host", "port", "inside", "http")})

    async def _run(self, machine: Connection, what: str, command: str) -> str:
        done = await machine.run(command, timeout=START_WITHIN)
        if done.status:
            raise CommandFailed(machine.name, what, done.status, done.last)
        return done.stdout

    async def _forward(self, machine: Connection) -> None:
        assert self.place is not None
        place = self.place
        self.forwards = (
            await machine.forward(place.host, place.port),
            await machine.forward(place.inside, place.http),
            await machine.forward(place.host, place.port + 1)
            if is_data_node(self.rank) and not self._plan.alone
            else 0,
        )

    async def _take(self) -> Message:
        assert self._machine is not None
        assert self.place is not None
        link = await knock(self._machine, self.place.directory)
        plan = self._plan
        message = {"op": "take", "pool": plan.key, "epoch": plan.epoch, "by": plan.by, "holder": plan.holder}
        try:
            answer = await link.ask(message, "yours", "refused")
        except BaseException:
            link.close()
            raise
        if answer["op"] == "refused":
            link.close()
            raise Refused("another kernel has it, or it ends")
        self._link = link
        return answer

    def _step(self, step: Step) -> None:
        match step.state:
            case "started":
                self._tell(STEPS.get(step.name, step.name))
            case "line":
                self._hear({"op": "report", "what": "line", "text": step.text})
            case "failed":
                self._hear({"op": "report", "what": "line", "text": f"{step.name} failed: {step.text}"})

    def _tell(self, phase: str) -> None:
        self._hear({"op": "report", "what": "phase", "text": phase})

    # -- its life ----------------------------------------------------------------------------------------------------

    def send(self, message: Message) -> None:
        """Tell the template something, if it can be told."""
        if self._link is not None:
            self._link.send({**message, "pool": self._plan.key})

    def start(self, config: str) -> None:
        """Start the node's agent."""
        self.asked, self._agent = True, _Known()
        self.send({"op": "start", "config": config})

    def _begin_serving(self) -> asyncio.Task[None]:
        return begin(
            self._serve(),
            f"hearing of node {self.rank}",
            lambda error: self._hear({"op": "template_gone", "why": f"{type(error).__name__}: {error}"}),
        )

    async def _serve(self) -> None:
        while self._link is not None:
            message = await self._link.receive()
            if message is not None:
                self._hear(message)
                continue
            self._link.close()
            self._link = None
            if not self._over:
                await self._mend()

    async def _mend(self) -> None:
        """The link is broken: knock until somebody answers, or nobody can be there any more."""
        loop = asyncio.get_running_loop()
        patience = self._plan.ttl + MARGIN
        until = loop.time() + patience
        why = f"its machine could not be reached for {patience:g} s"
        while loop.time() < until:
            try:
                async with asyncio.timeout_at(until):
                    self._reconcile(await self._take())
                self._hear({"op": "report", "what": "mended"})
                return
            except ConnectionRefusedError:
                why = "its processes have ended"
                break
            except Refused as refused:
                why = str(refused)
                break
            except (MachineError, OSError):
                await asyncio.sleep(AGAIN)
        self._hear({"op": "template_gone", "why": why})

    def _reconcile(self, answer: Message) -> None:
        """Hear what was said while the link was broken."""
        agents = {agent["pid"]: agent for agent in answer["agents"]}
        if self._agent.pid in agents:
            for report in agents[self._agent.pid]["reports"]:
                self._hear(report)
        elif agents:
            for agent in agents.values():
                self._hear({"op": "started", "rank": self.rank, "pid": agent["pid"]})
                for report in agent["reports"]:
                    self._hear(report)
        elif self.asked:
            why = "it ended while the link to it was broken"
            self._hear({"op": "exited", "rank": self.rank, "pid": self._agent.pid, "why": why})

    def _hear(self, message: Message) -> None:
        match message["op"]:
            case "started":
                self._agent = _Known(message["pid"])
            case "exited" if message["pid"] in (0, self._agent.pid):
                self.asked = False
            case "report" if message["what"] in ("ready", "http"):
                if message["what"] in self._agent.told:
                    return
                self._agent.told.add(message["what"])
        self._heard({**message, "rank": self.rank})

    # -- its end -----------------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """Hear nothing any more, and leave everything there as it is."""
        self._over = True
        if self._serving is not None:
            self._serving.cancel()
        if self._link is not None:
            self._link.close()
            self._link = None

    async def disconnect(self) -> None:
        """Close the connection, and leave everything there as it is."""
        self.leave()
        if self._machine is not None:
            await self._machine.close()

    async def close(self) -> None:
        """End everything there and remove what was made; raises MachineError or OSError when that is not possible."""
        self._over = True
        try:
            if self.place is not None and self._machine is not None:
                async with asyncio.timeout(END_WITHIN):
                    await self._finish(self._machine, self.place)
        finally:
            self.leave()
            if self._machine is not None:
                await self._machine.close()

    async def remove(self, within: float) -> None:
        """End and remove what is there of a pool that is over, if the machine can be reached."""
        assert self.place is not None
        machine = await connection(self.instance)
        try:
            async with asyncio.timeout(within + END_WITHIN):
                await machine.open(within)
                await self._finish_at(machine, self.place)
        finally:
            await machine.close()

    async def _finish(self, machine: Connection, place: Place) -> None:
        """Have the template end all it started, and wait until it has ended itself."""
        if self._link is None or self._serving is None:
            await self._finish_at(machine, place)
            return
        self.send({"op": "kill", "rank": None})
        self.send({"op": "forget"})
        await asyncio.wait([self._serving])
        await clear(machine, place.key)

    async def _finish_at(self, machine: Connection, place: Place) -> None:
        """End a template of the pool through its door, if it is there."""
        if place.directory:
            with contextlib.suppress(ConnectionRefusedError):
                link = await knock(machine, place.directory)
                try:
                    link.send({"op": "finish", "pool": self._plan.key, "epoch": self._plan.epoch})
                    while await link.receive() is not None:
                        pass
                finally:
                    link.close()
        await clear(machine, place.key)

    # -- as its pool's record has it ---------------------------------------------------------------------------------

    @property
    def what(self) -> str:
        """What there is of it on its machine, for people."""
        return (self.place.directory or self.place.key) if self.place is not None else "nothing"

    def to_json(self) -> dict[str, Any]:
        """What another kernel needs to have it."""
        assert self.place is not None
        return {"rank": self.rank, "instance": asdict(self.instance), "place": asdict(self.place)}
