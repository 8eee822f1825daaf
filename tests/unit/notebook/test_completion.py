"""Tab on %sky and %%sky lines."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from skyward_jupyter.notebook import pools
from skyward_jupyter.notebook.completion import completions
from skyward_jupyter.profiles import files
from skyward_jupyter.ssh import aliases


@pytest.fixture(autouse=True)
def _two_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    def pool(name: str, size: int) -> Any:
        return SimpleNamespace(name=name, nodes=[SimpleNamespace(rank=rank) for rank in range(size)])

    found = (pool("local", 3), pool("big", 2))
    monkeypatch.setattr(pools, "running", lambda: found)
    monkeypatch.setattr(pools, "find", lambda name: found[0])


def words(magic: str, rest: str) -> list[str]:
    return [word for word, _ in completions(magic, rest, ["beta", "alpha"], ["theirs"])]


def test_options_that_are_not_there_yet() -> None:
    assert {"--nodes", "--on", "-o", "--group"} <= set(words("%%sky", ""))
    assert "--awaited" not in words("%%sky", "")
    assert "--nodes" not in words("%%sky", "--nodes 4 ")
    assert "--on" in words("%%sky", "--bg --o")


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("--on ", ["all", "any", "head", "0", "1", "2"]),
        ("--on=", ["all", "any", "head", "0", "1", "2"]),
        ("--on 0,", ["all", "any", "head", "0", "1", "2"]),
        ("--group ", ["same", "node", "time"]),
        ("--pool ", ["local", "big"]),
        ("-o ", ["alpha", "beta", "theirs"]),
        ("--scatter ", ["alpha", "beta"]),
        ("-i alpha,", ["alpha", "beta"]),
        ("--timeout ", []),
    ],
)
def test_values_of_options(rest: str, expected: list[str]) -> None:
    assert words("%%sky", rest) == expected


def test_commands_and_what_follows_them() -> None:
    assert words("%sky", "st") == ["start", "status", "stop"]
    starts = [
        "--nodes",
        "--profile",
        "--name",
        "--concurrency",
        "--ttl",
        "--preload",
        "--provider",
        "--hosts",
        "--key",
        "--jump",
    ]
    assert words("%sky", "start --") == [*starts, "--known-hosts", "--no-cluster"]
    assert words("%sky", "stop ") == ["local", "big"]
    assert words("%sky", "scale 3 --pool ") == ["local", "big"]
    assert words("%sky", "x.y ") == []


def test_names_profiles_and_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "names", lambda: ["big", "small"])
    monkeypatch.setattr(aliases, "names", lambda: ["gpu1", "gpu2"])
    assert words("%sky", "start --hosts ") == ["gpu1", "gpu2"]
    assert words("%sky", "start --hosts gpu1,me@") == ["gpu1", "gpu2"]
    assert words("%sky", "start --profile ") == ["big", "small"]
    assert words("%sky", "push ") == ["alpha", "beta"]
    assert words("%sky", "push alpha ") == ["beta"]
    assert words("%sky", "pull ") == ["theirs"]
    assert words("%sky", "pull theirs --") == ["--on", "--pool"]
    assert words("%sky", "pull theirs --on ") == ["all", "any", "head", "0", "1", "2"]
    assert words("%sky", "logs ") == ["-n", "--follow", "--pool", "0", "1", "2"]
    assert words("%sky", "logs 1 -") == ["-n", "--follow", "--pool"]
