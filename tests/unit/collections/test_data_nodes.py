"""Which nodes hold collections, and how they find each other."""

from __future__ import annotations

from skyward_jupyter.collections.data_nodes import DATA_NODES, data_address, data_addresses, data_seeds, is_data_node

NODES = {rank: f"10.0.0.{rank + 1}:25520" for rank in range(100)}


def kept(*ranks: int) -> tuple[str, ...]:
    return tuple(f"10.0.0.{rank + 1}:25521" for rank in ranks)


def test_the_first_nodes_hold_everything() -> None:
    assert data_addresses(NODES) == kept(*range(DATA_NODES))
    assert [rank for rank in NODES if is_data_node(rank)] == list(range(DATA_NODES))


def test_of_few_nodes_all_do() -> None:
    assert data_addresses({0: NODES[0], 2: NODES[2]}) == kept(0, 2)
    assert data_addresses({}) == ()


def test_one_whose_address_is_not_known_yet_is_left_out() -> None:
    assert data_addresses({0: NODES[0], 1: ""}) == kept(0)


def test_the_port_follows_that_of_the_agent() -> None:
    assert data_address("[::1]:40000") == "[::1]:40001"


def test_the_first_joins_nobody() -> None:
    assert data_seeds(0, (), NODES) == ()


def test_others_join_where_their_agents_do() -> None:
    assert data_seeds(5, (NODES[0], NODES[3], NODES[50]), NODES) == kept(0, 3)


def test_when_all_were_lost_they_find_each_other() -> None:
    few = {rank: NODES[rank] for rank in (0, 1, 2, 60, 61)}
    assert data_seeds(1, (NODES[60], NODES[61]), few) == kept(0, 2)
