"""What a kernel says of libraries that its nodes are not born with."""

from __future__ import annotations

import logging

import pytest

from skyward_jupyter.fleets.preloading import Preload


def test_what_is_tried_again_is_shown_and_only_what_is_not_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    preload = Preload("big", ("tight",), lambda _: None)
    message = {"libraries": ["numpy"], "refused": {"tight": "its process was killed"}, "again": ["tight"]}
    with caplog.at_level(logging.WARNING, "skyward"):
        told = preload.told(message)
        assert dict(told.refused) == {"tight": "its process was killed; it is tried again"}
        assert caplog.messages == []
        for _ in range(2):
            told = preload.told({**message, "again": []})
    assert dict(told.refused) == {"tight": "its process was killed"}
    assert caplog.messages == [
        "pool big does not preload tight: its process was killed; its nodes import it when they use it"
    ]
