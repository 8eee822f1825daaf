"""Pools as profiles of a ``skyward.toml`` have them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from skyward_jupyter.api.checks import is_name
from skyward_jupyter.api.spec import Worker
from skyward_jupyter.profiles.profile import check_placed

if TYPE_CHECKING:
    from skyward_jupyter.api.pool import ComputePool
    from skyward_jupyter.profiles.profile import Profile
    from skyward_jupyter.providers.base import Provider


def named[P: ComputePool](profile: str, kind: type[P]) -> P:
    """The pool of a profile, not started, and called as the profile is unless that says another name."""
    from skyward_jupyter.profiles.files import load

    wanted = load(profile)
    if wanted.provider != "ssh":
        check_placed(wanted)
    if wanted.name is None and is_name(profile):
        wanted = replace(wanted, name=profile)
    return pool_of(wanted, kind)


def pool_of[P: ComputePool](wanted: Profile, kind: type[P]) -> P:
    """A pool as it is wanted, not started."""
    worker = {"concurrency": wanted.concurrency, "executor": wanted.executor}
    given = {
        "name": wanted.name,
        "ttl": wanted.ttl,
        "timeout": wanted.timeout,
        "retries": wanted.retries,
        "max_retries": wanted.max_retries,
        "env": dict(wanted.env) if wanted.env is not None else None,
        "provider": provider(wanted),
        "image": wanted.image,
        "preload": wanted.preload,
    }
    return kind(nodes=wanted.nodes, worker=Worker(**_said(worker)), **_said(given))


def provider(wanted: Profile) -> Provider | None:
    """Where its nodes run; None for this machine."""
    if wanted.provider != "ssh":
        return None
    from skyward_jupyter.providers.ssh import SSH

    assert wanted.hosts is not None
    return SSH(
        wanted.hosts,
        key=wanted.key,
        jump=wanted.jump,
        known_hosts=wanted.known_hosts,
        cluster=wanted.cluster is not False,
    )


def _said(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
