"""What a machine writes while it is prepared: lines that come in bursts, some of them drawn again as progress is."""

from __future__ import annotations

from benchmarks.ssh.rows import Wrong

COUNT = 200
#: It starts no program but five pauses, which are 2 seconds in all: the machines share our processors.
COMMAND = rf"""i=0
while [ $i -lt {COUNT} ]; do
    i=$((i + 1))
    case $i in
        *0) printf 'half of %d\rline %d\n' $i $i ;;
        *) echo line $i ;;
    esac
    case $i in 40 | 80 | 120 | 160 | 200) sleep 0.4 ;; esac
done
"""
LINES = [f"line {number}" for number in range(1, COUNT + 1)]


def check(lines: list[str]) -> None:
    """See that every line has come, in order, as it was drawn last."""
    if lines != LINES:
        raise Wrong(f"of {COUNT} lines {len(lines)} came, and the last was {lines[-1:]}")
