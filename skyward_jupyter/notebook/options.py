"""The options of ``%sky`` and ``%%sky`` lines: one table that parsing, completion and help read.

Nothing on a line is evaluated, and a line that cannot mean anything raises UsageError with one sentence that names
the word at fault and says what to write instead.
"""

from __future__ import annotations

import difflib
import keyword
import math
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal

from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook import ranks
from skyward_jupyter.notebook.ranks import ALL, COUNTED, Selection
from skyward_jupyter.profiles.profile import GROUPS, PROVIDERS

type Kind = Literal[
    "flag",
    "count",
    "size",
    "seconds",
    "name",
    "names",
    "parts",
    "nodes",
    "pool",
    "new",
    "profile",
    "choice",
    "text",
    "hosts",
    "modules",
]


@dataclass(frozen=True, slots=True)
class Option:
    """One option: how it is written, what it takes, what it does."""

    flag: str
    field: str
    kind: Kind
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    hidden: bool = False
    #: What else it may be called.
    also: tuple[str, ...] = ()


#: How a sequence may be split: into consecutive parts, or dealt out in turn.
LAYOUTS = ("blocks", "cyclic")
#: What is only about machines that are not this one.
MACHINES = ("hosts", "key", "jump", "known_hosts", "alone")

ON = Option(
    "--on",
    "on",
    "nodes",
    "all, any, head, or numbers as in 0,2,4-6 or -1 or 1::2",
    "NODES",
    ranks.WORDS,
    also=("--targets", "-t"),
)

CELL = (
    Option("--nodes", "nodes", "count", "run on the first N nodes; starts a pool when there is none", "N"),
    ON,
    Option("-i", "send", "names", "send these names even if the nodes have their own", "a,b"),
    Option("--scatter", "scatter", "parts", "split these over the nodes, a part each; x:cyclic deals in turn", "x,y"),
    Option("-o", "out", "names", "bring these names back, as a list in node order", "x,y"),
    Option("--concat", "concat", "flag", "join what -o and --into bring: one list, array or frame of all nodes"),
    Option("--into", "into", "name", "bind the last expression's values to NAME", "NAME"),
    Option("--pool", "pool", "pool", "the pool to run on, when there are several", "NAME"),
    Option("--timeout", "timeout", "seconds", "stop the cell after S seconds", "S"),
    Option("--fail-fast", "fail_fast", "flag", "when one node fails, interrupt the others"),
    Option("--keep-going", "keep_going", "flag", "when it fails, show the error and let Run All go on"),
    Option("--bg", "bg", "flag", "go on at once; the cell's value is the run", also=("--noblock", "-a")),
    Option("--group", "group", "choice", "merge equal lines, keep nodes apart, or lines as they come", "HOW", GROUPS),
    Option("--quiet", "quiet", "flag", "show neither output nor values; errors still show"),
    Option("--local", "local", "flag", "run it in the notebook as well, labelled [here]"),
    Option("--awaited", "awaited", "flag", "", hidden=True),
    Option("--plain", "plain", "flag", "", hidden=True),
)

START = (
    Option("--nodes", "nodes", "size", "how many nodes: N, or MIN-MAX to follow the work", "N"),
    Option("--profile", "profile", "profile", "what a profile of skyward.toml says, unless said here", "NAME"),
    Option("--name", "name", "new", "what to call the pool", "NAME"),
    Option("--concurrency", "concurrency", "count", "how many calls a node runs at once", "K"),
    Option("--ttl", "ttl", "seconds", "how long nodes wait for a kernel that is gone", "S"),
    Option("--preload", "preload", "modules", "import these once for all nodes; none for nothing", "a,b"),
    Option("--provider", "provider", "choice", "on this machine (local), or on --hosts (ssh)", "WHERE", PROVIDERS),
    Option("--hosts", "hosts", "hosts", "machines to log in to, one node each", "a,b"),
    Option("--key", "key", "text", "file of the private key for them", "FILE"),
    Option("--jump", "jump", "text", "hosts to go through on the way to them", "HOST"),
    Option("--known-hosts", "known_hosts", "text", "file in which those that are new are remembered", "FILE"),
    Option("--no-cluster", "alone", "flag", "they do not reach each other: each stands alone"),
)

POOLS = (Option("--all", "everyone", "flag", "those of other notebooks and programs too"),)

ATTACH = (Option("--force", "force", "flag", "although the pool's kernel is alive"),)

POOL = (Option("--pool", "pool", "pool", "which pool, when there are several", "NAME"),)

#: Of ``%sky push`` and ``%sky pull``.
MOVE = (ON, *POOL)

RESTART = (
    Option("--node", "node", "flag", "the nodes themselves, all their processes, one node after the other"),
    *POOL,
)

#: How many lines of each node ``%sky logs`` shows.
LINES = 10
LOGS = (
    Option("-n", "lines", "count", f"how many lines of each node, {LINES} when not said", "LINES"),
    Option("--follow", "follow", "flag", "and those that come, until Interrupt or the pool's end"),
    *POOL,
)

