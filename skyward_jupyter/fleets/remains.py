"""What a pool still has on machines that did not answer when it was to be removed."""

from __future__ import annotations

import asyncio
from typing import Any

from skyward_jupyter.errors import SkywardError
from skyward_jupyter.fleets.site import Site

#: How long a machine may take to be reached of which something could not be removed before (seconds).
AGAIN_WITHIN = 5.0


class Remains:
    """The sites that could not be removed."""

    def __init__(self) -> None:
        self._sites: list[Site] = []

    def __len__(self) -> int:
        return len(self._sites)

    def add(self, site: Site) -> None:
        """One more, if there is anything on it."""
        if site.place is not None:
            self._sites.append(site)

    async def remove(self, site: Site) -> None:
        """Remove what is there of one that nobody has a connection to."""
        try:
            await site.remove(AGAIN_WITHIN)
        except (SkywardError, OSError):
            self.add(site)

    async def again(self) -> None:
        """Try again with all there were before now."""
        before, self._sites = self._sites, []
        await asyncio.gather(*map(self.remove, before))

    @property
    def texts(self) -> tuple[str, ...]:
        """What there is, for people."""
        return tuple(f"{site.what} on {site.instance.login}" for site in self._sites)

    def to_json(self) -> list[dict[str, Any]]:
        """What another kernel needs to try again."""
        return [site.to_json() for site in self._sites]
