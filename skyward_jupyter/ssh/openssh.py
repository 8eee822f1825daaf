"""What OpenSSH's own ``ssh`` makes of its configuration: nobody reads it more like it.

It is asked with ``ssh -G``, which connects to nothing, but runs what ``Match exec`` names. What it answers counts for a
few seconds, as long as none of the files that it has read changes: a pool that starts looks at each machine several
times.
"""

from __future__ import annotations

import functools
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from skyward_jupyter.errors import UsageError
from skyward_jupyter.ssh.copies import Copies
from skyward_jupyter.ssh.image import working_directory

#: How long it may take (seconds): conditions may run programs, and names may be looked up.
WITHIN = 20.0
#: How long an answer counts (seconds).
_FRESH = 5.0
_SYSTEM = "/etc/ssh/ssh_config"
_PLACED = re.compile(r"\bline \d+\b")
_READ = re.compile(r"debug1: Reading configuration data (.*?)\r?$", re.MULTILINE)
#: What it says beside what is wrong.
_BESIDE = re.compile(r"debug\d: |OpenSSH_|Pseudo-terminal |.*: terminating, |.*WARNING: ")

#: What is said of a machine, by keyword in lower case: of most one value, of some several.
type Said = Mapping[str, tuple[str, ...]]


@dataclass(slots=True)
class Answer:
    """What is said of a machine, and in which files.

    Attributes
    ----------
    said
        By keyword.
    files
        Those that were read, in order, as they were then.
    """

    said: Said
    until: float
    files: dict[str, tuple[int, int] | None] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether it still holds."""
        return time.monotonic() < self.until and all(_state(file) == state for file, state in self.files.items())


_answers: dict[tuple[str, ...], Answer] = {}


def ask(host: str, user: str, port: int | None, config: str) -> Answer | None:
    """Return what the configuration says of a machine, without what holds for all; None without an OpenSSH here.

    Raises
    ------
    UsageError
        It is wrong; file and line are named where OpenSSH names them.
    """
    program = shutil.which("ssh")
    usual = _usual(program, os.environ.get("PATH", "")) if program else None
    if program is None or usual is None:
        return None
    asked = (*(["-l", user] if user else []), *(["-p", str(port)] if port else []), host)
    answer = _ask(program, asked, config)
    named = ("host", "hostname", "user", "port")
    said = {name: values for name, values in answer.said.items() if name in named or usual.get(name) != values}
    return replace(answer, said=said)


def _ask(program: str, asked: tuple[str, ...], config: str) -> Answer:
    if _is_at_home():
        key = (program, config, working_directory(), str(Path.home()), *asked)
        if (known := _answers.get(key)) is not None and known.counts:
            return known
        answer = _run([program, *(["-F", config] if config else []), *asked], Copies(Path()))
        _forget()
        _answers[key] = answer
        return answer
    # OpenSSH knows homes only from the system's list of users; where HOME says another, it gets what is meant.
    with TemporaryDirectory(prefix="skyward-ssh-") as folder:
        copies = Copies(Path(folder))
        own = Path(config) if config else Path.home() / ".ssh" / "config"
        parts = [str(copies.of(own))] if config or os.access(own, os.R_OK) else []
        top = Path(folder, "top")
        top.write_text("".join(f"Include {part}\n" for part in (*parts, *([] if config else [_SYSTEM]))))
        answer = _run([program, "-F", str(top), *asked], copies)
        answer.files.pop(str(top), None)  # nobody's
        return answer


def _run(command: Sequence[str], copies: Copies) -> Answer:
    done = _completed([command[0], "-v", "-G", *command[1:]])
    stderr = os.fsdecode(done.stderr)
    if done.returncode:
        wrong = [copies.named(line) for line in stderr.splitlines() if line.strip() and not _BESIDE.match(line)]
        wrong.sort(key=lambda line: _PLACED.search(line) is None)
        raise UsageError("; ".join(wrong[:3]) or f"ssh -G ended with status {done.returncode}")
    files = {file: _state(file) for file in map(copies.named, _READ.findall(stderr))}
    return Answer(_sorted(os.fsdecode(done.stdout)), time.monotonic() + _FRESH, files)


def _completed(command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    """Run it with all that it starts, for so long at most."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=WITHIN)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise UsageError(
                    f"ssh -G took more than {WITHIN:g} s: look at what the configuration runs with Match exec"
                ) from error
            raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


@functools.lru_cache(maxsize=4)
def _usual(program: str, path: str) -> Said | None:
    """What it says where nothing is configured; None for what is no OpenSSH, or one that is too old."""
    try:
        done = _completed([program, "-G", "-F", "none", "machine"])
    except (OSError, UsageError):
        return None
    said = _sorted(os.fsdecode(done.stdout))
    return said if done.returncode == 0 and "hostname" in said else None


def _sorted(text: str) -> Said:
    said: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        said[name.lower()] = (*said.get(name.lower(), ()), value)
    return said


def _is_at_home() -> bool:
    try:
        return os.path.realpath(pwd.getpwuid(os.getuid()).pw_dir) == os.path.realpath(Path.home())
    except (KeyError, RuntimeError):
        return True


def _state(file: str) -> tuple[int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _forget() -> None:
    for key in [key for key, answer in _answers.items() if time.monotonic() >= answer.until]:
        _answers.pop(key, None)
