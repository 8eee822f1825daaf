"""Why a pool was not started."""

from __future__ import annotations

from skyward_jupyter.actors.desk import NodeState, NodeView
from skyward_jupyter.api.unstarted import late, unstarted


def failed(rank: int, why: str, address: str = "") -> NodeView:
    return NodeView(rank, NodeState.LOST, why, address or f"me@gpu{rank}", 0, 1)


def views(*found: NodeView) -> dict[int, NodeView]:
    return {view.rank: view for view in found}


def test_a_cause_that_all_share_is_told_once_with_all_its_lines() -> None:
    found = views(
        *(failed(rank, f"me@gpu{rank} could not be made ready\n    $ uv\n    no such package") for rank in range(3))
    )
    assert unstarted("lab", 3, found) == (
        "pool 'lab' was not started, 3 of 3 nodes failed:\n"
        "node 0 (and nodes 1, 2 alike): me@gpu0 could not be made ready\n    $ uv\n    no such package"
    )


def test_machines_with_names_of_their_own_fail_alike() -> None:
    found = views(
        failed(0, "alpha accepts none of our keys", "alpha"), failed(2, "beta accepts none of our keys", "beta")
    )
    assert "node 0 (and node 2 alike): alpha accepts" in unstarted("lab", 3, found)


def test_causes_that_differ_are_each_told_up_to_a_few() -> None:
    words = ("key", "port", "disk", "name", "sudo", "link", "time")
    found = views(*(failed(rank, f"no {word}") for rank, word in enumerate(words)))
    lines = unstarted("lab", 9, found).splitlines()
    assert lines[0] == "pool 'lab' was not started, 7 of 9 nodes failed:"
    assert lines[1:6] == [f"node {rank}: no {word}" for rank, word in enumerate(words[:5])]
    assert lines[6] == "… and 2 other causes"


def test_of_one_node_and_of_none() -> None:
    assert unstarted("lab", 1, views(failed(0, "no key"))).startswith("pool 'lab' was not started, its node failed:")
    assert unstarted("lab", 1, {}) == ""


def test_who_is_late_and_at_what() -> None:
    ready = NodeView(0, NodeState.IDLE, "ready", "me@gpu0", 7, 1)
    waits = NodeView(1, NodeState.WAITING, "installing packages", "me@gpu1", 0, 1)
    assert late("lab", views(ready, waits), 60.0) == (
        "node 1 of pool 'lab' was not ready after 60 s:\nnode 1 (me@gpu1) was at: installing packages"
    )
    assert late("lab", views(ready), 60.0) == "pool 'lab' was not ready after 60 s"
