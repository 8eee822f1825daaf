"""What users call machines: ``user@host:port``, or a name from their ``~/.ssh/config``.

A `Host` is what was written, made whole by the configuration, with nothing looked up in the network yet. Whatever
the configuration says beyond name, user and port (keys, agents, jump hosts, ciphers) holds when it is connected to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from skyward_jupyter.errors import UsageError
from skyward_jupyter.ssh.configuration import USUAL, looked_up

_WRITTEN = re.compile(r"(?:(?P<user>[^@\s]+)@)?(?:\[(?P<v6>[^\]\s]*)\]|(?P<host>[^\[\]@:\s]+))(?::(?P<port>[^\s:]*))?")
_FORMS = "write user@host, user@host:port, user@[IPv6 address]:port, or a name from ~/.ssh/config"


@dataclass(frozen=True, slots=True)
class Host:
    """A machine to log in to.

    Attributes
    ----------
    name
        As the user wrote it.
    user, host, port
        Whom to log in as, and where.
    alias
        What the configuration knows it by: the host as it was written.
    keys
        Files of private keys to use instead of those of the configuration, beside those of the agent.
    jump
        The hosts to go through, in order.
    host_key
        The only host key to accept, as one line of ``known_hosts`` without names, or the SHA256 fingerprint of the one
        it shows first; "" accepts what the user's ``known_hosts`` says, or else what is shown the first time.
    config
        The configuration file; "" is the user's own.
    """

    name: str
    user: str
    host: str
    port: int
    alias: str
    keys: tuple[str, ...] = ()
    jump: tuple[Host, ...] = ()
    host_key: str = ""
    config: str = ""

    @property
    def place(self) -> str:
        """Where it is, as ``known_hosts`` writes it when a port must be said."""
        return f"[{self.host}]:{self.port}"

    @property
    def path(self) -> str:
        """The same with what lies in between: behind other jump hosts, an address is another machine."""
        return "<".join([self.place, *(hop.place for hop in reversed(self.jump))])


def parse(
    text: str, *, key: str | Iterable[str] = (), jump: str = "", host_key: str = "", config: str | Path = ""
) -> Host:
    """Read what a user calls a machine.

    Raises
    ------
    UsageError
        It cannot mean a machine, or a file that it needs is not there.
    """
    keys = tuple(_key_file(one) for one in ([key] if isinstance(key, str) else key) if one)
    made = _parsed(text, keys, jump, str(config), ())
    return replace(made, host_key=host_key)


def parse_all(
    texts: str | Iterable[str], *, key: str | Iterable[str] = (), jump: str = "", config: str | Path = ""
) -> tuple[Host, ...]:
    """Read the machines of a pool: a sequence, or text with commas or spaces between them; none may come twice."""
    names = re.split(r"[,\s]+", texts.strip()) if isinstance(texts, str) else [str(text).strip() for text in texts]
    if not any(names):
        raise UsageError(f"no machine was named: {_FORMS}")
    hosts = tuple(parse(name, key=key, jump=jump, config=config) for name in names)
    seen: dict[tuple[str, str], Host] = {}
    for host in hosts:
        same = seen.setdefault((host.user, host.path), host)
        if same is not host:
            other = "twice" if same.name == host.name else f"as {same.name!r} and as {host.name!r}"
            raise UsageError(f"{host.user}@{host.place} is named {other}: one node for each machine, name each once")
    return hosts


def _parsed(text: str, keys: tuple[str, ...], jump: str, config: str, behind: tuple[str, ...]) -> Host:
    """One machine and those on the way to it; `behind` are the machines that this one is on the way to."""
    user, host, port = _parts(text)
    if host in behind:
        raise UsageError(
            f"the way to {behind[0]} goes through {host} to reach {host}: look at ProxyJump in {config or USUAL}"
        )
    with looked_up(text, host, user, port, config) as found:
        options = found.options
    for what, named in (("User", options.username), ("HostName", options.host)):
        if named.startswith("-"):
            raise UsageError(f"{text!r} has {what} {named!r} in {config or USUAL}: no name starts with a dash")
    hops = jump or (options.tunnel if isinstance(options.tunnel, str) else "")
    through: tuple[Host, ...] = ()
    for hop in [] if hops.lower() == "none" else filter(None, map(str.strip, hops.split(","))):
        # What the configuration says of the way to a hop counts for the first: the others are reached through it.
        on_way = _parsed(hop, keys, "none" if through else "", config, (*behind, host))
        through = (*through, *on_way.jump, replace(on_way, jump=through or on_way.jump))
    return Host(text, options.username, options.host, options.port, host, keys, through, config=config)


def _parts(text: str) -> tuple[str, str, int | None]:
    """User, host and port as they are written; neither name starts with a dash, which ssh would read as an option."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        bare = text.count(":") > 1 and "[" not in text
        advice = "put the IPv6 address in brackets" if bare else _FORMS
        raise UsageError(f"{text!r} names no machine: {advice}")
    host = found["v6"] if found["host"] is None else found["host"]
    if not host or host.startswith("-") or (found["user"] or "").startswith("-") or not text.isprintable():
        raise UsageError(f"{text!r} names no machine: {_FORMS}")
    if found["port"] is None:
        return found["user"] or "", host, None
    if not found["port"].isascii() or not found["port"].isdigit() or not 0 < int(found["port"]) < 65536:
        raise UsageError(f"{text!r} has no port that could be one: after the colon comes a number from 1 to 65535")
    return found["user"] or "", host, int(found["port"])


def _key_file(text: str) -> str:
    check_path(text)
    path = Path(text).expanduser()
    if not path.is_file():
        raise UsageError(f"there is no key file {path}: name the private key, such as ~/.ssh/id_ed25519")
    return str(path)


def check_path(text: str) -> None:
    """Refuse what was meant to be a key itself: no message repeats it."""
    if "\n" in text or "PRIVATE KEY" in text:
        raise UsageError("key is a private key itself; write it to a file that only you can read, and name that file")
