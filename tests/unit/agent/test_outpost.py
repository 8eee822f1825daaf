"""Where the node of a machine listens."""

from __future__ import annotations

import pytest

from skyward_jupyter.agent.outpost import loopback


@pytest.mark.parametrize(
    ("host", "inside"),
    [("10.0.0.4", "127.0.0.1"), ("fd00::4", "127.0.0.1"), ("::1", "127.0.0.1"), ("127.99.0.3", "127.99.0.3")],
)
def test_http_is_reached_from_the_machine_itself_only(host: str, inside: str) -> None:
    assert loopback(host) == inside
