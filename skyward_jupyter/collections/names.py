"""What each name stands for: told by whoever uses it first, and the same for everybody after."""

from __future__ import annotations

import json
from collections.abc import Callable

from casty.collections import MISSING, Collections, Missing, Register

from skyward_jupyter.collections.address import Address
from skyward_jupyter.collections.again import again
from skyward_jupyter.errors import CollectionMismatch


class Names:
    """The names of a pool's collections. What was found once is remembered here."""

    def __init__(self, collections: Callable[[], Collections]) -> None:
        self._collections = collections
        self._known: dict[str, Address] = {}

    async def claim(self, address: Address) -> None:
        """Use the name of `address` as it says.

        Raises
        ------
        CollectionMismatch
            It is another collection's.
        """
        known = self._known.get(address.name) or await self._claimed(address)
        if known != address:
            raise CollectionMismatch(
                f"{address.name!r} is {known.settings} in this pool, and is asked for as {address.settings}; use it as "
                "the one that it is, or take another name"
            )

    async def find(self, name: str) -> Address | None:
        """What a name stands for; None while nobody has used it."""
        if name not in self._known:
            told = await again(lambda: self._register(name).get())
            if isinstance(told, Missing):
                return None
            self._known[name] = Address(**json.loads(told))
        return self._known[name]

    async def _claimed(self, address: Address) -> Address:
        register = self._register(address.name)
        told = json.dumps({name: getattr(address, name) for name in ("kind", "name", "consistency", "parties")})
        if await register.compare_and_set(MISSING, told.encode()):
            self._known[address.name] = address
            return address
        known = await self.find(address.name)
        assert known is not None
        return known

    def _register(self, name: str) -> Register[bytes]:
        return self._collections().register(f"name:{name}", value=bytes)
