"""What code sees of its process when it is imported: its path, directory, environment and share of the cores."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from skyward_jupyter.agent import threads
from skyward_jupyter.agent.config import AgentConfig


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Those of the slots of a node. What was imported in other ones is not theirs.

    Attributes
    ----------
    paths, directory, env
        As of `AgentConfig`.
    share
        How many threads numerical libraries use.
    """

    paths: tuple[str, ...]
    directory: str
    env: Mapping[str, str] = field(repr=False)
    share: int = 1

    @classmethod
    def of(cls, config: AgentConfig) -> Surroundings:
        """Return those of a node's slots as they start."""
        return cls(config.paths, config.directory, config.env, threads.share(config, config.peers))

    @classmethod
    def from_message(cls, said: Mapping[str, Any]) -> Surroundings:
        """Return those that a kernel expects of its next pool, of `nodes` nodes."""
        share = max(1, threads.cores() // said["nodes"])
        return cls(tuple(said["paths"]), said["directory"], said["env"], share)

    def enter(self) -> None:
        """Have them in this process."""
        sys.path[:] = list(self.paths) or sys.path
        sys.argv[:] = [""]
        with contextlib.suppress(OSError):
            os.chdir(self.directory)
        os.environ.clear()
        os.environ.update(self.env)
        threads.have(self.share)
