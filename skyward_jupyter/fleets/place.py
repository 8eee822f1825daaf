"""Where the nodes of a pool are on their machines, and what all of them have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skyward_jupyter.agent.accelerators import Accelerator
from skyward_jupyter.providers.base import Instance
from skyward_jupyter.ssh.image import Image


@dataclass(frozen=True, slots=True)
class Plan:
    """What every site of a pool has in common.

    Attributes
    ----------
    key, epoch, by, holder
        The pool, how often it was taken over, and what this kernel is called there, to people and to templates.
    ttl
        Seconds that a template lives on when it hears of no kernel.
    certificates
        The directory here whose files each machine needs.
    image
        What a machine is to be like.
    alone
        Whether the machines do not reach each other.
    """

    key: str
    epoch: int
    by: str
    holder: str = field(repr=False)
    ttl: float
    certificates: Path
    image: Image
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a template is on its machine: its directory, and the addresses and ports that its node gets.

    Attributes
    ----------
    key
        What the directory is called by; all that is known at first.
    host, inside
        The address of the node's agent, and that of its HTTP API, which only the machine itself reaches.
    work
        The working directory of user code.
    accelerators
        The GPUs of the machine.
    """

    key: str
    directory: str = ""
    work: str = ""
    host: str = ""
    port: int = 0
    http: int = 0
    accelerators: tuple[Accelerator, ...] = ()
    inside: str = "127.0.0.1"

    @property
    def address(self) -> str:
        """The node's agent."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def http_address(self) -> str:
        """The node's HTTP API."""
        return f"{_bracketed(self.inside)}:{self.http}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def place_from(facts: dict[str, Any]) -> tuple[int, Instance, Place]:
    """Rank, machine and place of what `Site.to_json` gave."""
    instance = dict(facts["instance"])
    instance["accelerators"] = tuple(instance["accelerators"])
    place = {"inside": facts["place"]["host"], **facts["place"]}  # older ones listened at one address
    place["accelerators"] = tuple(Accelerator(**gpu) for gpu in place.get("accelerators", ()))
    return facts["rank"], Instance(**instance), Place(**place)
