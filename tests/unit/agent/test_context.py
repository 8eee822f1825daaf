"""Where code runs, as it sees it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skyward_jupyter.agent import context
from skyward_jupyter.agent.accelerators import Accelerator
from skyward_jupyter.agent.config import AgentConfig, Peer
from skyward_jupyter.agent.context import info_of, instance_info


def config(rank: int) -> AgentConfig:
    return AgentConfig("lab", rank, f"127.0.0.{rank + 1}:25520", (), "lab-x", "store")


def peers(*ranks: int) -> tuple[Peer, ...]:
    return tuple(Peer(rank, f"127.0.0.{rank + 1}:25520") for rank in ranks)


def test_outside_any_node_there_is_a_pool_of_one() -> None:
    info = instance_info()
    assert (info.node, info.total_nodes, info.is_head, info.peers, info.job_id) == (0, 1, True, (), "")


def test_a_node_among_others() -> None:
    info = info_of(config(1), peers(2, 0, 1))
    assert (info.node, info.total_nodes, info.is_head, info.job_id) == (1, 3, False, "lab")
    assert (info.head_addr, info.head_port) == ("127.0.0.1", 25520)
    assert info.peers == ("127.0.0.1:25520", "127.0.0.3:25520")
    assert info.ranks == (0, 1, 2)
    assert (info.accelerators, info.total_accelerators) == ((), 0)


def test_the_gpus_of_a_node_and_of_all() -> None:
    gpus = tuple(Accelerator(index, f"GPU-{index}", "H100", 81559) for index in range(2))
    among = (Peer(0, "a:1", 2), Peer(1, "b:1", 8))
    info = info_of(replace(config(0), accelerators=gpus), among)
    assert (info.accelerators, info.total_accelerators) == (("H100", "H100"), 10)
    assert info_of(replace(config(0), accelerators=gpus), among[:1]).total_accelerators == 2


def test_the_head_is_the_lowest_rank() -> None:
    info = info_of(config(2), peers(2, 5))
    assert info.is_head
    assert info.head_addr == "127.0.0.3"


def test_nodes_come_and_go() -> None:
    info = info_of(config(1), peers(1, 2, 3))
    assert (info.node, info.total_nodes, info.is_head) == (1, 3, True)
    assert info.peers == ("127.0.0.3:25520", "127.0.0.4:25520")


def test_entering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_current", None)
    info = info_of(config(0), peers(0))
    context.enter(info)
    assert instance_info() is info


def test_a_configuration_survives_its_journey() -> None:
    made = AgentConfig(
        pool="p",
        rank=3,
        address="h:1",
        seeds=("a:1", "b:2"),
        cluster="c",
        store="s",
        concurrency=2,
        executor="thread",
        owner=7,
        ttl=1.5,
        peers=peers(0, 3),
        accelerators=(Accelerator(0, "GPU-1", "H100", 81559),),
        paths=("", "/x y"),
        directory="/d",
        env={"A": "é"},
    )
    assert AgentConfig.from_json(made.to_json()) == made
    assert made.name == "p/3"
