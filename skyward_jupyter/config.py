"""Settings of the magics, changed with ``%config Skyward.NAME = value`` or in IPython's configuration files.

A setting that was not configured is what the profile says (see `skyward_jupyter.profiles`), or else its default.
"""

from __future__ import annotations

from typing import Any

from traitlets import Bool, Enum, Int, List, TraitError, Unicode, Union, observe, validate
from traitlets.config import Configurable

from skyward_jupyter.errors import UsageError
from skyward_jupyter.profiles import keys
from skyward_jupyter.profiles.files import load
from skyward_jupyter.profiles.profile import GROUPS, MACHINES, NO_PROFILE, Profile
from skyward_jupyter.showing import show_all

#: The settings that are about a pool; one that is empty leaves it open.
_POOL = ("provider", "hosts", "key", "jump", "known_hosts", "cluster", "nodes", "preload")


class Skyward(Configurable):
    """Settings of %sky and %%sky."""

    provider = Unicode(
        "", help="Where nodes run: local, this machine, or ssh, on hosts. When empty, on hosts if there are any."
    ).tag(config=True)
    hosts = Union(
        (Unicode(), List(Unicode())),
        default_value="",
        help="Machines to log in to, one node each: 'gpu1,me@gpu2:2222'.",
    ).tag(config=True)
    key = Unicode("", help="File of the private key for them.").tag(config=True)
    jump = Unicode("", help="Hosts to go through on the way to them, with commas between.").tag(config=True)
    known_hosts = Unicode("", help="File in which machines that are new are remembered.").tag(config=True)
    cluster = Bool(True, help="Whether the machines reach each other.").tag(config=True)
    nodes = Int(0, min=0, help="How many nodes %%sky and %sky start start without --nodes; 0 for none.").tag(
        config=True
    )
    preload = Union(
        (Bool(), Unicode(), List(Unicode())),
        default_value=True,
        help="What is imported once for all nodes on this machine: the common libraries that the notebook has imported "
        "(True), nothing (False), or modules by name: ['numpy', 'pandas'].",
    ).tag(config=True)
    group = Enum(GROUPS, default_value="same", help="How %%sky groups output when it has no --group.").tag(config=True)
    size_limit = Int(
        256 * 2**20, min=0, help="The largest value, in bytes, that a name a cell reads may have to be sent by itself."
    ).tag(config=True)
    quiet = Bool(False, help="Whether %%sky shows neither output nor values.").tag(config=True)
    keep_going = Bool(False, help="Whether Run All goes on after a %%sky cell that failed.").tag(config=True)
    full_tracebacks = Bool(False, help="Whether errors are shown with the frames of Skyward itself.").tag(config=True)
    progress = Bool(True, help="Whether cells that wait say for what, and show how far they are.").tag(config=True)
    profile = Unicode("", help="The profile of a skyward.toml that says what is not set here.").tag(config=True)

    def __init__(self, **given: Any) -> None:
        self._profile: Profile | None = None
        self._made = False
        super().__init__(**given)
        self._made = True

    @property
    def chosen(self) -> Profile:
        """The profile, read when it is first needed after it was named; raises UsageError when it cannot be."""
        if self._profile is None:
            self._profile = load(self.profile) if self.profile else NO_PROFILE
        return self._profile

    @property
    def said(self) -> Profile:
        """What is set here about pools, without what the profile says."""
        set_here = {name: getattr(self, name) for name in _POOL if self._is_set(name)}
        if self.provider == "local":
            set_here = {name: value for name, value in set_here.items() if name not in MACHINES}
        return Profile(**{name: keys.take(name, value) for name, value in set_here.items() if not _empty(value)})

    def value(self, name: str) -> Any:
        """What a setting is here: as configured, or as the profile says, or its default."""
        own = getattr(self, name)
        said = getattr(self.chosen, name)
        return own if said is None or self._is_set(name) else said

    def _is_set(self, name: str) -> bool:
        own = getattr(self, name)
        configured = self.config.get(type(self).__name__, {})  # also with what was refused
        return own != type(self).class_traits()[name].default() or (name in configured and configured[name] == own)

    @validate(*_POOL)
    def _meant(self, proposal: Any) -> Any:
        # What a configuration file says is looked at when it is needed: the extension loads all the same.
        name, value = proposal["trait"].name, proposal["value"]
        if self._made and not _empty(value):
            try:
                keys.take(name, value)
            except UsageError as error:
                raise TraitError(str(error)) from None
        return value

    @validate("profile")
    def _readable(self, proposal: Any) -> str:
        # What a configuration file names is read when it is needed: the extension loads although it is not there.
        if self._made and proposal["value"]:
            try:
                load(proposal["value"])
            except UsageError as error:
                raise TraitError(str(error)) from None
        return str(proposal["value"])

    @observe("full_tracebacks")
    def _traced(self, change: Any) -> None:
        show_all(change["new"])

    @observe("profile")
    def _another(self, _: Any) -> None:
        self._profile = None


def _empty(value: object) -> bool:
    """Whether a setting says nothing: False says something."""
    return value is not False and not value
