"""What is known of each call of a run that another kernel started."""

from __future__ import annotations

import asyncio

from skyward_jupyter.actors.adoption import Kept
from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.api.counts import Counts, counted, unsent
from skyward_jupyter.errors import ResultGone
from skyward_jupyter.wire.events import Failure, Outcome, Success
from skyward_jupyter.wire.messages import Code


def kept(**entries: Outcome | None) -> Kept:
    """A run of ten calls, numbered from 100 on; of some of them, by number, how they ended."""
    loop = asyncio.new_event_loop()
    made = Kept(100, 10, "nap", False, 0.0, adopted=True)
    for name, outcome in entries.items():
        number = int(name[1:])
        entry = made.entries[number] = TaskEntry(number, Code("", b""), b"", loop.create_future(), rank=0)
        if outcome is not None:
            entry.outcome.set_result(outcome)
    loop.close()
    return made


def test_what_no_node_was_given_never_ran() -> None:
    run = kept(n103=None)
    assert unsent(run, []) == (0, 1, 2, 4, 5, 6, 7, 8, 9)
    assert unsent(run, [(1, 101), (104, 105), (300, 400)]) == (2, 6, 7, 8, 9)
    assert unsent(run, [(1, 99), (110, 120)]) == (0, 1, 2, 4, 5, 6, 7, 8, 9)
    assert unsent(run, [(0, 1000)]) == ()
    run.adopted = False
    assert unsent(run, []) == ()


def test_each_call_is_counted_once() -> None:
    gone = Failure(0, ResultGone("had", {}), 0.0)
    run = kept(n100=gone, n103=None, n104=Success(0, 7, 0.1), n105=Failure(0, ValueError(), 0.1))
    assert counted(run, 4) == Counts(10, done=2, running=1, gone=3, unsent=4)
    assert str(counted(run, 4)) == "2 done, 1 running, 3 with the kernel before, 4 never sent of 10"


def test_single_calls_that_waited_are_only_those_that_never_ran() -> None:
    run = kept()
    run.separate = True
    assert counted(run, 4) == Counts(4, unsent=4)


def test_of_a_run_of_this_kernel_what_waits_is_not_lost() -> None:
    run = kept(n107=None, n108=None, n109=None)
    run.adopted = False
    run.entries[109].rank = None
    assert counted(run, 0) == Counts(10, done=7, running=2, waiting=1)
    assert str(counted(run, 0)) == "7 done, 2 running, 1 waiting of 10"
