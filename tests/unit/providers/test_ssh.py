"""Machines that a user names."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyward_jupyter.errors import ProvisioningFailed, UsageError
from skyward_jupyter.providers.base import Cluster, Instance
from skyward_jupyter.providers.catalog import checked_provider, provider_again
from skyward_jupyter.providers.local import Local
from skyward_jupyter.providers.ssh import SSH

POOL = Cluster("ssh", "p~1")


@pytest.mark.parametrize("hosts", ["a, b,me@c:2222", ["a", "b", "me@c:2222"]])
def test_hosts_are_a_list_or_a_text(hosts: str | list[str]) -> None:
    provider = SSH(hosts)
    assert provider.hosts == ("a", "b", "me@c:2222")
    assert (provider.name, provider.largest, provider.clustered) == ("ssh", 3, True)


def test_what_names_no_machine_is_refused() -> None:
    for hosts in ("", [], "a,a", "a:port", "-oProxyCommand=x"):
        with pytest.raises(UsageError):
            SSH(hosts)
    with pytest.raises(UsageError, match="no file"):
        SSH("a", known_hosts="/nowhere")


async def test_machines_are_given_in_order_and_once() -> None:
    provider = SSH("a,b,me@c:2222")
    first = await provider.provision(POOL, 2, ())
    assert [instance.id for instance in first] == ["a", "b"]
    (third,) = await provider.provision(POOL, 1, first)
    assert (third.address, third.user, third.port) == ("c", "me", 2222)
    assert await provider.provision(POOL, 1, (first[0], third)) == (first[1],)
    with pytest.raises(ProvisioningFailed, match="4 nodes were asked for and 3 hosts are named"):
        await provider.provision(POOL, 1, (*first, third))


def test_it_is_made_again_from_its_facts(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch()
    provider = SSH("a,b", key=key, jump="gate", known_hosts=key, cluster=False)
    assert provider_again("ssh", provider.facts()) == provider
    assert provider_again("local", {}) == Local()


def test_what_a_provider_may_be() -> None:
    assert checked_provider(None) == checked_provider("local") == Local()
    for wrong in ("ssh", "aws", 3):
        with pytest.raises(UsageError):
            checked_provider(wrong)


@pytest.mark.parametrize(
    ("instance", "command"),
    [
        (Instance("a", "10.0.0.1", 22, "me"), "ssh -p 22 me@10.0.0.1"),
        (Instance("a", "h", 2222, "me", alias="me@h:2222", key="/k y", jump="g"), "ssh -p 2222 -i '/k y' -J g me@h"),
        (Instance("a", "h", 2222, "me", alias="gpu"), "ssh gpu"),
    ],
)
def test_the_command_to_log_in(instance: Instance, command: str) -> None:
    assert instance.command == command


@pytest.mark.parametrize("field", ["address", "user", "alias", "jump"])
@pytest.mark.parametrize("value", ["-oProxyCommand=x", "me@-oProxyCommand=x", "a\nb"])
def test_a_machine_whose_name_is_an_option_is_refused(field: str, value: str) -> None:
    facts = {"id": "m1", "address": "box", field: value}
    with pytest.raises(UsageError, match=f"machine 'm1' has {field} "):
        Instance(**facts)