#: The words after ``%sky`` that are commands, with what each does.
COMMANDS = {
    "start": "start a pool, on this machine or on others",
    "status": "the pool's nodes as text",
    "stop": "stop the pool",
    "use": "make another pool the active one, which cells and commands mean",
    "ssh": "how to log in to the machine of a node",
    "scale": "change how many nodes the pool has",
    "push": "send names to the nodes, as -i does",
    "pull": "bring names here, as -o does",
    "logs": "what the nodes said and wrote last, or all that one run wrote",
    "attach": "go on with a pool whose kernel has ended",
    "pools": "the pools of this notebook: those that run, and those that can be attached to",
    "dock": "the dashboard in JupyterLab's side area, where it does not scroll away; dock off closes it",
    "on": "plain cells run on the nodes from now on, with options as of %%sky",
    "off": "plain cells run here again",
    "interrupt": "interrupt what runs on the pool, or one run of it",
    "debug": "look at the frames of a node that failed; %debug looks at the first",
    "restart": "fresh sessions on all nodes, or on those that are named",
    "help": "this, or more about one command",
}


@dataclass(frozen=True, slots=True)
class CellOptions:
    """What a ``%%sky`` line says."""

    nodes: int | None = None
    on: Selection = ALL
    send: tuple[str, ...] = ()
    out: tuple[str, ...] = ()
    into: str | None = None
    pool: str | None = None
    timeout: float | None = None
    bg: bool = False
    group: str = "same"
    quiet: bool = False
    awaited: bool = False
    scatter: tuple[str, ...] = ()
    concat: bool = False
    fail_fast: bool = False
    keep_going: bool = False
    local: bool = False
    plain: bool = False


@dataclass(frozen=True, slots=True)
class StartOptions:
    """What a ``%sky start`` line says."""

    nodes: int | tuple[int, int] | None = None
    profile: str | None = None
    name: str | None = None
    concurrency: int | None = None
    ttl: float | None = None
    preload: bool | tuple[str, ...] | None = None
    provider: str | None = None
    hosts: tuple[str, ...] | None = None
    key: str | None = None
    jump: str | None = None
    known_hosts: str | None = None
    alone: bool = False


@dataclass(frozen=True, slots=True)
class LogsOptions:
    """What a ``%sky logs`` line says."""

    nodes: Selection = ALL
    lines: int = LINES
    follow: bool = False
    pool: str | None = None


def cell_options(line: str, defaults: CellOptions, command: str = "%%sky") -> CellOptions:
    """Read the line after ``%%sky``, or after a `command` that takes the same."""
    given, words = parse(line, CELL, command)
    if words:
        raise UsageError(_stray(words[0], command, given))
    if given.get("local") and given.get("bg"):
        raise UsageError(f"{command}: --local runs the cell here too, which --bg cannot go on without; leave one out")
    if given.get("concat") and not (given.get("out") or given.get("into")):
        raise UsageError(f"{command}: --concat joins what -o or --into bring; add -o x")
    return CellOptions(**{**{f.name: getattr(defaults, f.name) for f in fields(CellOptions)}, **given})


def start_options(line: str) -> StartOptions:
    """Read the line after ``%sky start``."""
    given, words = parse(line, START, "%sky start")
    if words:
        hint = f"; did you mean --nodes {words[0]}?" if words[0].isdecimal() else ""
        raise UsageError(f"%sky start takes no word {words[0]!r}{hint or '; its options are ' + _listed(START)}")
    options = StartOptions(**given)
    if options.provider == "local":
        _refuse_machines(given)
    return options


def _refuse_machines(given: dict[str, Any]) -> None:
    for option in START:
        if option.field in MACHINES and option.field in given:
            raise UsageError(
                f"{option.flag} is about other machines, and --provider local is this one; leave one of them out"
            )


def move_options(line: str, command: str) -> tuple[tuple[str, ...], CellOptions]:
    """Read the line after ``%sky push`` or ``%sky pull``: names, and which nodes of which pool."""
    given, words = parse(line, MOVE, command)
    named = Option(command, "", "names", "")
    names = tuple(dict.fromkeys(name for word in words for name in _names(named, word)))
    if not names:
        raise UsageError(f"{command} needs names: {command} x y")
    return names, CellOptions(**given)


def logs_options(line: str) -> LogsOptions:
    """Read the line after ``%sky logs``."""
    given, words = parse(line, LOGS, "%sky logs")
    if len(words) > 1:
        raise UsageError(f"%sky logs takes one word at most, node numbers as in 0,2,4-6, and not {' '.join(words)!r}")
    return LogsOptions(nodes=ranks.parse(words[0], "%sky logs") if words else ALL, **given)


def parse(line: str, options: Iterable[Option], command: str) -> tuple[dict[str, Any], list[str]]:
    """The options given on a line by field name, and the words that are none."""
    known = flags(options)
    given: dict[str, Any] = {}
    words: list[str] = []
    tokens = _tokens(line, command)
    while tokens:
        token = tokens.pop(0)
        if not token.startswith("-") or token == "-" or COUNTED.fullmatch(token):
            words.append(token)
            continue
        option, attached = _find(token, known, command)
        value: Any = True if option.kind == "flag" else _convert(option, _argument(option, attached, tokens))
        if option.kind == "flag" and attached is not None:
            raise UsageError(f"{option.flag} takes no value; write {option.flag} alone")
        if option.kind in ("names", "parts", "hosts"):
            value = given.get(option.field, ()) + value
        given[option.field] = value
    return given, words


