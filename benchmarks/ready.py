"""How long a system takes until its first nodes have answered, in a process that has only imported it.

Run as a module with a system's name and a number of nodes, prints the seconds.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measure import seconds


def ready_seconds(system: str, nodes: int) -> float:
    """Measure one start of `system` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.ready", system, str(nodes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        raise RuntimeError(f"{system} did not start {nodes} nodes:\n{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def main(name: str, nodes: int) -> None:
    """Start the system, print how long that took, stop it."""
    from benchmarks.systems import systems

    (system,) = (system for system in systems() if system.name == name)
    system.load()
    try:
        print(seconds(lambda: system.start(nodes)))
    finally:
        system.stop()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
