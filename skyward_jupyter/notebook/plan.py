"""What pool is to be started: what a line asks for, what is set in the notebook, and what the profile says.

What is said on the line counts first, together with a profile that it names; then the settings, then their profile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook.options import StartOptions
from skyward_jupyter.profiles.files import load
from skyward_jupyter.profiles.profile import NO_PROFILE, Profile, check_placed

if TYPE_CHECKING:
    from skyward_jupyter.config import Skyward


def on_line(options: StartOptions) -> Profile:
    """What a ``%sky start`` line says, and the profile that it names."""
    own = Profile(
        provider=options.provider,
        hosts=options.hosts,
        key=options.key,
        jump=options.jump,
        known_hosts=options.known_hosts,
        cluster=False if options.alone else None,
        nodes=options.nodes,
        name=options.name,
        concurrency=options.concurrency,
        ttl=options.ttl,
        preload=options.preload,
    )
    return own.over(load(options.profile) if options.profile is not None else NO_PROFILE)


def whole(asked: Profile, settings: Skyward, *, profiled: bool = False) -> Profile:
    """All that is said of a pool to be started.

    Parameters
    ----------
    asked
        What the line says.
    profiled
        Whether it names a profile, which then counts in place of that of the settings.

    Raises
    ------
    UsageError
        It does not say which machines, or cannot be read.
    """
    chosen = NO_PROFILE if profiled else settings.chosen
    found = asked.over(settings.said).over(chosen)
    if found.provider == "ssh":
        if found.hosts is None:
            raise UsageError(
                "nodes are to run over ssh, and nothing says on which machines: write %sky start --hosts user@a,user@b"
                ", or %config Skyward.hosts = 'user@a,user@b'"
            )
        return found
    # Settings may say how to reach machines that a pool has only now and then.
    check_placed(asked if found.provider == "local" else asked.over(chosen))
    return found
