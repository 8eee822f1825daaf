"""What users give a pool, checked: one sentence that names what is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from skyward_jupyter.api.naming import new_name
from skyward_jupyter.api.spec import Nodes, nodes_of
from skyward_jupyter.errors import UsageError
from skyward_jupyter.events import Event
from skyward_jupyter.providers.base import Provider

if TYPE_CHECKING:
    from skyward_jupyter.ssh.image import Image

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


def checked_name(name: str | None) -> str:
    """`name`, or one that no other pool has."""
    if name is None:
        return new_name()
    if not is_name(name):
        raise UsageError(f"{name!r} is no pool name: use up to 32 letters, digits, - and _, a letter first")
    return name


def is_name(name: str) -> bool:
    """Whether a pool may be called so."""
    return _NAME.fullmatch(name) is not None


def checked_kinds(kinds: tuple[type[Event], ...]) -> tuple[type[Event], ...]:
    """`kinds`, which are kinds of events."""
    for kind in kinds:
        if not _is_event(kind):
            raise UsageError(f"{kind!r} is no kind of event; they are in sky.events, such as sky.events.NodeLost")
    return kinds


def checked_env(env: dict[Any, Any] | None) -> dict[str, str]:
    """`env`, which is text throughout."""
    for key, value in (env or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise UsageError(f"the environment variable {key!r} is {value!r}; write it as text")
    return dict(env or {})


def _is_event(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Event)


def nodes_on(provider: Provider, nodes: object) -> Nodes:
    """What ``nodes=`` means for the machines of a provider."""
    if nodes is None:
        return Nodes(1 if provider.name == "local" else provider.largest)
    found = nodes_of(nodes)
    if found.max > provider.largest:
        raise UsageError(f"nodes is {found}; {room_on(provider)}")
    return found


def room_on(provider: Provider) -> str:
    """How many nodes its machines run, for a sentence."""
    if provider.name == "local":
        return f"a pool on this machine has 1 to {provider.largest}"
    if provider.largest == 1:
        return "a pool on 1 host has 1; name more hosts for more nodes"
    return (
        f"a pool on {provider.largest} hosts has 1 to {provider.largest}, one on each; name more hosts for more nodes"
    )


def checked_image(image: object, provider: Provider) -> Image | None:
    """`image`, which is one; where nodes run on this machine, it has what the image asks for."""
    if image is None:
        return None
    from skyward_jupyter.ssh.image import Image

    if not isinstance(image, Image):
        raise UsageError(f"image is {image!r}; write image=sky.Image(pip=['polars'])")
    if provider.name == "local":
        from skyward_jupyter.fleets.likeness import check_likeness

        check_likeness(image)
    return image
