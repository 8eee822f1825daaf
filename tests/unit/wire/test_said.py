"""What tasks say, as bytes and back; and bytes that say nothing."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skyward_jupyter.agent.failure import Failed, describe
from skyward_jupyter.wire import plain, said
from skyward_jupyter.wire.blobs import INLINE_LIMIT, BlobStore
from skyward_jupyter.wire.feeds import Grant, yielded, yields
from skyward_jupyter.wire.parts import COMPRESS_FROM, Malformed, blobs_of, opened, sealed
from skyward_jupyter.wire.progress import MIME, Bar, bars_in, bundle


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path)


@pytest.mark.parametrize("text", ["", "é\n", "\udcff lone", "x" * COMPRESS_FROM, "\U0001f600" * 65536])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_text_comes_back(stream: str, text: str) -> None:
    body = said.packed_text(stream, text)
    assert said.text_in(body) == (stream, text)
    assert said.size_of_text(body) == len(text.encode("utf-8", "surrogatepass"))
    assert blobs_of(body) == ()
    assert len(body) < 300 or len(body) < len(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("size", [0, 10, COMPRESS_FROM, INLINE_LIMIT, 3 * INLINE_LIMIT])
def test_a_display_may_have_bytes(store: BlobStore, size: int) -> None:
    image = os.urandom(size)
    data = {"text/plain": "\udcff", "image/png": image, "application/json": {"a": [1, None, {"b": bytearray(image)}]}}
    body = said.packed_display(data, {"image/png": {"width": 3}}, {"display_id": "d"}, True, store.hand_over)
    assert len(body) < 2 * INLINE_LIMIT
    data["application/json"] = {"a": [1, None, {"b": image}]}
    assert said.display_in(body, store.take) == (data, {"image/png": {"width": 3}}, {"display_id": "d"}, True)
    assert list(store.directory.iterdir()) == []


def test_a_display_is_sent_as_jupyter_would(store: BlobStore) -> None:
    data = {"a": np.float32(0.5), "b": np.arange(2), "c": {1}, "d": dt.date(2020, 1, 1), "e": Path("/x"), "f": (1,)}
    back = said.display_in(said.packed_display(data, {}, {}, False, store.put), store.open)[0]
    assert back == {"a": 0.5, "b": [0, 1], "c": [1], "d": "2020-01-01", "e": "/x", "f": [1]}


def test_a_display_that_json_cannot_say_becomes_its_text(store: BlobStore) -> None:
    round: dict[str, Any] = {"text/plain": "it"}
    round["self"] = round
    for data in (round, {"text/plain": "it", "a": {(1, 2): 3}}):
        back = said.display_in(said.packed_display(data, {}, {}, False, store.put), store.open)
        assert back[0]["text/plain"].startswith("it (a display that cannot be sent as JSON: ")


def test_the_rest_comes_back() -> None:
    assert [said.clear_in(said.packed_clear(wait)) for wait in (True, False)] == [True, False]
    assert said.loss_in(said.packed_loss(5, 2)) == (5, 2)
    assert said.grant_in(said.packed_grant(Grant(1, 2, 3, 4))) == Grant(1, 2, 3, 4)
    assert list(yielded(yields([b"", b"a", b"xyz"]))) == [b"", b"a", b"xyz"]


def test_a_failure_comes_back(store: BlobStore) -> None:
    try:
        raise LookupError("é" * 300_000)
    except LookupError as error:
        failed = describe(error)
    failed.facts["lacking"] = "polars"
    for put in (store.hand_over, None):
        assert Failed.from_bytes(failed.to_bytes(put), store.take) == failed


class Runs:
    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._mark}",)


READ: list[Callable[[bytes, BlobStore], object]] = [
    lambda body, store: said.text_in(body),
    lambda body, store: said.display_in(body, store.open),
    lambda body, store: said.clear_in(body),
    lambda body, store: said.loss_in(body),
    lambda body, store: said.grant_in(body),
    lambda body, store: list(yielded(body)),
    lambda body, store: Failed.from_bytes(body, store.open),
    lambda body, store: plain.unpacked(body, store.open),
    lambda body, store: said.size_of_text(body),
]


@pytest.mark.parametrize("read", range(len(READ)))
def test_what_is_malformed_is_refused_and_runs_nothing(read: int, store: BlobStore, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    made = pickle.dumps(Runs(mark))
    bodies = [b"", b"p", b"x", b"b", b"O", b"o\xff", b"pnull", b'p{"a": 1}', b"p[1, 2]", b"p[{}, {}, {}, 1]", b"x" * 40]
    bodies += [tag + made for tag in (b"", b"p", b"x", b"b", b"O", b"E", b"\0")]
    bodies += [sealed((b'["a"]', made), None), sealed((b'[{"\\u0000bytes": 7}]', b""), None), b"p[[" * 100_000]
    for body in bodies:
        with contextlib.suppress(Malformed):
            READ[read](body, store)
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "/etc/passwd", "..", "", "a/b", "0" * 31 + "/", "executor/../" + "0" * 32, "0" * 33]
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_name_that_no_blob_has_is_refused(name: str, whole: bool, store: BlobStore) -> None:
    named = (5).to_bytes(8, "little") + name.encode()
    body = b"b" + named if whole else b"x\2" + len(named).to_bytes(8, "little") + named
    assert blobs_of(body) == ()
    with pytest.raises(Malformed, match="is not the name of a blob"):
        opened(body, store.take)


def test_a_blob_that_is_a_blob_that_is_a_blob_is_refused(store: BlobStore) -> None:
    body = b"pend"
    for _ in range(3):
        blob = store.put(body)
        body = b"b" + blob.size.to_bytes(8, "little") + blob.name.encode()
    with pytest.raises(Malformed):
        opened(body, store.open)


def test_bars_have_what_bars_have() -> None:
    bar = Bar("k", "running", 1, 2.5, scale=True)
    assert bars_in(bundle([bar])) == [bar]
    for row in ({"key": "k"}, {"key": "k", "state": "done", "n": "1"}, {"key": 1, "state": "done", "n": 1}, 5, None):
        assert bars_in({MIME: [row]}) == []
    assert bars_in({MIME: [{"key": "k", "state": "done", "n": 1, "__class__": "x"}]}) == []
    assert bars_in({MIME: "no rows"}) == []
