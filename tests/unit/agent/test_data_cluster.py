"""Clients of the data nodes: when they connect anew."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from casty import Client

from skyward_jupyter.agent.data_cluster import DataClient


class Made:
    """A client that has sent 100 bytes and waits for nothing."""

    def stats(self) -> SimpleNamespace:
        return SimpleNamespace(bytes_sent=100, asks_in_flight=0)

    async def __aenter__(self) -> Made:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class Pool:
    """The data nodes of a pool, and through which of them was connected."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.through: list[tuple[str, ...]] = []
        self.again = asyncio.Event()
        self.client = DataClient(lambda: self.addresses, self._connect)

    def become(self, *addresses: str) -> None:
        self.addresses = addresses
        self.client.nodes_changed()

    def _connect(self, seeds: tuple[str, ...]) -> Client:
        self.through.append(seeds)
        self.again.set()
        return cast(Client, cast(Any, Made()))


async def test_it_connects_anew_once_all_that_it_went_through_are_gone() -> None:
    pool = Pool("a", "b")
    await pool.client.ready()
    first = pool.client()
    pool.become("c", "b")
    pool.become()
    await asyncio.sleep(0)
    assert pool.through == [("a", "b")]
    assert pool.client() is first
    pool.again.clear()
    pool.become("c", "d")
    await asyncio.wait_for(pool.again.wait(), 10)
    await asyncio.sleep(0)
    assert pool.through == [("a", "b"), ("c", "d")]
    assert pool.client() is not first
    assert pool.client.bytes_sent == 200
    await pool.client.close()


async def test_it_does_not_connect_before_it_is_used() -> None:
    pool = Pool("a")
    pool.become("b")
    await pool.client.ready()
    assert pool.through == [("b",)]
    await pool.client.close()
