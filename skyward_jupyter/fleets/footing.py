"""What this process needs of its machine to have a pool at all; a sentence that names what is missing, at once."""

from __future__ import annotations

import os
import socket

from skyward_jupyter.errors import ProvisioningFailed

_HOST = "127.0.0.1"
#: How long a connection from this machine to itself may take (seconds).
_WITHIN = 0.5


def check_loopback() -> None:
    """Raise ProvisioningFailed where this machine cannot reach itself, as nodes and tunnels have to be reached."""
    try:
        with socket.create_server((_HOST, 0)) as server, socket.create_connection(server.getsockname(), _WITHIN):
            return
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else "no answer"
    beside = " (only ::1)" if _has_other() else ""
    raise ProvisioningFailed(
        f"this machine has no loopback address {_HOST}{beside}: {why}; nodes and tunnels are reached there, so bring "
        f"it up, as with 'ip link set lo up' and 'ip address add {_HOST}/8 dev lo'"
    )


def _has_other() -> bool:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
        with server, socket.create_connection(server.getsockname()[:2], _WITHIN):
            return True
    except OSError:
        return False
