"""Tab on ``%sky`` and ``%%sky`` lines: commands, options, their choices, pools, node numbers, names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from skyward_jupyter.agent.questions import Completing, Offered
from skyward_jupyter.api import others
from skyward_jupyter.notebook import pools
from skyward_jupyter.notebook.consulting import consult, place_in
from skyward_jupyter.notebook.leftout import kept_runs
from skyward_jupyter.notebook.loading import Jedi
from skyward_jupyter.notebook.names import names_of
from skyward_jupyter.notebook.options import (
    ATTACH,
    CELL,
    COMMANDS,
    LOGS,
    MOVE,
    POOL,
    POOLS,
    RESTART,
    START,
    Option,
    flags,
)
from skyward_jupyter.notebook.state import Notebook
from skyward_jupyter.profiles import files as profiles
from skyward_jupyter.ssh import aliases

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_LINE = re.compile(r"^\s*(?P<magic>%%?sky)\s(?P<rest>.*)$", re.DOTALL)


def matcher(notebook: Notebook, jedi: Jedi) -> Callable[[CompletionContext], Any]:
    """A matcher for IPython's completer, which answers for our lines and leaves others alone once `jedi` is there."""

    def sky(context: CompletionContext) -> Any:
        is_there = jedi.is_there()
        offered = _of_nodes(notebook, context, jedi)
        found = _LINE.match(context.text_until_cursor)
        if found is None or (found["magic"] == "%%sky" and context.cursor_line != _first(context.full_text)):
            return offered or ({"completions": [], "suppress": False} if is_there else jedi.instead(context))
        theirs = _bound_by(context.full_text) | notebook.theirs()
        words = completions(found["magic"], found["rest"], notebook.names(), theirs)
        token = context.token
        fitting = [SimpleCompletion(word, type=kind) for word, kind in words if word.startswith(token)]
        if offered is not None and not fitting:
            return offered
        return {"completions": fitting, "suppress": bool(fitting), "ordered": True}

    mark: Any = context_matcher(identifier="skyward", priority=100)
    marked: Callable[[CompletionContext], Any] = mark(sky)
    return marked


def _of_nodes(notebook: Notebook, context: CompletionContext, jedi: Jedi) -> Any:
    """What a node offers for code of its own; None where it is not asked, or does not answer in time.

    Attributes and keys are those of the node's object. Names are offered beside those of the notebook, which go there
    when the cell reads them, and those that the code has.
    """
    above = context.full_text.split("\n")[: context.cursor_line]
    place = place_in(notebook, context.full_text, sum(len(line) + 1 for line in above) + context.cursor_position)
    if place is None:
        return None
    answer = consult(place, Completing(place.code, place.cursor), lambda: not any(jedi.instead(context)["completions"]))
    if not isinstance(answer, Offered) or not answer.texts:
        return None
    fragment, before = place.code[answer.start : place.cursor], place.code[: answer.start]
    texts = dict(answer.texts)
    if fragment.startswith(".") and all(text.startswith(".") for text in texts):
        fragment, before, texts = fragment[1:], f"{before}.", {text[1:]: kind for text, kind in texts.items()}
    if fragment.isidentifier() and not before.endswith((".", "[", "'", '"')):
        others = {*notebook.names(), *_IDENTIFIER.findall(f"{before} {place.code[place.cursor :]}")}
        texts |= {name: "name" for name in sorted(others - texts.keys()) if name.startswith(fragment)}
    words = [SimpleCompletion(text, type=kind) for text, kind in texts.items()]
    return {"completions": words, "matched_fragment": fragment, "suppress": True, "ordered": False}


def _first(text: str) -> int:
    return next((index for index, line in enumerate(text.split("\n")) if line.strip()), 0)


def _bound_by(text: str) -> frozenset[str]:
    """The names that the code below a ``%%sky`` line binds."""
    try:
        return names_of(text.lstrip().partition("\n")[2]).binds
    except SyntaxError:
        return frozenset()


