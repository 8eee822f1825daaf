"""Messages with descriptors over a socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from skyward_jupyter.agent.channel import Channel, Message

type Got = list[tuple[Message, tuple[int, ...]]]


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = (Channel(end) for end in socket.socketpair())
    yield ours, theirs
    ours.close()
    theirs.close()


def receive(channel: Channel, count: int) -> Got:
    found: Got = []
    while len(found) < count:
        more = channel.receive()
        assert more is not None
        found += more
    return found


def test_messages_arrive_in_order(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    sent: list[Message] = [{"op": "start", "n": n, "text": "é" * n} for n in range(50)]
    for message in sent:
        ours.send(message)
    assert [message for message, _ in receive(theirs, 50)] == sent


def test_a_message_arrives_whole(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    data = b"\x14\0\0\0" + b'{"op": "cut in two"}'
    ours.sock.sendall(data[:9])
    assert theirs.receive() == []
    ours.sock.sendall(data[9:])
    assert receive(theirs, 1) == [({"op": "cut in two"}, ())]


def test_each_message_keeps_its_own_descriptors(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    pipes = [os.pipe() for _ in range(3)]
    ours.send({"op": "a"}, (pipes[0][1],))
    ours.send({"op": "none"})
    ours.send({"op": "b"}, (pipes[1][1], pipes[2][1]))
    got = receive(theirs, 3)
    assert [(message["op"], len(fds)) for message, fds in got] == [("a", 1), ("none", 0), ("b", 2)]
    for (read, write), received in zip(pipes, [fd for _, fds in got for fd in fds], strict=True):
        os.close(write)
        with os.fdopen(received, "wb") as file:
            file.write(b"through")
        with os.fdopen(read, "rb") as file:
            assert file.read() == b"through"


def test_a_peer_that_is_gone(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    ours.send({"op": "last"})
    ours.close()
    assert receive(theirs, 1) == [({"op": "last"}, ())]
    assert theirs.receive() is None
    with pytest.raises(OSError, match=r".+"):
        theirs.send({"op": "too late"})


def test_nothing_to_read_is_not_the_end(ends: tuple[Channel, Channel]) -> None:
    _, theirs = ends
    theirs.sock.setblocking(False)
    assert theirs.receive() == []
