"""What a job says, as its readers see it."""

from __future__ import annotations

import asyncio

from skyward_jupyter.agent.joblog import JobLog


def said(log: JobLog, seq: int = 0) -> list[bytes]:
    return [entry.data for entry in log.after(seq)[0]]


def test_readers_go_on_where_they_were() -> None:
    log = JobLog()
    for text in (b"a", b"b", b"c"):
        log.add("output", text)
    assert said(log) == [b"a", b"b", b"c"]
    assert said(log, 2) == [b"c"]
    assert log.after(3) == ([], False)


def test_output_beyond_the_bound_goes_oldest_first_and_is_counted() -> None:
    log = JobLog(bound=100)
    log.add("state", b"queued")
    for number in range(30):
        log.add("output", b"%02d" % number * 5)
    assert log.size <= 100
    assert log.size + log.dropped == 300
    entries: list[bytes] = []
    seen, gaps = 0, 0
    while True:
        batch, gap = log.after(seen)
        gaps += gap and bool(batch)
        if not batch:
            break
        entries += [entry.data for entry in batch]
        seen = batch[-1].seq
    assert entries[0] == b"queued"
    assert entries[1:] == [b"%02d" % number * 5 for number in range(30 - log.size // 10, 30)]
    assert gaps == 1


def test_what_goes_while_somebody_reads_is_a_gap_to_them() -> None:
    log = JobLog(bound=20)
    log.add("output", b"x" * 15)
    assert log.after(0)[1] is False
    log.add("output", b"y" * 15)
    assert log.dropped == 30
    assert log.after(1) == ([], True)
    assert log.after(2) == ([], False)


async def test_readers_wait_for_news_and_for_the_end() -> None:
    log = JobLog()
    news = log.news()
    waiting = [asyncio.ensure_future(news.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    log.add("output", b"a")
    await asyncio.wait_for(asyncio.gather(*waiting), 10)
    ended = asyncio.ensure_future(log.news().wait())
    await asyncio.sleep(0)
    log.close()
    await asyncio.wait_for(ended, 10)
    assert log.closed


def test_one_output_larger_than_the_bound() -> None:
    log = JobLog(bound=10)
    log.add("output", b"x" * 50)
    log.add("state", b"done")
    assert said(log) == [b"done"]
    assert (log.size, log.dropped) == (0, 50)
