"""A template on a machine that is not the kernel's: started over a connection that it outlives, for one pool.

It says where it can be found, as one line of JSON, before the command that started it ends; the kernel reaches it
through the pool's door then, again and again if need be. It ends when its kernel says so, or `ttl` seconds after its
last agent has ended and a kernel was last heard of, and removes the pool's directory.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Mapping

from setproctitle import setproctitle

from skyward_jupyter.agent.config import HTTP_PORT, PORT
from skyward_jupyter.agent.controls import Pool, open_door
from skyward_jupyter.agent.ports import hold
from skyward_jupyter.agent.template import Template, warm


def main() -> None:
    """Entry: the arguments are the pool's directory and key, seconds, and the address to listen on, empty for any."""
    directory, key, ttl, address = sys.argv[1:5]
    door = open_door(directory)
    host = address or _own_address()
    # HTTP is not encrypted: who is elsewhere comes through the kernel's tunnel.
    inside = loopback(host)
    with contextlib.ExitStack() as held:
        port, http = hold(held, host, PORT, 2), hold(held, inside, HTTP_PORT)
        _go_on_alone(directory, key, {"host": host, "port": port, "inside": inside, "http": http})
        template = Template(pool=Pool(key, directory, door), linger=float(ttl), files=(directory,))
        warm()
        try:
            template.run()
        finally:
            # What its agents wrote while they ended.
            shutil.rmtree(directory, ignore_errors=True)


def _go_on_alone(directory: str, key: str, place: Mapping[str, object]) -> None:
    """Leave whoever started this process, who hears where it is found once it is on its own."""
    read, write = os.pipe()
    if os.fork():
        os.close(write)
        os.read(read, 1)
        sys.stdout.write(json.dumps(place) + "\n")
        sys.stdout.flush()
        os._exit(0)
    os.setsid()
    _leave(f"{directory}/log")
    setproctitle(f"skyward: template {key}")
    os.close(read)
    os.close(write)


def _leave(log: str) -> None:
    """Have nothing of whoever started this process but a file for what goes wrong."""
    null = os.open(os.devnull, os.O_RDWR)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for fd, target in ((0, null), (1, file), (2, file)):
        os.dup2(target, fd)
    os.close(null)
    os.close(file)


def _own_address() -> str:
    """The address at which whoever logged in reached this machine, as the machine itself sees it."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    return words[2] if len(words) == 4 else "127.0.0.1"


def loopback(host: str) -> str:
    """The address at which only this machine itself reaches it: `host` where it is one."""
    return host if host.startswith("127.") else "127.0.0.1"


if __name__ == "__main__":
    main()
