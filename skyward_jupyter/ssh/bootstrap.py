"""Making a machine ready for an agent.

All of ours there is in one directory: ``images/DIGEST`` is what an image needs, made once and kept between pools;
``pools/KEY`` is what one pool has, and goes with it; ``files`` are contents of included files, by their hash. An image
that is complete costs one round trip. Every step can be cut short and done again: the next preparation goes on with
what the last one left, and of two that make the same image at once the second waits for the first.

This assumes a POSIX shell and `flock` on the machine, nothing else.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from skyward_jupyter.agent.accelerators import Accelerator, accelerators
from skyward_jupyter.errors import ConnectionLost, MachineError, UsageError
from skyward_jupyter.ssh.image import Image, digest_of, is_exact, redacted, version_of
from skyward_jupyter.ssh.journal import Journal
from skyward_jupyter.ssh.machine import Machine
from skyward_jupyter.ssh.project import Included, included, manifest, name_of, pack
from skyward_jupyter.ssh.script import Script, fact_of
from skyward_jupyter.ssh.shared import Shared
from skyward_jupyter.ssh.steps import OnStep
from skyward_jupyter.ssh.uv import NoUv, uv_for
from skyward_jupyter.ssh.wheel import Wheel, own_wheel, requirements
from skyward_jupyter.tasks import begin

#: Where all of ours is on a machine.
HOME = "~/.skyward"
#: How often a preparation is begun when the connection breaks.
TRIES = 3
#: How often in its patience a machine is told that somebody is there.
TELLINGS = 5
#: For people who run ``%pip install`` in a cell; the image has no use for it.
EXTRA = ("pip",)

_gathering = Shared[Image, tuple[Wheel, tuple[Included, ...]]]()
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A machine that can run agents.

    Attributes
    ----------
    python
        Path of the Python that has our code and the image's packages.
    home
        The directory of all that is ours there.
    pool
        The directory there of this pool alone, private; `clear` removes it.
    directory
        The working directory of user code, with the files that the image includes.
    env_file
        The environment of user code, as lines that a shell reads (``. FILE``) and that export it; with it, ``python``
        and ``pip`` are those of the image.
    accelerators
        The GPUs.
    """

    python: str
    home: str
    pool: str
    directory: str
    env_file: str
    accelerators: tuple[Accelerator, ...]


async def prepare(
    machine: Machine, image: Image, events: OnStep, *, key: str = "default", home: str = HOME, patience: float = 0.0
) -> Prepared:
    """Make `machine` ready for agents of the pool `key`; do only what is left to do.

    With `patience` the machine ends what runs of this, and removes what the pool has there, when for so many seconds it
    is not `accompanied` and no template has come.

    Raises
    ------
    BootstrapFailed
        A step failed; it names the step, and what to do.
    ConnectionLost
        The connection broke once too often; calling this again goes on.
    UsageError
        What the image includes is not there.
    """
    _check(key)
    preparation = await _Preparation.of(machine, image, events, key, home, ceil(patience))
    return await preparation.run()


@asynccontextmanager
async def accompanied(machine: Machine, key: str, patience: float, *, home: str = HOME) -> AsyncIterator[None]:
    """Meanwhile `machine` hears again and again that somebody is there who prepares it for the pool `key`."""
    telling = begin(
        _tell(machine, _small(key, home), patience), f"telling {machine.name} that its pool is still being started"
    )
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait([telling])


async def _tell(machine: Machine, script: Script, patience: float) -> None:
    for turn in itertools.count():
        await asyncio.sleep(patience / TELLINGS)
        # While the connection is broken nothing can be told; the machine waits longer than most breaks take.
        with suppress(MachineError, TimeoutError):
            await machine.tell(script.alive(turn), timeout=patience)


async def clear(machine: Machine, key: str, *, home: str = HOME) -> None:
    """Remove what a pool has on a machine; what its image needs stays for the next pool."""
    _check(key)
    await machine.run("sh -s", stdin=_small(key, home).clear())


def _small(key: str, home: str) -> Script:
    """What needs to know no more than where the pool's directory is."""
    return Script(home=home, key=key, digest="none", wheel="none", python="3")