def flags(options: Iterable[Option]) -> dict[str, Option]:
    """The options by everything that they may be called."""
    return {flag: option for option in options for flag in (option.flag, *option.also)}


def _tokens(line: str, command: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise UsageError(f"{command} {line}: {str(error).lower()}; close the quote") from None


def _find(token: str, known: dict[str, Option], command: str) -> tuple[Option, str | None]:
    flag, equals, attached = token.partition("=")
    if flag in known:
        return known[flag], attached if equals else None
    short = flag[:2]
    if short in known and not flag.startswith("--"):
        return known[short], token[2:]
    shown = [option.flag for name, option in known.items() if name == option.flag and not option.hidden]
    close = difflib.get_close_matches(flag, shown, n=2, cutoff=0.5)
    advice = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(shown)}"
    raise UsageError(f"{command} has no option {flag}; {advice}")


def _argument(option: Option, attached: str | None, tokens: list[str]) -> str:
    text = attached if attached is not None else (tokens.pop(0) if tokens else "")
    while option.kind in ("names", "nodes", "hosts", "modules") and text.endswith(",") and tokens:
        text += tokens.pop(0)
    if not text or (attached is None and text.startswith("-") and not COUNTED.fullmatch(text)):
        raise UsageError(f"{option.flag} needs a value: {option.flag} {option.metavar}")
    return text


def _convert(option: Option, text: str) -> Any:
    return _CONVERT[option.kind](option, text)


def _count(option: Option, text: str) -> int:
    if not text.lstrip("+-").isdecimal() or int(text) < 1:
        raise UsageError(f"{option.flag} {text}: {option.metavar} is a whole number of at least 1")
    return int(text)


def _size(option: Option, text: str) -> int | tuple[int, int]:
    least, dash, most = text.partition("-")
    if not (dash and least.isdecimal() and most.isdecimal()):
        return _count(option, text)
    if not int(least) <= int(most) or int(most) < 1:
        raise UsageError(f"{option.flag} {text}: write the smaller number first, as in {option.flag} 2-16")
    return int(least), int(most)


def _seconds(option: Option, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"{option.flag} {text}: {option.metavar} is a number of seconds above 0")
    return seconds


def _name(option: Option, text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise UsageError(f"{option.flag} {text}: {text!r} is not a name")
    return text


def _names(option: Option, text: str) -> tuple[str, ...]:
    return tuple(_name(option, part.strip()) for part in text.split(",") if part.strip())


def _modules(option: Option, text: str) -> bool | tuple[str, ...]:
    from skyward_jupyter.agent.preload import checked_preload

    if text in ("none", "auto"):
        return text == "auto"
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        return checked_preload(names)
    except UsageError:
        raise UsageError(
            f"{option.flag} {text}: write modules with commas between, as in {option.flag} numpy,sklearn, or none"
        ) from None


def _parts(option: Option, text: str) -> tuple[str, ...]:
    """Names, each of which may say how it is split: ``x:cyclic``, or ``x:blocks``, which is the same as ``x``."""
    found = []
    for part in filter(None, map(str.strip, text.split(","))):
        name, colon, how = part.partition(":")
        if colon and how not in LAYOUTS:
            raise UsageError(f"{option.flag} {text}: {part} is split neither by blocks nor cyclic; write {name}:cyclic")
        found.append(f"{_name(option, name)}:cyclic" if how == "cyclic" else _name(option, name))
    return tuple(found)


def _choice(option: Option, text: str) -> str:
    if text not in option.choices:
        raise UsageError(f"{option.flag} {text}: choose one of {', '.join(option.choices)}")
    return text


_CONVERT: dict[str, Callable[[Option, str], Any]] = {
    "count": _count,
    "size": _size,
    "seconds": _seconds,
    "name": _name,
    "names": _names,
    "parts": _parts,
    "choice": _choice,
    "nodes": lambda option, text: ranks.parse(text),
    "pool": lambda option, text: text,
    "profile": lambda option, text: text,
    "new": lambda option, text: text,
    "text": lambda option, text: text,
    "modules": _modules,
    "hosts": lambda option, text: tuple(part.strip() for part in text.split(",") if part.strip()),
}


def _stray(word: str, command: str, given: dict[str, Any]) -> str:
    if word.isdecimal():
        return f"{command} takes no word {word!r}; did you mean --nodes {word} or --on {word}?"
    lists = [option for option in CELL if option.kind in ("names", "parts") and option.field in given]
    if word.isidentifier() and lists:
        example = f"{lists[-1].flag} {given[lists[-1].field][-1]},{word}"
        return f"{command} takes no word {word!r}; separate names by commas, as in {example}"
    return f"{command} takes no word {word!r}; the code goes below this line, options are {_listed(CELL)}"


def _listed(options: Iterable[Option]) -> str:
    return ", ".join(option.flag for option in options if not option.hidden)
