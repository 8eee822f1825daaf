"""Values of collections as bytes. Agents never look into them."""

from __future__ import annotations

import pickle

from skyward_jupyter.errors import ValueTooLarge
from skyward_jupyter.wire.codec import dumps, loads
from skyward_jupyter.wire.contained import contained

#: The largest value, as bytes: an entry must fit into one message of the cluster, with room for what surrounds it.
LIMIT = 4 * 2**20
_PLAIN = frozenset({int, float, bool, str, bytes, type(None)})


def encoded(value: object, what: str) -> bytes:
    """`value` as bytes; `what` names it in the error when it is too large."""
    with contained("pickling"):
        data = pickle.dumps(value, 5) if type(value) in _PLAIN else dumps(value)
    if len(data) > LIMIT:
        raise ValueTooLarge(what, len(data), LIMIT)
    return data


def decoded(data: bytes) -> object:
    """What `encoded` was given."""
    with contained("loading"):
        return loads(data)