def _check(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise UsageError(f"{key!r} cannot be the key of a pool: it names a directory")


def _gathered(image: Image) -> tuple[Wheel, tuple[Included, ...]]:
    """What machines need from here; reading it takes a while."""
    return own_wheel(), included(image)


class _Preparation:
    """One machine that is made ready."""

    def __init__(self, machine: Machine, script: Script, journal: Journal, files: tuple[Included, ...]) -> None:
        self._machine = machine
        self._script = script
        self._journal = journal
        self._files = files

    @classmethod
    async def of(
        cls, machine: Machine, image: Image, events: OnStep, key: str, home: str, patience: int
    ) -> _Preparation:
        """Gather what is needed from here."""
        wheel, files = await _gathering.done(image, lambda: asyncio.to_thread(_gathered, image))
        script = Script(
            home=home,
            key=key,
            digest=digest_of(image, wheel.name),
            wheel=wheel.name,
            python=version_of(image),
            apt=tuple(image.apt),
            requirements=(*requirements(), *EXTRA, *image.pip),
            exact=is_exact(image),
            env=image.env,
            manifest=manifest(files),
            patience=patience,
        )
        return cls(machine, script, Journal(machine.name, events, redacted(image)), files)

    async def run(self) -> Prepared:
        """Do what is left to do; a connection that breaks, and is there again, is no reason to give up."""
        for _ in range(TRIES - 1):
            with suppress(ConnectionLost):
                return await self._run()
        return await self._run()

    async def _run(self) -> Prepared:
        try:
            await self._do()
        except ConnectionLost as error:
            self._journal.cut(str(error))
            raise
        return self._prepared()

    async def _do(self) -> None:
        await self._send(self._script.look())
        if "ready" not in self._journal.facts:
            await self._install()
        if self._journal.missing:
            await self._deliver(set(self._journal.missing))
        self._journal.done()

    async def _install(self) -> None:
        facts = self._journal.facts
        system = facts["system"].split()
        if system[:1] != ["Linux"]:
            raise self._journal.failure(f"it runs {facts['system']}, and agents run on Linux: leave it out")
        if "wheel" not in facts:
            await self._push_wheel()
        if await self._send(self._script.install(), needs=42):
            await self._push_uv(system[-1])
            await self._send(self._script.install())

    async def _send(self, script: bytes, needs: int = 0) -> bool:
        """Run a part of the preparation; True when it ended because something has to be sent first."""
        journal = self._journal
        mark = self._script.mark

        def on_line(_stream: str, text: str) -> None:
            fact = fact_of(text, mark)
            if fact is None:
                journal.line(text)
            else:
                journal.heard(fact)

        journal.missing.clear()
        ended = await self._machine.run("sh -s", stdin=script, on_line=on_line)
        if ended.status and ended.status != needs:
            raise journal.failure(ended=ended.status)
        return bool(ended.status)

    async def _push_wheel(self) -> None:
        wheel = own_wheel()
        self._journal.start("upload")
        try:
            await self._machine.write(f"{self._journal.facts['root']}/wheels/{wheel.name}", wheel.content, 0o644)
        except OSError as error:
            raise self._journal.failure(f"our own code could not be written there: {error}") from error
        self._journal.done()

    async def _push_uv(self, architecture: str) -> None:
        self._journal.start("uv", "fetching uv here")
        try:
            local = await uv_for(architecture)
            await self._machine.upload(local, f"{self._journal.facts['root']}/bin/uv", 0o755)
        except (NoUv, OSError) as error:
            raise self._journal.failure(
                f"uv is neither there nor could it be put there ({error}): install uv on the machine"
            ) from error
        self._journal.done()

    async def _deliver(self, missing: set[str]) -> None:
        """Send contents of included files that the machine lacks, and have the files put into place."""
        self._journal.start("upload")
        there = f"{self._journal.facts['root']}/pools/{self._script.key}/{name_of(missing)}.tar.gz"
        try:
            with TemporaryDirectory(prefix="skyward-", ignore_cleanup_errors=True) as folder:
                archive = Path(folder, "contents")
                await asyncio.to_thread(pack, archive, self._files, missing)
                await self._machine.upload(archive, there, 0o600)
        except OSError as error:
            raise self._journal.failure(f"the included files could not be sent: {error}") from error
        self._journal.done()
        await self._send(self._script.place(there))
        if self._journal.missing:
            raise self._journal.failure("files that were sent are not there any more: start the pool again")

    def _prepared(self) -> Prepared:
        facts = self._journal.facts
        pool = f"{facts['root']}/pools/{self._script.key}"
        return Prepared(
            python=facts["ready"],
            home=facts["root"],
            pool=pool,
            directory=f"{pool}/work",
            env_file=f"{pool}/env",
            accelerators=accelerators("\n".join(self._journal.gpus)),
        )
