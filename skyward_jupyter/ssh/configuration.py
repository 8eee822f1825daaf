"""What the configuration says of one machine, as OpenSSH reads it.

Where OpenSSH's ``ssh`` is here, it says so itself; elsewhere asyncssh reads a copy of the files from which comments and
quotes are gone. Either way asyncssh gets files that say no more than is meant, and the keys are chosen here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncssh

from skyward_jupyter.errors import UsageError
from skyward_jupyter.ssh import openssh, tokens
from skyward_jupyter.ssh.copies import Copies, for_asyncssh
from skyward_jupyter.ssh.identities import Identities
from skyward_jupyter.ssh.syntax import lines

USUAL = "~/.ssh/config"

#: What asyncssh takes from a configuration; keys, agents and commands are said to it otherwise.
# fmt: off
_TAKEN = (
    "hostname", "user", "port", "addressfamily", "bindaddress", "casignaturealgorithms", "ciphers", "compression",
    "connecttimeout", "enablesshkeysign", "forwardagent", "globalknownhostsfile", "gssapiauthentication",
    "gssapidelegatecredentials", "gssapikeyexchange", "hostbasedauthentication", "hostkeyalgorithms",
    "hostkeyalias", "identitiesonly", "kbdinteractiveauthentication", "kexalgorithms", "macs",
    "passwordauthentication", "pkcs11provider", "preferredauthentications", "proxyjump", "pubkeyauthentication",
    "rekeylimit", "tcpkeepalive", "userknownhostsfile",
)
# fmt: on
#: How asyncssh says what means nothing.
_UNKNOWN = re.compile(r"Invalid (token expansion: (?P<token>.*)|environment expansion: (?P<variable>.*))")
_EXPANDED = ("hostname", "forwardagent")
#: What is sent for people at terminals: programs here read what comes back.
_LANGUAGE = ("LANG", "LANGUAGE", "LC_*", "LC_ALL")


@dataclass(frozen=True, slots=True)
class Configured:
    """What is said of a machine, for as long as `looked_up` holds it.

    Attributes
    ----------
    said
        What asyncssh must be told to read it.
    options
        What it makes of it; without keys.
    identities
        The keys.
    folder
        For what is needed as long as that.
    proxy
        The command that a connection goes through, for a shell; "" for none.
    """

    said: dict[str, Any]
    options: asyncssh.SSHClientConnectionOptions
    identities: Identities
    folder: Path
    proxy: str = ""


@contextmanager
def looked_up(name: str, host: str, user: str, port: int | None, config: str) -> Iterator[Configured]:
    """Look a machine up that the user calls `name`; what was given of user and port goes first.

    Raises
    ------
    UsageError
        The configuration is wrong; file and line are named.
    """
    with TemporaryDirectory(prefix="skyward-ssh-") as folder:
        sources: list[str] = []
        try:
            found = _found(host, user, port, config, Path(folder), sources)
        except (ValueError, OSError, asyncssh.Error) as error:
            why = _placed(error, sources)
            raise UsageError(f"{name!r} cannot be looked up in {config or USUAL}: {why}") from error
        yield found


def _found(host: str, user: str, port: int | None, config: str, folder: Path, sources: list[str]) -> Configured:
    asked = openssh.ask(host, user, port, config)
    if asked is None:
        return _read(host, user, port, config, folder, sources)
    sources += asked.files
    file = folder / "config"
    file.write_text("\n".join(map(_text, _lines(asked.said))), errors="replace")
    said, options = _options(host, user, port, [str(file)])
    return _chosen(host, said, options, asked.said, folder)


def _read(host: str, user: str, port: int | None, config: str, folder: Path, sources: list[str]) -> Configured:
    """The same where no OpenSSH is."""
    copies = Copies(folder, for_asyncssh)
    try:
        said, options = _options(host, user, port, [str(copies.of(path)) for path in _own(config)])
    except asyncssh.ConfigParseError as error:
        raise ValueError(copies.named(str(error))) from error
    finally:
        sources += copies.originals
    return _chosen(host, said, options, _told(options), folder)


def _placed(error: Exception, sources: Sequence[str]) -> str:
    """What is wrong, with the place of what means nothing, which nobody has told."""
    text = str(error)
    unknown = _UNKNOWN.fullmatch(text)
    if unknown is not None:
        token = "${" + unknown["variable"] + "}" if unknown["variable"] else "%" + unknown["token"]
        error = tokens.Meaningless(token, "means nothing there")
    if not isinstance(error, tokens.Meaningless):
        return text
    places = ((source, line) for source in sources for line in lines(Path(source)) if error.token in line.rest)
    source, line = next(places, ("", None))
    return f"{source} line {line.number}: {error}" if line is not None else str(error)


def _options(
    host: str, user: str, port: int | None, files: list[str]
) -> tuple[dict[str, Any], asyncssh.SSHClientConnectionOptions]:
    given: dict[str, Any] = {"username": user} if user else {}
    given |= {"port": port} if port else {}
    said = {"host": host, "config": files, **given}
    return said, asyncssh.SSHClientConnectionOptions(**said, client_keys=None, known_hosts=None)


def _own(config: str) -> list[Path]:
    """The files to read where nobody reads them for us."""
    if config:
        return [Path(config)]
    own = Path.home() / ".ssh" / "config"
    return [own] if os.access(own, os.R_OK) else []


def _told(options: asyncssh.SSHClientConnectionOptions) -> openssh.Said:
    """What asyncssh has read of what is chosen here; tokens mean something already, and mean it once."""
    said: dict[str, tuple[str, ...]] = {}
    for name in ("IdentityFile", "CertificateFile", "IdentityAgent", "ProxyCommand", "IdentitiesOnly"):
        value = options.config.get(name, ())
        if value == ():
            continue
        values = [str(one) for one in value] if isinstance(value, list) else [str(value or "none")]
        said[name.lower()] = tuple(one.replace("%", "%%") for one in values or ["none"])
    return said


def _chosen(
    host: str, said: dict[str, Any], options: asyncssh.SSHClientConnectionOptions, told: openssh.Said, folder: Path
) -> Configured:
    jump = options.tunnel if isinstance(options.tunnel, str) else ""
    meant = tokens.of(host, options.host, options.port, options.username, jump, options.host_key_alias or "")

    def files(keyword: str) -> tuple[str, ...] | None:
        values = told.get(keyword)
        return None if values is None else tuple(tokens.path(one, meant) for one in values if one.lower() != "none")

    identities = Identities(
        files("identityfile"),
        files("certificatefile"),
        told.get("identitiesonly", ("no",))[0].lower() in ("yes", "true"),
        _agent(told.get("identityagent", ("",))[0], meant),
    )
    proxy = told.get("proxycommand", ("none",))[0]
    command = "" if proxy.lower() == "none" else tokens.expanded(proxy, meant, variables=False)
    return Configured(said, options, identities, folder, command)


def _agent(text: str, meant: Any) -> str | None:
    """The socket of the agent; "" for none, and None for the usual one."""
    if text in ("", "SSH_AUTH_SOCK"):
        return None
    if text.lower() == "none":
        return ""
    if text.startswith("$") and not text.startswith("${"):
        return os.environ.get(text[1:], "")
    return tokens.path(text, meant)


def _lines(asked: openssh.Said) -> Iterator[str]:
    """What OpenSSH said, as asyncssh reads it."""
    for keyword in _TAKEN:
        for value in asked.get(keyword, ()):
            yield f"{keyword} {_value(keyword, value)}"
    if sent := [one for value in asked.get("sendenv", ()) for one in value.split() if one not in _LANGUAGE]:
        yield f"sendenv {_quoted(sent)}"
    if "setenv" in asked:
        yield f"setenv {_quoted(asked['setenv'])}"


def _value(keyword: str, value: str) -> str:
    if keyword in ("userknownhostsfile", "globalknownhostsfile"):
        # The names of files are not quoted.
        return _quoted([value] if Path(value).exists() else value.split())
    if keyword == "rekeylimit":
        size, _, seconds = value.partition(" ")
        return f"{size if size != '0' else 'default'} {seconds if seconds not in ('', '0') else 'none'}"
    if keyword == "pubkeyauthentication":
        return "no" if value in ("no", "false") else "yes"
    return _quoted([value.replace("%", "%%") if keyword in _EXPANDED else value])


def _text(line: str) -> str:
    """A line of bytes that are no UTF-8, as Latin-1."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return os.fsencode(line).decode("latin-1")
    return line


def _quoted(values: Sequence[str]) -> str:
    return " ".join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