def completions(magic: str, rest: str, names: Iterable[str], theirs: Iterable[str] = ()) -> list[tuple[str, str]]:
    """What may stand where `rest`, the text after the magic, ends: words and what each is.

    Parameters
    ----------
    names, theirs
        Names of the notebook, and those that the nodes own or that the cell binds.
    """
    done = re.split(r"\s+", rest)[:-1]
    last = re.split(r"\s+", rest)[-1]
    if magic == "%%sky":
        return _option_words(CELL, done, last, names, theirs)
    command = done[0] if done else ""
    if not done:
        return [(word, "command") for word in COMMANDS if word.startswith(last)]
    if command == "start":
        return _option_words(START, done[1:], last, names)
    if command in ("push", "pull") and not last.startswith("-") and not _awaited(MOVE, done[1:]):
        return [(name, "name") for name in sorted(names if command == "push" else theirs) if name not in done]
    if command in ("push", "pull"):
        return _option_words(MOVE, done[1:], last, names)
    if command == "logs":
        words = _option_words(LOGS, done[1:], last, names)
        if len(done) > 1:
            return words
        return [*words, *((rank, "node") for rank in _node_numbers()), *((run, "run") for run in kept_runs())]
    if command == "pools":
        return _option_words(POOLS, done[1:], last, names)
    if command == "attach":
        return [*_option_words(ATTACH, done[1:], last, names), *((name, "pool") for name in _left_names())]
    if command == "on":
        return _option_words(CELL, done[1:], last, names, theirs)
    if command == "dock":
        return [("off", "choice")] if len(done) == 1 else []
    if command == "help":
        return [(word, "command") for word in COMMANDS]
    if command == "restart" and last.startswith("-"):
        return _option_words(RESTART, done[1:], last, names)
    if command in ("restart", "interrupt") and not last.startswith("-") and len(done) == 1:
        return [(rank, "node") for rank in _node_numbers()] if command == "restart" else _runs()
    if command in ("stop", "status", "use") and not last.startswith("-"):
        return [(name, "pool") for name in _pool_names()]
    if command == "ssh" and not last.startswith("-"):
        return [(number, "node") for number in _node_numbers()]
    if command in ("stop", "status", "use", "scale", "ssh", "restart", "interrupt"):
        return _option_words(POOL, done[1:], last, names)
    return []


def _option_words(
    options: Iterable[Option], done: list[str], last: str, names: Iterable[str], theirs: Iterable[str] = ()
) -> list[tuple[str, str]]:
    known = flags(option for option in options if not option.hidden)
    flag, equals, _ = last.partition("=")
    asked = known.get(flag) if equals else known.get(done[-1]) if done else None
    if asked is not None and asked.kind != "flag":
        return _values(asked, {*names, *theirs} if asked.field == "out" else names)
    used = {known[flag].flag for word in done if (flag := word.partition("=")[0]) in known}
    return [(flag, "option") for flag, option in known.items() if flag == option.flag and flag not in used]


def _awaited(options: Iterable[Option], done: list[str]) -> bool:
    """Whether the last word is an option that waits for its value."""
    return bool(done) and any(done[-1] in (option.flag, *option.also) and option.kind != "flag" for option in options)


def _values(option: Option, names: Iterable[str]) -> list[tuple[str, str]]:
    match option.kind:
        case "nodes":
            return [*((word, "choice") for word in option.choices), *((rank, "node") for rank in _node_numbers())]
        case "pool":
            return [(name, "pool") for name in _pool_names()]
        case "profile":
            return [(name, "profile") for name in profiles.names()]
        case "hosts":
            return [(name, "host") for name in aliases.names()]
        case "choice":
            return [(choice, "choice") for choice in option.choices]
        case "names" | "parts":
            return [(name, "name") for name in sorted(names)]
        case _:
            return []


def _pool_names() -> list[str]:
    return [pool.name for pool in pools.running()]


def _left_names() -> list[str]:
    return [record.name for record in others.read()[0] if record.standing == "left"]


def _runs() -> list[tuple[str, str]]:
    running = pools.find(None).runs if pools.running() else ()
    return [(str(run.id), "run") for run in running if run.state == "running"]


def _node_numbers() -> list[str]:
    found = pools.running()
    return [str(node.rank) for node in pools.find(None).nodes] if found else []
