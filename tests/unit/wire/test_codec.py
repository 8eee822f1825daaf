"""Values as bytes and back, with large parts put aside."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from skyward_jupyter.wire import codec
from skyward_jupyter.wire.blobs import INLINE_LIMIT, Blob, BlobStore
from skyward_jupyter.wire.parts import MESSAGE_LIMIT


@dataclass(frozen=True)
class Point:
    x: int
    y: list[int]


class Shelf:
    """A `put` and an `open` that remember."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put(self, data: memoryview) -> Blob:
        blob = Blob(codec.digest(data), data.nbytes)
        self.kept[blob.name] = bytes(data)
        return blob

    def open(self, blob: Blob) -> bytearray:
        return bytearray(self.kept[blob.name])

    def there_and_back(self, value: object) -> object:
        return codec.unpack(codec.pack(value, self.put), self.open)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


PLAIN = [
    0,
    2**80,
    1.5,
    float("inf"),
    3j,
    True,
    None,
    "",
    "é" * 5,
    b"\0x",
    (),
    (1, "a", (None,)),
    {},
    {"a": [1, {2}]},
    frozenset({1}),
    range(3),
    ...,
    Point(1, [2]),
    "x" * 100_000,
    b"y" * 1_000_000,
    list(range(50_000)),
    (1,) * 20,
]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: repr(value)[:20])
def test_values_come_back_equal(shelf: Shelf, value: object) -> None:
    back = shelf.there_and_back(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: repr(value)[:20])
def test_self_contained_bytes_come_back_equal(value: object) -> None:
    assert codec.loads(codec.dumps(value)) == value


@pytest.mark.parametrize("count", [0, 1, 1000, INLINE_LIMIT // 8 - 1, INLINE_LIMIT // 8, 300_000])
def test_arrays_are_writable_and_their_own(shelf: Shelf, count: int) -> None:
    sent = np.arange(count, dtype=np.float64)
    back = shelf.there_and_back(sent)
    assert isinstance(back, np.ndarray)
    assert np.array_equal(back, sent)
    assert back.dtype == sent.dtype
    back[:] = -1
    assert count == 0 or sent[-1] == count - 1


def test_only_large_buffers_are_put_aside(shelf: Shelf) -> None:
    small, large = np.random.default_rng(0).random(1000), np.zeros(INLINE_LIMIT, dtype=np.uint8)
    data = codec.pack([small, large], shelf.put)
    assert [blob.size for blob in codec.blobs_of(data)] == [INLINE_LIMIT]
    assert len(data) < 20_000


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a.T,
        lambda a: a[::2],
        lambda a: a[:, ::3],
        lambda a: a[::-1],
        lambda a: np.asfortranarray(a),
        lambda a: np.broadcast_to(a[0], a.shape),
        lambda a: a.reshape(-1)[5:],
    ],
    ids=["transposed", "strided", "columns", "reversed", "fortran", "broadcast", "offset"],
)
def test_arrays_of_any_layout(shelf: Shelf, view: Callable[[np.ndarray], np.ndarray]) -> None:
    sent = view(np.arange(300 * 300, dtype=np.float64).reshape(300, 300))
    back = shelf.there_and_back({"a": sent})
    assert isinstance(back, dict)
    assert np.array_equal(back["a"], sent)
    assert back["a"].shape == sent.shape


def test_read_only_and_object_arrays(shelf: Shelf) -> None:
    sent = np.arange(10)
    sent.flags.writeable = False
    objects = np.array([{"a": 1}, None, "x"], dtype=object)
    back = shelf.there_and_back((sent, objects))
    assert isinstance(back, tuple)
    assert np.array_equal(back[0], sent)
    assert back[1].tolist() == objects.tolist()


def test_one_array_twice_stays_one(shelf: Shelf) -> None:
    array = np.zeros(INLINE_LIMIT)
    first, second = shelf.there_and_back([array, array])  # type: ignore[misc]
    first[0] = 1
    assert second[0] == 1
    assert len(shelf.kept) == 1


def test_equal_arrays_stay_two(shelf: Shelf) -> None:
    first, second = shelf.there_and_back([np.zeros(INLINE_LIMIT), np.zeros(INLINE_LIMIT)])  # type: ignore[misc]
    first[0] = 1
    assert second[0] == 0


def test_many_middling_buffers_become_one_blob(shelf: Shelf) -> None:
    rng = np.random.default_rng(1)
    sent = [rng.random(20_000) for _ in range(20)]
    data = codec.pack(sent, shelf.put)
    assert len(data) < 1000
    (whole,) = codec.blobs_of(data)
    assert whole.size > MESSAGE_LIMIT
    back = codec.unpack(data, shelf.open)
    assert isinstance(back, list)
    assert all(map(np.array_equal, back, sent))
    assert all(array.flags.writeable for array in back)


def test_a_blob_may_name_blobs(shelf: Shelf) -> None:
    rng = np.random.default_rng(2)
    middling, large = [rng.random(20_000) for _ in range(20)], [rng.random(40_000 + n) for n in range(3)]
    data = codec.pack((middling, large), shelf.put)
    (whole,) = codec.blobs_of(data)
    inner = codec.blobs_of(bytes(shelf.kept[whole.name]))
    assert [blob.size for blob in inner] == [array.nbytes for array in large]
    back = codec.unpack(data, shelf.open)
    assert isinstance(back, tuple)
    assert all(map(np.array_equal, back[1], large))


def test_a_message_stays_small_whatever_is_in_it(shelf: Shelf) -> None:
    rng = np.random.default_rng(3)
    for value in (b"z" * 10_000_000, rng.bytes(5_000_000), [rng.bytes(900) for _ in range(5000)], "ß" * 3_000_000):
        data = codec.pack(value, shelf.put)
        assert len(data) <= MESSAGE_LIMIT + 1000
        assert codec.unpack(data, shelf.open) == value


def test_what_compresses_is_compressed(shelf: Shelf) -> None:
    repeating = np.zeros(INLINE_LIMIT // 8 - 100)
    noise = np.frombuffer(np.random.default_rng(4).bytes(repeating.nbytes), dtype=np.uint8)
    assert len(codec.pack(repeating, shelf.put)) < repeating.nbytes / 10
    assert len(codec.pack(noise, shelf.put)) >= noise.nbytes
    assert not shelf.kept


def test_through_files(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    sent = {"a": np.arange(100_000), "b": [np.ones(50_000)] * 2, "c": "text"}
    data = codec.pack(sent, store.put)
    for _ in range(2):
        back = codec.unpack(data, store.open)
        assert isinstance(back, dict)
        assert np.array_equal(back["a"], sent["a"])
        back["a"][:] = 0


def test_functions_travel_by_value() -> None:
    factor = 3

    def scaled(x: int) -> int:
        return x * factor

    made = codec.loads(codec.dumps(scaled))
    assert callable(made)
    assert made(4) == 12


@pytest.mark.parametrize(
    "make", [threading.Lock, lambda: [threading.Lock()], lambda: (threading.Lock(),), lambda: {"a": (n for n in "abc")}]
)
def test_what_cannot_travel_raises(shelf: Shelf, make: Callable[[], object]) -> None:
    with pytest.raises(TypeError):
        shelf.there_and_back(make())


def test_the_digest_tells_contents_apart() -> None:
    assert codec.digest(b"a") == codec.digest(bytearray(b"a"))
    assert codec.digest(b"a") != codec.digest(b"b")
    assert len(codec.digest(b"")) == 32
