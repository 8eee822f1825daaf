"""Many calls that wait: they take little memory, are made and cancelled at once, and each gives its own result."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: Bytes of this process that a waiting call may take.
EACH = 3000
CALLS = 4000

_HEAD = """
import asyncio, gc, resource, sys, time
from pathlib import Path
import skyward as sky

go, total = Path(sys.argv[1]), int(sys.argv[2])

@sky.compute
def block():
    import time
    while not go.exists():
        time.sleep(0.02)

@sky.compute
def same(n):
    return n

def used():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

def waiting(pool):
    while len(pool._inner.hub.desk.tasks) < total:
        time.sleep(0.02)

with sky.ComputePool(nodes=2, panel="off") as pool:
    assert pool.map(same, range(500)) == list(range(500))
    blocked = [block() > pool for _ in range(2)]
    before = used()
"""
_WAYS = {
    "futures": """
    calls = [same(n) > pool for n in range(total)]
    waiting(pool)
    print((used() - before) / total)
    cancelled = [call.cancel() for call in calls[total // 2 :]]
    assert all(cancelled)
    go.touch()
    assert [call.result(60) for call in calls[: total // 2]] == list(range(total // 2))
""",
    "awaited": """
    async def main():
        calls = [asyncio.ensure_future(pool.run(same(n))) for n in range(total)]
        await asyncio.sleep(0)
        await asyncio.to_thread(waiting, pool)
        print((used() - before) / total)
        for call in calls[total // 2 :]:
            call.cancel()
        ended = await asyncio.gather(*calls[total // 2 :], return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in ended)
        go.touch()
        assert await asyncio.gather(*calls[: total // 2]) == list(range(total // 2))

    asyncio.run(main())
""",
}


@pytest.mark.parametrize("way", _WAYS)
def test_a_crowd_takes_little_memory(tmp_path: Path, way: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(_HEAD + _WAYS[way])
    command = [sys.executable, script, tmp_path / "go", str(CALLS)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout) < EACH * 1.15, "one call in a crowd; a process grows by whole pages and arenas"
    assert not ran.stderr
