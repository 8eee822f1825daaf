"""Errors of machines that were logged in to; each names its machine."""

from __future__ import annotations

from typing import Any

from skyward_jupyter.errors.base import SkywardError


class MachineError(SkywardError):
    """Something concerns a machine that was logged in to.

    Attributes
    ----------
    host
        The machine, as the user named it.
    """

    def __init__(self, host: str, message: str) -> None:
        self.host = host
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), str(self), self.__dict__)


def _again(kind: type[MachineError], message: str, facts: dict[str, Any]) -> MachineError:
    """The error that was pickled; its arguments made the message, and are not needed again."""
    made = kind.__new__(kind)
    MachineError.__init__(made, facts["host"], message)
    made.__dict__.update(facts)
    return made


class ConnectionFailed(MachineError):
    """A machine could not be reached, or speaks no SSH that we know."""


class AuthenticationFailed(ConnectionFailed):
    """A machine was reached, and does not accept our key."""


class HostKeyChanged(ConnectionFailed):
    """A machine shows another host key than the one that is known of it.

    Attributes
    ----------
    known, shown
        SHA256 fingerprints: of the key that is known, and of the one it shows.
    """

    def __init__(self, host: str, known: str, shown: str, advice: str) -> None:
        self.known = known
        self.shown = shown
        super().__init__(host, f"{host} shows the host key {shown}, but it is known by {known}: {advice}")


class ConnectionLost(MachineError):
    """The connection to a machine broke, or was closed, with something under way on it."""


class CommandFailed(MachineError):
    """A command on a machine ended badly.

    Attributes
    ----------
    status
        Exit status; of a command that a signal ended, minus its number.
    last
        The last lines that it wrote.
    """

    def __init__(self, host: str, what: str, status: int, last: tuple[str, ...] = ()) -> None:
        self.status = status
        self.last = last
        end = f"ended with status {status}" if status >= 0 else f"was ended by signal {-status}"
        told = "".join(f"\n    {line}" for line in last)
        super().__init__(host, f"on {host}, {what} {end}{':' if told else ''}{told}")


class TransferFailed(MachineError, OSError):
    """A file could not be written on a machine, or read from it; a file that was there is as it was."""
