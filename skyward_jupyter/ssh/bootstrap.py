"""Making a machine ready for an agent."""

from __future__ import annotations

from dataclasses import dataclass

from skyward_jupyter.agent.accelerators import Accelerator
from skyward_jupyter.ssh.image import Image
from skyward_jupyter.ssh.machine import Machine
from skyward_jupyter.ssh.steps import OnStep

#: Where all of ours is on a machine.
HOME = "~/.skyward"


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
        The environment of user code, as lines that a shell reads (``. FILE``) and that export it.
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
    machine: Machine, image: Image, events: OnStep, *, key: str = "default", home: str = HOME
) -> Prepared:
    """Make `machine` ready for agents of the pool `key`; do only what is left to do."""
    raise NotImplementedError


async def clear(machine: Machine, key: str, *, home: str = HOME) -> None:
    """Remove what a pool has on a machine; what its image needs stays for the next pool."""
    raise NotImplementedError
