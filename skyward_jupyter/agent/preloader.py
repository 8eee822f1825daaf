"""The preloader: a process that imports libraries once, and from which slots are forked.

Its template starts it, knows it for one of the template's own children, and never waits for an import: one that fails,
hangs or ends the process harms nothing but this process, and the template starts another one without that library. It
has one thread, and says that it is ready only after each library was looked at (`skyward_jupyter.agent.preload`). The
slots that it forks are the template's children, as all others are.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import os
import select
import socket
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict

from setproctitle import setproctitle

from skyward_jupyter.agent import threads
from skyward_jupyter.agent.channel import Channel, Message
from skyward_jupyter.agent.child import become, die_with_parent
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.launch import leave
from skyward_jupyter.agent.preload import (
    Footprint,
    Libraries,
    Refusal,
    be_born,
    failed,
    left_behind,
    settled,
    temporary,
    tried,
    why_not,
)
from skyward_jupyter.agent.stamps import stamps
from skyward_jupyter.agent.surroundings import Surroundings

#: What sessions need as well, imported while nothing else is to be done.
OURS = ("IPython.core.interactiveshell", "skyward_jupyter.agent.session", "skyward_jupyter.agent.shell")


def start_preloader(surroundings: Surroundings, libraries: Libraries) -> tuple[socket.socket, int]:
    """Start a preloader from this process; returns the socket that leads to it, and its process id.

    Raises
    ------
    OSError
        The system has no room for it.
    """
    parent = os.getpid()
    ours, theirs = socket.socketpair()
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        raise
    finally:
        if os.getpid() == parent:
            theirs.close()
    if pid:
        return ours, pid
    status = 1
    try:
        leave({theirs.fileno()})
        os.setpgid(0, 0)
        die_with_parent(parent)
        setproctitle(f"skyward: preloader {parent}")
        Preloader(Channel(theirs), parent).run(surroundings, libraries)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


class Preloader:
    """What runs in its process.

    Parameters
    ----------
    channel
        The connection to the template.
    template
        Its process id.
    """

    def __init__(self, channel: Channel, template: int) -> None:
        self._channel = channel
        self._template = template

    def run(self, surroundings: Surroundings, libraries: Libraries) -> None:
        """Import the libraries, say so, and fork slots until the template is gone."""
        ours_already = frozenset(sys.modules)
        surroundings.enter()
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(write_through=True)  # type: ignore[union-attr]
        for library, modules in libraries.items():
            self._channel.send({"op": "begin", "library": library})
            if refusal := _imported(library, modules):
                self._channel.send({"op": "refused", "library": library, **asdict(refusal)})
                return
        gc.freeze()
        self._channel.send({"op": "ready", "stamps": stamps(sys.modules.keys() - ours_already | libraries.keys())})
        ours = list(OURS)
        while True:
            if ours and not select.select([self._channel], [], [], 0)[0]:
                _import_ours(ours.pop(0))
                continue
            if (received := self._channel.receive()) is None:
                return
            for message, fds in received:
                self._channel.send(self._slot(message, fds))

    def _slot(self, message: Message, fds: Sequence[int]) -> Message:
        for fd in fds:
            os.set_inheritable(fd, False)
        try:
            return {"op": "slot", "pid": self._fork(message, fds)}
        except OSError as error:
            return {"op": "failed", "errno": error.errno or errno.EAGAIN}
        finally:
            for fd in fds:
                os.close(fd)

    def _fork(self, message: Message, fds: Sequence[int]) -> int:
        """Fork a slot by way of a process that ends at once, so that it becomes the template's child."""
        said, say = os.pipe()
        start, go = os.pipe()
        try:
            middle = os.fork()
            if middle == 0:
                self._pass_on(message, fds, say, start)
            os.close(say)
            say = -1
            os.waitpid(middle, 0)
            answer = os.read(said, 32)
            if not answer:
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            os.write(go, b"!")
            return int(answer)
        finally:
            for fd in (said, say, start, go):
                if fd >= 0:
                    os.close(fd)

    def _pass_on(self, message: Message, fds: Sequence[int], say: int, start: int) -> None:
        """In the process between: fork the slot, and tell of it."""
        try:
            pid = os.fork()
            if pid == 0:
                self._be_slot(message, fds, start)
            os.setpgid(pid, pid)  # before the end of this one's group can be its end
            os.write(say, str(pid).encode())
        finally:
            os._exit(0)

    def _be_slot(self, message: Message, fds: Sequence[int], start: int) -> None:
        try:
            leave({*fds, start})  # not its end of `go` either: the preloader's end is seen
            if os.read(start, 1):
                os.close(start)
                threads.be_born()
                be_born()
                count = message["sockets"]
                config = AgentConfig.from_json(message["config"])
                become("slot", config, message["label"], fds[:count], self._template, fds[count:])
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)


def _import_ours(name: str) -> None:
    with contextlib.suppress(Exception):  # that is left to the session that needs it
        importlib.import_module(name)
    gc.freeze()


def _imported(library: str, modules: Sequence[str]) -> Refusal | None:
    """Import a library and those of its modules that are there; return what is wrong with it, None for nothing."""
    if why := why_not(library):
        return Refusal(why)
    me, before = os.getpid(), Footprint.take()
    with temporary() as made:
        try:
            importlib.import_module(library)
        except BaseException as error:
            _end_copy(me)
            return failed(error)
        for name in modules:
            with contextlib.suppress(Exception):  # that is left to the code that needs it
                importlib.import_module(name)
    _end_copy(me)
    if refusal := tried(library):
        return refusal
    why = settled(before) or left_behind(made)
    return Refusal(why) if why else None


def _end_copy(me: int) -> None:
    """End a child that an import has forked, and that goes on with this code: only the process `me` is a preloader."""
    if os.getpid() != me:
        os._exit(0)
