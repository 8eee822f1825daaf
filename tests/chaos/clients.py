"""What uses the collections while things break: one client does one operation after another and writes each down.

It runs in slots of nodes and in threads of the kernel's process. Hot keys, barriers and counters are new ones every few
seconds, so that what is to be checked stays small; all clients of a moment use the same, so a write that is made again
later meets those of others, and readers who see it. What is cold was written once or a few times and is read until the
end, so it has to outlive all the nodes that had it. Some clients do nothing but take a lock, so there is always one who
waits for it.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import skyward as sky
from skyward_jupyter.collections.address import Consistency
from tests.chaos.history import Recorder

#: Seconds for which the same hot keys are used, and how often each of them is: the first one is the hottest. They are
#: more than anything is stopped for, and some look at the keys before, so that what is written late is seen.
EPOCH, KEYS = 12.0, (4, 1, 1)
BACK = (0, 0, 0, 1)
#: Seconds for which the same cold keys are written, and how many there are; those that are only read at the end.
COLD, COLD_KEYS, FROZEN = 5.0, 12, range(4, 12)
#: Queues that are only put to until the end.
KEPT = 6
#: How often a value is so large that it is kept apart from its key, and how large.
LARGE, SIZE = 0.05, 50_000
FILLING = "." * SIZE
#: How often a client on a node is killed just after it got an item: it has that, whatever becomes of it.
MORTAL = 0.02
#: Parties of a barrier, and seconds that one waits for them.
PARTIES, TOGETHER = 3, 2.0
#: Seconds for which a lock is wanted: less than a stop lasts, or more.
WANTED = (1.0, 25.0)
#: Seconds for which one who does nothing else has it at most.
HELD = 0.1


class Client:
    """One client.

    Parameters
    ----------
    directory, name
        Where it writes down what it does, and as whom.
    pool
        The pool, outside of its nodes.
    consistency
        That of all collections which have one.
    """

    def __init__(
        self,
        directory: str,
        name: str,
        pool: sky.ComputePool | None = None,
        consistency: Consistency = "strong",
    ) -> None:
        self._name = name
        self._over = f"{directory}/over"
        self._recorder = Recorder(directory, name)
        self._rng = random.Random(name)
        self._made = 0
        self._is_mortal = pool is None
        given: dict[str, Any] = {} if pool is None else {"pool": pool}
        level: dict[str, Any] = {**given, "consistency": consistency}
        self._dict = sky.dict("dict", **level)
        self._set = sky.set("set", **level)
        self._queue = sky.queue("queue", **level)
        self._kept = [sky.queue(f"kept-{number}", **level) for number in range(KEPT)]
        self._lock = sky.lock("lock", **given)
        self._counter = lambda name: sky.counter(name, **level)
        self._barrier = lambda name: sky.barrier(name, parties=PARTIES, **given)

    def run(self, *, locks: bool = False) -> int:
        """Go on until it is over, with everything or with `locks` alone; returns how many operations that were."""
        steps: list[tuple[Callable[[], None], int]] = [
            *((self._read, 16), (self._write, 14), (self._pop, 2), (self._member, 12), (self._count, 10)),
            *((self._put, 4), (self._get, 6), (self._meet, 2), (self._hold, 1)),
            *((self._write_cold, 3), (self._read_cold, 3), (self._keep, 2)),
        ]
        if locks:
            steps = [(lambda: self._hold(HELD), 1)]
        kinds, weights = [step for step, _ in steps], [weight for _, weight in steps]
        while not os.path.exists(self._over):
            self._rng.choices(kinds, weights)[0]()
            time.sleep(self._rng.random() * 0.002)
            self._made += 1
        return self._made

    # -- its operations ----------------------------------------------------------------------------------------------

    def _read(self) -> None:
        self._look(self._key(self._rng.choice(BACK)))

    def _look(self, key: str) -> None:
        self._do("dict", key, "read", lambda: _short(self._dict.get(key)), got=True)

    def _write(self) -> None:
        self._set_to(self._key())

    def _set_to(self, key: str) -> None:
        value = f"{self._name}.{self._made}"
        given = value + FILLING if self._rng.random() < LARGE else value
        self._do("dict", key, "write", lambda: self._dict.__setitem__(key, given), value)

    def _pop(self) -> None:
        key = self._key()
        self._do("dict", key, "pop", lambda: _short(self._dict.pop(key, None)), got=True)

    def _write_cold(self) -> None:
        self._set_to(self._cold(self._now(COLD)))

    def _read_cold(self) -> None:
        since, until = self._now(COLD, ago=60.0), self._now(COLD)
        key = self._cold(self._rng.randint(since, until), FROZEN.start)
        if self._rng.random() < 0.7:
            self._look(key)
        else:
            self._total(f"counter-{self._rng.randint(self._now(EPOCH, ago=60.0), self._now(EPOCH))}")

    def _member(self) -> None:
        member = self._key()
        match self._rng.randrange(4):
            case 0:
                self._do("set", member, "write", lambda: self._set.add(member), True)
            case 1:
                self._do("set", member, "write", lambda: self._set.discard(member), None)
            case _:
                member = self._key(self._rng.choice(BACK))
                self._do("set", member, "read", lambda: (member in self._set) or None, got=True)

    def _count(self) -> None:
        name = f"counter-{self._now(EPOCH)}"
        if self._rng.random() < 0.6:
            by = self._rng.randint(1, 3)
            self._do("counter", name, "increment", lambda: self._counter(name).increment(by), by)
        else:
            self._total(name)

    def _total(self, name: str) -> None:
        self._do("counter", name, "value", lambda: self._counter(name).value, got=True)

    def _put(self) -> None:
        item = f"{self._name}.{self._made}"
        self._do("queue", "queue", "put", lambda: self._queue.put(item), item)

    def _get(self) -> None:
        wait = self._rng.choice([0, 0.05])
        item = self._do("queue", "queue", "get", lambda: self._queue.get(timeout=wait), got=True)
        if item is not None and self._is_mortal and self._rng.random() < MORTAL:
            os.kill(os.getpid(), signal.SIGKILL)

    def _keep(self) -> None:
        item = f"{self._name}.{self._made}"
        queue = self._rng.choice(self._kept)
        self._do("queue", queue.name, "put", lambda: queue.put(item), item)

    def _hold(self, longest: float = 0.02) -> None:
        number = self._recorder.begin("lock", "lock", "acquire")
        try:
            token = self._lock.token if self._lock.acquire(timeout=self._rng.choice(WANTED)) else None
        except Exception as error:
            self._recorder.raised(number, error)
            return
        self._recorder.end(number, token, got=True)
        if token is None:
            return
        number = self._recorder.begin("lock", "lock", "hold", token)
        time.sleep(self._rng.random() * longest)
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

    def finish(self, since: float) -> None:
        """Look at all that is cold since a moment, and take what is left in the queues."""
        for number in range(int(since / COLD), self._now(COLD) + 1):
            for place in range(COLD_KEYS):
                self._look(f"cold-{number}.{place}")
        for number in range(int(since / EPOCH), self._now(EPOCH) + 1):
            self._total(f"counter-{number}")
        for queue in self._queue, *self._kept:
            name, empty = queue.name, 0
            until = time.monotonic() + 60
            while empty < 3 and time.monotonic() < until:
                item = self._do("queue", name, "get", partial(queue.get, timeout=0.2), got=True)
                empty = empty + 1 if item is None else 0
            self._recorder.end(self._recorder.begin("queue", name, "drained"))

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

    def _key(self, back: int = 0) -> str:
        return f"{self._now(EPOCH) - back}.{self._rng.choices(range(len(KEYS)), KEYS)[0]}"

    def _cold(self, number: int, among: int = COLD_KEYS) -> str:
        return f"cold-{number}.{self._rng.randrange(among)}"

    @staticmethod
    def _now(seconds: float, ago: float = 0.0) -> int:
        return int((time.monotonic() - ago) / seconds)


def _short(value: str | None) -> str | None:
    """A value as it is written down: of a large one, what is not the same in all."""
    if value is None or len(value) <= SIZE:
        return value
    return value.removesuffix(FILLING)


@sky.compute(retries=0)
def on_a_node(directory: str, name: str, locks: bool, consistency: Consistency) -> int:
    """Be a client in a slot."""
    return Client(directory, name, None, consistency).run(locks=locks)
