"""The machines of a pool, from a provider that counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from skyward_jupyter.errors import ProvisioningFailed
from skyward_jupyter.fleets.estate import Estate
from skyward_jupyter.providers.base import Cluster, Instance, Offer


@dataclass
class Counting:
    """Gives machines with numbers, and says what was asked of it."""

    asked: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    fails: bool = False
    name: str = "counting"
    largest: int = 9
    clustered: bool = True

    def facts(self) -> dict[str, object]:
        return {"some": "fact"}

    async def offers(self) -> tuple[Offer, ...]:
        return ()

    async def prepare(self, pool: str) -> Cluster:
        self.asked.append("prepare")
        return Cluster(self.name, pool, {"network": "n"})

    async def provision(self, cluster: Cluster, count: int, beside: Sequence[Instance]) -> tuple[Instance, ...]:
        taken = {instance.id for instance in beside} | self.gone
        return tuple(Instance(name, "h") for name in "abcdef" if name not in taken)[:count]

    async def get_instance(self, cluster: Cluster, instance: Instance) -> Instance | None:
        return None if instance.id in self.gone else instance

    async def terminate(self, cluster: Cluster, instance: Instance) -> None:
        self.asked.append(f"terminate {instance.id}")
        if self.fails:
            raise ProvisioningFailed("no answer")

    async def teardown(self, cluster: Cluster) -> None:
        self.asked.append("teardown")
        if self.fails:
            raise ProvisioningFailed("no answer")


def has(estate: Estate) -> dict[int, str]:
    return {rank: machine.id for rank in sorted(estate.ranks) if (machine := estate.at(rank)) is not None}


async def test_a_rank_keeps_its_machine_while_it_is_there() -> None:
    provider = Counting()
    estate = Estate(provider, "p~1")
    await estate.provide((0, 1))
    await estate.provide((1, 2))
    assert has(estate) == {0: "a", 1: "b", 2: "c"}
    provider.gone.add("b")
    await estate.provide((1,))
    assert has(estate) == {0: "a", 1: "d", 2: "c"}
    assert provider.asked == ["prepare"]


async def test_a_machine_that_is_taken_is_free_for_another_rank() -> None:
    provider = Counting()
    estate = Estate(provider, "p~1")
    await estate.provide((0, 1))
    machine = estate.take(0)
    assert machine is not None
    await estate.give_back(machine)
    await estate.provide((5,))
    assert has(estate) == {1: "b", 5: "a"}
    await estate.close()
    assert provider.asked == ["prepare", "terminate a", "teardown"]


async def test_what_cannot_be_given_back_is_kept_and_named() -> None:
    estate = Estate(Counting(fails=True), "p~1")
    await estate.provide((0,))
    machine = estate.take(0)
    assert machine is not None
    await estate.give_back(machine)
    await estate.close()
    assert estate.kept == ["machine a (no answer)", "what the provider made for the pool (no answer)"]


async def test_another_kernel_has_the_same() -> None:
    provider = Counting()
    estate = Estate(provider, "p~1")
    await estate.provide((0, 1))
    again = Estate(provider, "p~1")
    instances = {rank: machine for rank in (0, 1) if (machine := estate.at(rank)) is not None}
    again.recall(json.loads(json.dumps(estate.to_json())), instances)
    await again.provide((0, 1))
    assert has(again) == has(estate)
    await again.close()
    assert provider.asked == ["prepare", "teardown"]
