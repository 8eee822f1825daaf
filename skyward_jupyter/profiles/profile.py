"""What is said of a pool before there is one: by a profile, by the settings, or on a line.

Of two that say something, the nearer one counts, key by key. Where the pool runs is said as one: machines named nearer
are another number of nodes, and a pool on this machine needs nothing of what was said about others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from skyward_jupyter.errors import UsageError

if TYPE_CHECKING:
    from skyward_jupyter.ssh.image import Image

#: How output of nodes may be grouped, and where nodes may be.
GROUPS = ("same", "node", "time")
PROVIDERS = ("local", "ssh")
#: How to reach machines.
REACH = ("key", "jump", "known_hosts", "cluster")
#: What is only about machines that are not this one.
MACHINES = ("hosts", *REACH, "image")
#: Those of them that mean nothing on this machine.
ELSEWHERE = ("hosts", *REACH)


@dataclass(frozen=True, slots=True)
class Profile:
    """What is said; None for what is left open. Hosts alone mean that they are logged in to."""

    provider: str | None = None
    hosts: tuple[str, ...] | None = None
    key: str | None = None
    jump: str | None = None
    known_hosts: str | None = None
    cluster: bool | None = None
    image: Image | None = None
    nodes: int | tuple[int, int] | None = None
    name: str | None = None
    concurrency: int | None = None
    executor: str | None = None
    ttl: float | None = None
    timeout: float | None = None
    retries: int | None = None
    max_retries: int | None = None
    env: Mapping[str, str] | None = field(default=None, repr=False)
    group: str | None = None
    quiet: bool | None = None
    size_limit: int | None = None
    preload: bool | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.hosts is not None and self.provider is None:
            object.__setattr__(self, "provider", "ssh")

    def said(self) -> dict[str, Any]:
        """What it says, by key."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def over(self, other: Profile) -> Profile:
        """What this says, and what `other` says where this leaves it open."""
        if self.hosts is not None:
            other = replace(other, nodes=None)  # as many as the other's hosts were to run
        if self.provider == "local":
            other = replace(other, provider=None, **dict.fromkeys(MACHINES))
        return replace(other, **self.said())


NO_PROFILE = Profile()


def check_placed(said: Profile) -> None:
    """Raise UsageError for what is about machines where nothing says which."""
    for key in ELSEWHERE:
        if getattr(said, key) is not None:
            raise UsageError(
                f"{key} is about machines to log in to, and nothing says which machines: write %sky start --hosts "
                "user@a,user@b, or hosts into the profile"
            )
