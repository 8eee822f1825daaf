"""SIGINT while the main thread waits."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from skyward_jupyter.runtime.interrupts import note_sigint, on_sigint


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_calls_back_instead_of_raising() -> None:
    calls: list[int] = []
    with on_sigint(lambda: calls.append(1)):
        interrupt()
        interrupt()
    assert calls == [1, 1]


def test_afterwards_everything_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(LookupError), on_sigint(lambda: None):
        raise LookupError
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_blocks_nest() -> None:
    calls: list[str] = []
    with on_sigint(lambda: calls.append("outer")):
        with on_sigint(lambda: calls.append("inner")):
            interrupt()
        interrupt()
    assert calls == ["inner", "outer"]


def test_in_another_thread_nothing_is_touched() -> None:
    before = signal.getsignal(signal.SIGINT)
    found: list[object] = []

    def run() -> None:
        with on_sigint(lambda: None):
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [before]


def test_noting_comes_before_what_handles_it() -> None:
    before = signal.getsignal(signal.SIGINT)
    calls: list[str] = []
    signal.signal(signal.SIGINT, lambda *_: calls.append("handled"))
    try:
        note_sigint(lambda: calls.append("noted"))
        interrupt()
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == ["noted", "handled"]


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        note_sigint(lambda: pytest.fail("it is ignored"))
        interrupt()
    finally:
        signal.signal(signal.SIGINT, before)


def test_where_signals_are_ignored_they_stay_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with on_sigint(lambda: pytest.fail("it is ignored")):
            interrupt()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
