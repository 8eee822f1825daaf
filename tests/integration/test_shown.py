"""What programs and prompts show of errors: the user's frames, and none of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BEGIN = """\
import asyncio, os, signal, sys, threading, time
import skyward as sky
@sky.compute
def divide(x):
    return 1 / x
@sky.compute
def meet():
    sky.barrier("b", parties=9).wait(timeout=0.1)
def plain(x):
    return x
"""
POOL = "with sky.ComputePool(nodes=2, panel='off') as pool:\n    "
LINE = "    return 1 / x\n"


def shown(code: str, folder: Path, **env: str) -> str:
    """What a program writes to stderr."""
    file = folder / "program.py"
    file.write_text(BEGIN + code + "\n")
    ran = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, timeout=120, env=os.environ | env, check=False
    )
    assert ran.returncode not in (0, 120), ran.stdout
    return ran.stderr


@pytest.mark.parametrize(
    ("code", "files", "said"),
    [
        ("divide(1) >> sky", 1, "NoPool: no pool is running"),
        ("sky.pool('x')", 1, "NoPool: there is no pool 'x'"),
        ("sky.attach('nope')", 1, "NoPool: there is no pool 'nope'"),
        ("sky.Pool", 1, "write sky.ComputePool"),
        ("sky.ComputePool(concurrency=2)", 1, "write worker=sky.Worker(concurrency=2)"),
        ("plain >> sky", 1, "a function without @sky.compute cannot be sent"),
        ("sky.ComputePool(nodes=2, timeout=0.01, panel='off').start()", 1, "ProvisioningFailed"),
        (POOL + "divide(0) >> pool", 2, "raised by divide(0) on node"),
        (POOL + "divide(0) @ pool", 3, "raised on 2 of 2 nodes"),
        (POOL + "sky.gather(divide(1), divide(0)) >> pool", 2, "1 of 2 calls succeeded"),
        (POOL + "(divide(0) > pool).result()", 2, "raised by divide(0) on node"),
        (POOL + "list(sky.Executor(pool).map(divide.function, [0]))", 2, "raised by divide(0) on node"),
        (POOL + "sky.barrier('b', parties=9).wait(timeout=0.1)", 1, "BarrierTimeout: 1 of 9"),
        (POOL + "meet() >> pool", 2, "BarrierTimeout: 1 of 9"),
        (POOL + "sky.dict('d')['k']", 1, "KeyError: 'k'"),
        (
            POOL + "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
            "    sky.gather(*map(sky.compute(time.sleep), (0, 60))) >> pool",
            1,
            "KeyboardInterrupt\n1 of 2 calls succeeded, 1 was cancelled",
        ),
    ],
    ids=lambda code: code.removeprefix(POOL)[:30] if isinstance(code, str) else "",
)
def test_a_program_shows_frames_of_its_own(tmp_path: Path, code: str, files: int, said: str) -> None:
    text = shown(code, tmp_path)
    assert said in text
    assert text.count('  File "') == text.count(f'  File "{tmp_path}') == files, text


def test_what_is_awaited_and_what_runs_in_threads(tmp_path: Path) -> None:
    for call in ("asyncio.run(pool.run(divide(0)))", "threading.Thread(target=lambda: divide(0) >> pool).start()"):
        text = shown(f"{POOL}{call}\n    time.sleep(0.5)\nsys.exit(1)", tmp_path)
        assert LINE in text
        assert "skyward_jupyter" not in text


def test_a_value_that_is_awaited_is_explained(tmp_path: Path) -> None:
    text = shown("async def main():\n    await (divide(1) >> pool)\n" + POOL + "asyncio.run(main())", tmp_path)
    assert "leave out `await`, or write `await pool.run(call)`" in text


def test_all_frames_are_shown_on_request(tmp_path: Path) -> None:
    assert "skyward_jupyter" in shown("divide(1) >> sky", tmp_path, SKYWARD_TRACEBACKS="full")


def test_a_prompt_of_ipython_shows_none_either(tmp_path: Path) -> None:
    cells = "divide(1) >> sky\nsky.Executor(nodes=1).submit(divide.function, 0).result()\n%sky stop\n"
    (tmp_path / "begin.py").write_text(BEGIN)
    command = [sys.executable, "-m", "IPython", "--simple-prompt", "--colors=NoColor", "--no-banner"]
    env = os.environ | {"IPYTHONDIR": str(tmp_path), "SKYWARD_PANEL": "off"}
    for load in ("", "%load_ext skyward\n"):
        text = f"{load}%run {tmp_path}/begin.py\n{cells if load else cells.replace('%sky stop', 'sky.pool().stop()')}"
        ran = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, env=env, check=False)
        assert "NoPool: no pool is running" in ran.stdout, ran.stdout + ran.stderr
        assert "raised by divide(0) on node 0" in ran.stdout
        assert "skyward_jupyter" not in ran.stdout
        assert "skipping hidden" not in ran.stdout
