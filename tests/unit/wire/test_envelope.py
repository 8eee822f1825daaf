"""The header before a job: what it lets through, and what it refuses before anything is unpickled."""

from __future__ import annotations

import hashlib
import pickle
import struct
import sys
from pathlib import Path

import pytest

from skyward_jupyter.agent.jobcall import load
from skyward_jupyter.wire.blobs import INLINE_LIMIT, BlobStore
from skyward_jupyter.wire.codec import pack
from skyward_jupyter.wire.envelope import HEADER, Check, OtherPython, Packed, Refused, job, sealed


def check(body: bytes, size: int = 10_000) -> Check:
    """Have a body checked, in pieces."""
    made = Check()
    for start in range(0, len(body), size):
        made.feed(body[start : start + size])
    made.complete()
    return made


@pytest.mark.parametrize("size", [1, 3, 47, 48, 49, 10_000])
def test_a_job_passes_in_pieces_of_any_size(size: int) -> None:
    body = job(max, 1, 2, default=3)
    made = check(body, size)
    assert made.read == len(body) - HEADER.size
    assert made.digest == hashlib.sha256(body[HEADER.size :]).hexdigest()
    assert pickle.loads(body[HEADER.size :]) == (max, (1, 2), {"default": 3})


def test_the_header_is_as_it_is_described() -> None:
    pickled = b"anything"
    digest = hashlib.sha256(pickled).digest()
    header = struct.pack("<4sBBBxQ32s", b"SKYJ", 1, *sys.version_info[:2], len(pickled), digest)
    assert sealed(pickled) == header + pickled


@pytest.mark.parametrize("kept", [0, 3, 20, 47])
def test_a_body_that_ends_within_its_header(kept: int) -> None:
    with pytest.raises(Refused, match=f"ends within the header: {kept} bytes"):
        check(job(abs, 1)[:kept])


def test_a_body_that_was_cut_short() -> None:
    body = job(abs, 1)
    with pytest.raises(Refused, match=f"cut short: {len(body) - 48 - 1} of {len(body) - 48} bytes"):
        check(body[:-1])


def test_a_body_that_is_longer_than_announced() -> None:
    with pytest.raises(Refused, match="more bytes than"):
        check(job(abs, 1) + b"x")


def test_a_body_that_was_changed() -> None:
    body = bytearray(job(abs, 1))
    body[-2] ^= 1
    with pytest.raises(Refused, match="changed on its way"):
        check(bytes(body))


@pytest.mark.parametrize("body", [b"GARB", b"x", b"SKYX" + bytes(100), bytes(200), pickle.dumps(abs)])
def test_bytes_that_are_no_job(body: bytes) -> None:
    with pytest.raises(Refused, match="does not start with SKYJ"):
        check(body)


def test_a_job_of_another_python() -> None:
    body = bytearray(job(abs, 1))
    body[6] = sys.version_info.minor - 1
    with pytest.raises(OtherPython, match=rf"made by Python 3.{body[6]}, this node runs 3.{sys.version_info.minor}"):
        check(bytes(body))


def test_a_job_of_a_format_to_come() -> None:
    body = bytearray(job(abs, 1))
    body[4] = 9
    with pytest.raises(Refused, match="format 9"):
        check(bytes(body))


def test_parts_that_are_packed_already_load_as_one_call(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    large = b"x" * INLINE_LIMIT
    call = Packed(pack(abs, store.put), pack(((-1, large), {"x": 2}), store.put))
    (tmp_path / "jobs-0").mkdir()
    body = tmp_path / "jobs-0" / "1.body"
    body.write_bytes(sealed(pickle.dumps(call, 5)))
    assert load(str(body)) == (abs, (-1, large), {"x": 2})
