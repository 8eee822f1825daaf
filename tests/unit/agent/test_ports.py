"""Ports that are held for a node until it listens there."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator

import pytest

from skyward_jupyter.agent.ports import hold

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ports are held on Linux")

HOST = "127.93.7.5"


@pytest.fixture
def wanted() -> int:
    """A port that is free."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def listening(port: int) -> Iterator[None]:
    """Listen as a node does."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
        sock.listen()
        with socket.create_connection((HOST, port), timeout=5):
            yield


def test_two_that_look_before_either_listens_get_different_ports(wanted: int) -> None:
    with contextlib.ExitStack() as one, contextlib.ExitStack() as other:
        first, second = hold(one, HOST, wanted), hold(other, HOST, wanted)
        assert first == wanted
        assert second not in (0, wanted)
        with listening(first), listening(second):
            pass
        with listening(first):  # one that takes its place
            pass
    with contextlib.ExitStack() as owner:
        assert hold(owner, HOST, wanted) == wanted


def test_nobody_who_asks_for_any_port_gets_one_that_is_held(wanted: int) -> None:
    with contextlib.ExitStack() as owner:
        port = hold(owner, HOST, wanted)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((HOST, port))


def test_where_somebody_listens_another_is_found(wanted: int) -> None:
    with listening(wanted), contextlib.ExitStack() as owner:
        assert hold(owner, HOST, wanted) not in (0, wanted)


def test_several_follow_each_other(wanted: int) -> None:
    with contextlib.ExitStack() as owner, contextlib.ExitStack() as other:
        port = hold(owner, HOST, wanted, 2)
        with listening(port), listening(port + 1):
            pass
        assert hold(other, HOST, port + 1) != port + 1


@pytest.mark.parametrize("host", ["::1"])
def test_addresses_of_the_newer_kind(host: str) -> None:
    with contextlib.ExitStack() as owner:
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind((host, 0))
        except OSError:
            pytest.skip("there is no such address here")
        assert hold(owner, host, 0) > 0
