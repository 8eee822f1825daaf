"""What uses the collections while things break: one client does one operation after another and writes each down.

It runs in slots of nodes and in threads of the kernel's process. Keys, barriers and counters are new ones every few
seconds, so that what is to be checked stays small; all clients of a moment use the same.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import Any

import skyward as sky
from tests.chaos.history import Recorder

#: Seconds for which the same keys are used, and how many there are.
EPOCH, KEYS = 6.0, 3
#: Parties of a barrier, and seconds that one waits for them.
PARTIES, TOGETHER = 3, 2.0


class Client:
    """One client.

    Parameters
    ----------
    directory, name
        Where it writes down what it does, and as whom.
    pool
        The pool, outside of its nodes.
    """

    def __init__(self, directory: str, name: str, pool: sky.ComputePool | None = None) -> None:
        self._name = name
        self._over = f"{directory}/over"
        self._recorder = Recorder(directory, name)
        self._rng = random.Random(name)
        self._made = 0
        given: dict[str, Any] = {} if pool is None else {"pool": pool}
        self._dict = sky.dict("dict", **given)
        self._set = sky.set("set", **given)
        self._queue = sky.queue("queue", **given)
        self._lock = sky.lock("lock", **given)
        self._counter = lambda name: sky.counter(name, **given)
        self._barrier = lambda name: sky.barrier(name, parties=PARTIES, **given)

    def run(self) -> int:
        """Go on until it is over; returns how many operations that were."""
        steps: list[tuple[Callable[[], None], int]] = [
            *((self._read, 8), (self._write, 8), (self._member, 6), (self._count, 4)),
            *((self._put, 2), (self._get, 3), (self._hold, 1), (self._meet, 1)),
        ]
        kinds, weights = [step for step, _ in steps], [weight for _, weight in steps]
        while not os.path.exists(self._over):
            self._rng.choices(kinds, weights)[0]()
            time.sleep(self._rng.random() * 0.005)
            self._made += 1
        return self._made

    # -- its operations ----------------------------------------------------------------------------------------------

    def _read(self) -> None:
        key = self._key()
        self._do("dict", key, "read", lambda: self._dict.get(key), got=True)

    def _write(self) -> None:
        key, value = self._key(), f"{self._name}.{self._made}"
        self._do("dict", key, "write", lambda: self._dict.__setitem__(key, value), value)

    def _member(self) -> None:
        member = self._key()
        match self._rng.randrange(4):
            case 0:
                self._do("set", member, "write", lambda: self._set.add(member), True)
            case 1:
                self._do("set", member, "write", lambda: self._set.discard(member), None)
            case _:
                self._do("set", member, "read", lambda: (member in self._set) or None, got=True)

    def _count(self) -> None:
        name = f"counter-{self._epoch()}"
        if self._rng.random() < 0.6:
            by = self._rng.randint(1, 3)
            self._do("counter", name, "increment", lambda: self._counter(name).increment(by), by)
        else:
            self._do("counter", name, "value", lambda: self._counter(name).value, got=True)

    def _put(self) -> None:
        item = f"{self._name}.{self._made}"
        self._do("queue", "queue", "put", lambda: self._queue.put(item), item)

    def _get(self) -> None:
        self._do("queue", "queue", "get", lambda: self._queue.get(timeout=self._rng.choice([0, 0.05])), got=True)

    def _hold(self) -> None:
        number = self._recorder.begin("lock", "lock", "acquire")
        try:
            token = self._lock.token if self._lock.acquire(timeout=1.0) else None
        except Exception as error:
            self._recorder.raised(number, error)
            return
        self._recorder.end(number, token, got=True)
        if token is None:
            return
        number = self._recorder.begin("lock", "lock", "hold", token)
        time.sleep(self._rng.random() * 0.02)
        at = time.monotonic()
        try:
            self._lock.release()
        except Exception as error:
            self._recorder.raised(number, error)
        else:
            self._recorder.end(number, at=at)

    def _meet(self) -> None:
        name = f"barrier-{int(time.monotonic() / TOGETHER)}-{self._rng.randrange(2)}"
        self._do("barrier", name, "wait", lambda: self._barrier(name).wait(timeout=TOGETHER), PARTIES)

    def drain(self) -> None:
        """Take what is left in the queue."""
        empty = 0
        until = time.monotonic() + 60
        while empty < 3 and time.monotonic() < until:
            item = self._do("queue", "queue", "get", lambda: self._queue.get(timeout=0.5), got=True)
            empty = empty + 1 if item is None else 0
        self._recorder.end(self._recorder.begin("queue", "queue", "drained"))

    def _do(
        self, kind: str, name: str, does: str, make: Callable[[], Any], value: Any = None, *, got: bool = False
    ) -> Any:
        number = self._recorder.begin(kind, name, does, value)
        try:
            found = make()
        except Exception as error:
            self._recorder.raised(number, error)
            return None
        self._recorder.end(number, found, got=got)
        return found

    def _key(self) -> str:
        return f"{self._epoch()}.{self._rng.randrange(KEYS)}"

    @staticmethod
    def _epoch() -> int:
        return int(time.monotonic() / EPOCH)


@sky.compute(retries=0)
def on_a_node(directory: str, name: str) -> int:
    """Be a client in a slot."""
    return Client(directory, name).run()
