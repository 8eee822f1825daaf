"""The ledger of host keys."""

from __future__ import annotations

import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncssh
import pytest

from skyward_jupyter.ssh.known import Ledger


def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519").convert_to_public()


def test_knows_what_it_was_told_first(tmp_path: Path) -> None:
    ledger, first = Ledger(tmp_path / "known_hosts"), key()
    assert ledger.keys("[a]:22") == []
    assert ledger.trust("[a]:22", first) == [first]
    assert ledger.trust("[a]:22", key()) == [first]
    assert Ledger(tmp_path / "known_hosts").keys("[a]:22") == [first]
    assert ledger.keys("[a]:22<[jump]:22") == []
    assert stat.S_IMODE((tmp_path / "known_hosts").stat().st_mode) == 0o600


def test_many_at_once_agree(tmp_path: Path) -> None:
    ledgers = [Ledger(tmp_path / "known_hosts") for _ in range(16)]
    with ThreadPoolExecutor(16) as threads:
        known = list(threads.map(lambda ledger: ledger.trust("[a]:22", key()), ledgers))
        list(threads.map(lambda at: ledgers[at].trust(f"[b{at}]:22", key()), range(16)))
    assert all(keys == known[0] for keys in known)
    assert len(ledgers[0].path.read_text().splitlines()) == 17


@pytest.mark.parametrize("place", ["[127.0.0.1]:2200", "[fd00::2]:22", "[10.0.0.5]:22<[jump.example]:2200"])
def test_ssh_keygen_forgets_an_entry(tmp_path: Path, place: str) -> None:
    ledger = Ledger(tmp_path / "known_hosts")
    ledger.trust("[other]:22", key())
    ledger.trust(place, key())
    subprocess.run(["ssh-keygen", "-f", str(ledger.path), "-R", place], check=True, capture_output=True)
    assert ledger.keys(place) == []
    assert ledger.keys("[other]:22")


def test_a_damaged_line_costs_no_other(tmp_path: Path) -> None:
    ledger, first = Ledger(tmp_path / "known_hosts"), key()
    ledger.path.write_text("[a]:22\n\nnonsense\n[a]:22 ssh-ed25519 ###\n")
    assert ledger.trust("[a]:22", first) == [first]
    assert ledger.keys("[a]:22") == [first]
