"""Settings of the magics, changed with ``%config Skyward.NAME = value`` or in IPython's configuration files.

A setting that was not configured is what the profile says (see `skyward_jupyter.profiles`), or else its default.
"""

from __future__ import annotations

from typing import Any

from traitlets import Bool, Enum, Int, TraitError, Unicode, observe, validate
from traitlets.config import Configurable

from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook.options import GROUPS
from skyward_jupyter.profiles import NO_PROFILE, PROVIDERS, Profile, load, refused_provider


class Skyward(Configurable):
    """Settings of %sky and %%sky."""

    provider = Unicode("local", help="Where nodes come from; only local so far: processes on this machine.").tag(
        config=True
    )
    nodes = Int(0, min=0, help="How many nodes %%sky and %sky start start without --nodes; 0 for none.").tag(
        config=True
    )
    group = Enum(GROUPS, default_value="same", help="How %%sky groups output when it has no --group.").tag(config=True)
    size_limit = Int(
        256 * 2**20, min=0, help="The largest value, in bytes, that a name a cell reads may have to be sent by itself."
    ).tag(config=True)
    quiet = Bool(False, help="Whether %%sky shows neither output nor values.").tag(config=True)
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

    def value(self, name: str) -> Any:
        """What a setting is here: as configured, or as the profile says, or its default."""
        own = getattr(self, name)
        said = getattr(self.chosen, name)
        if said is None or name in self.config.get(type(self).__name__, {}):
            return own
        return said if own == getattr(type(self), name).default_value else own

    @validate("provider")
    def _local_only(self, proposal: Any) -> str:
        given: str = proposal["value"]
        if given not in PROVIDERS:
            raise TraitError(refused_provider(given))
        return given

    @validate("profile")
    def _readable(self, proposal: Any) -> str:
        # What a configuration file names is read when it is needed: the extension loads although it is not there.
        if self._made and proposal["value"]:
            try:
                load(proposal["value"])
            except UsageError as error:
                raise TraitError(str(error)) from None
        return str(proposal["value"])

    @observe("profile")
    def _another(self, _: Any) -> None:
        self._profile = None
