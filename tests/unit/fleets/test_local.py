"""Nodes of this machine: their addresses and their files. No node is started here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skyward_jupyter.agent.channel import Message
from skyward_jupyter.agent.config import AgentConfig, Peer
from skyward_jupyter.fleets import local, store
from skyward_jupyter.fleets.admission import AT_ONCE
from skyward_jupyter.fleets.base import Report
from skyward_jupyter.fleets.local import LocalFleet
from skyward_jupyter.providers.terms import NodeSpec


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where stores are made."""
    monkeypatch.setattr(store, "shared_memory", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def heard() -> list[Report]:
    return []


class Template:
    """A launcher that starts nothing."""

    alive = True

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def listen(self, pool: str, heard: object) -> None: ...

    def forget(self, pool: str) -> None: ...

    def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def configs(self) -> list[AgentConfig]:
        return [AgentConfig.from_json(message["config"]) for message in self.sent if message["op"] == "start"]


@pytest.fixture
def template(monkeypatch: pytest.MonkeyPatch) -> Template:
    made = Template()
    monkeypatch.setattr(local, "launcher", lambda: made)
    return made


@pytest.fixture
def fleet(base: Path, heard: list[Report], template: Template) -> LocalFleet:
    return LocalFleet("unit", NodeSpec(), heard.append)


def test_every_node_has_an_address_of_its_own(fleet: LocalFleet) -> None:
    addresses = [fleet.address(rank) for rank in range(250)]
    assert len(set(addresses)) == 250
    assert addresses == [fleet.address(rank) for rank in range(250)]
    assert all(address.startswith("127.") for address in addresses)


def test_where_there_is_one_loopback_address_ports_differ(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_free_block", lambda: "")
    fleet = LocalFleet("unit", NodeSpec(), lambda _: None)
    addresses = [fleet.address(rank) for rank in range(4)]
    assert {address.partition(":")[0] for address in addresses} == {"127.0.0.1"}
    assert len(set(addresses)) == 4
    assert addresses == [fleet.address(rank) for rank in range(4)]


def test_a_strangers_cluster_has_another_name(base: Path) -> None:
    names = {LocalFleet("unit", NodeSpec(), lambda _: None).cluster for _ in range(10)}
    assert len(names) == 10
    assert all(len(name) > 32 for name in names)


def test_closing_removes_the_files_and_may_be_repeated(fleet: LocalFleet, base: Path) -> None:
    assert os.listdir(base)
    for _ in range(2):
        fleet.kill(0)
        fleet.close()
        fleet.forget()
    assert not os.listdir(base)


async def test_nodes_join_through_others_never_through_themselves(fleet: LocalFleet, template: Template) -> None:
    fleet.start((0, 1), (), (0,))
    fleet.start((9,), (), (4, 5, 6, 7))
    first, second, ninth = template.configs
    assert (first.seeds, second.seeds) == ((), (first.address,))
    assert ninth.seeds == tuple(map(fleet.address, (4, 5, 6)))
    assert {config.owner for config in template.configs} == {os.getpid()}


async def test_many_nodes_beat_less_often(fleet: LocalFleet, template: Template) -> None:
    for count in (8, 40, 100):
        fleet.start((0,), tuple(Peer(rank, "") for rank in range(count)), (0,))
    assert [config.heartbeat for config in template.configs] == [1.0, 2.0, 4.0]


def test_payloads_go_through_the_cluster_when_nothing_is_shared(base: Path) -> None:
    assert LocalFleet("unit", NodeSpec(), lambda _: None, share=False).shared is None
    shared = LocalFleet("unit", NodeSpec(), lambda _: None)
    assert shared.shared is not None
    assert shared.shared.startswith(shared.store)


def test_what_dead_owners_left_is_removed_on_the_way(base: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    dead, alive, other = (
        base / name for name in (f"skyward-{ended.pid}-old-x", f"skyward-{os.getpid()}-now-x", "else")
    )
    for path in (dead, alive, other):
        path.mkdir()
        os.utime(path, (0, 0))
    LocalFleet("unit", NodeSpec(), lambda _: None)
    assert [path.exists() for path in (dead, alive, other)] == [False, True, True]


def test_only_the_present_node_of_a_rank_is_reported_gone(fleet: LocalFleet, heard: list[Report]) -> None:
    fleet._hear({"op": "started", "rank": 1, "pid": 10})
    fleet._hear({"op": "started", "rank": 1, "pid": 11})
    fleet._hear({"op": "exited", "rank": 1, "pid": 10, "why": "signal 9"})
    fleet._hear({"op": "exited", "rank": 1, "pid": 11, "why": "signal 9"})
    assert [(report.rank, report.what) for report in heard] == [(1, "started"), (1, "started"), (1, "exited")]


async def test_with_the_template_every_node_is_gone(fleet: LocalFleet, heard: list[Report]) -> None:
    fleet.start((0, 1, 2), (), (0,))
    fleet._hear({"op": "started", "rank": 1, "pid": 10})
    heard.clear()
    fleet._hear({"op": "template_gone", "why": "exit status 1"})
    assert [(report.rank, report.what) for report in heard] == [(0, "exited"), (1, "exited"), (2, "exited")]


async def test_every_node_has_an_address_for_http_and_the_token_stays_in_its_file(
    fleet: LocalFleet, template: Template
) -> None:
    fleet.start((0, 1), (), (0,))
    addresses = [config.http for config in template.configs]
    assert len(set(addresses)) == 2
    assert all(address.endswith(":8265") for address in addresses)
    assert fleet.token not in str(template.sent)
    assert fleet.token not in str(dict(os.environ))
    for config in template.configs:
        kept = Path(config.token)
        assert kept.read_text() == fleet.token
        assert kept.stat().st_mode & 0o777 == 0o600


def test_a_node_has_http_once_it_says_so_and_until_it_ends(fleet: LocalFleet) -> None:
    assert fleet.http(0) == ""
    fleet._hear({"op": "started", "rank": 0, "pid": 10})
    fleet._hear({"op": "report", "rank": 0, "what": "http", "address": "127.0.0.1:8265"})
    assert fleet.http(0) == "127.0.0.1:8265"
    fleet._hear({"op": "exited", "rank": 0, "pid": 10, "why": "signal 9"})
    assert fleet.http(0) == ""


def test_every_pool_has_a_token_of_its_own(base: Path, template: Template) -> None:
    tokens = {LocalFleet("unit", NodeSpec(), lambda _: None).token for _ in range(5)}
    assert len(tokens) == 5
    assert all(len(token) >= 43 for token in tokens)


async def test_of_many_nodes_only_some_start_at_a_time(
    fleet: LocalFleet, template: Template, heard: list[Report]
) -> None:
    many = range(AT_ONCE + 3)
    fleet.start(many, [Peer(rank, "") for rank in many], (0,))
    assert [config.rank for config in template.configs] == list(range(AT_ONCE))
    fleet._hear({"op": "report", "rank": 0, "what": "ready"})
    assert template.configs[-1].rank == AT_ONCE
    fleet.kill(AT_ONCE + 1)
    assert heard[-1] == Report(AT_ONCE + 1, "exited", {"why": "it was ended"})
    fleet.close()
    assert AT_ONCE + 2 not in {config.rank for config in template.configs}


async def test_one_that_is_called_off_before_its_turn_ends_the_one_it_was_to_follow(
    fleet: LocalFleet, template: Template, heard: list[Report]
) -> None:
    many = range(AT_ONCE + 1)
    peers = [Peer(rank, "") for rank in many]
    fleet.start((0,), peers, (0,))
    fleet._hear({"op": "started", "rank": 0, "pid": 10})
    fleet._hear({"op": "report", "rank": 0, "what": "ready"})
    fleet.start(many[1:], peers, (0,))
    fleet.start((0,), peers, (1,))
    assert [config.rank for config in template.configs] == list(many)
    fleet.kill(0)
    assert heard[-1] == Report(0, "exited", {"why": "it was ended"})
    assert template.sent[-1] == {"op": "kill", "pool": "unit", "rank": 0}
    before = len(heard)
    fleet._hear({"op": "exited", "rank": 0, "pid": 10, "why": "signal 9"})
    assert len(heard) == before
