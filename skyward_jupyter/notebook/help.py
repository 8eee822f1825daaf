"""What ``%%sky?`` and ``%sky?`` show, made from the tables that the options are read by."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook.options import ATTACH, CELL, COMMANDS, LOGS, MOVE, POOL, POOLS, RESTART, START, Option

#: What asks for help on a line.
FLAGS = ("--help", "-h")
#: What a command takes beside options, and its options.
_TAKES = {
    "start": ("", START),
    "status": ("[POOL]", POOL),
    "stop": ("[POOL]", POOL),
    "ssh": ("[NODE]", POOL),
    "scale": ("NODES", POOL),
    "push": ("NAME ...", MOVE),
    "pull": ("NAME ...", MOVE),
    "logs": ("[NODES or RUN]", LOGS),
    "attach": ("[POOL]", ATTACH),
    "pools": ("", POOLS),
    "interrupt": ("[RUN]", POOL),
    "debug": ("[NODE]", ()),
    "restart": ("[NODES]", RESTART),
    "on": ("", CELL),
    "use": ("POOL", ()),
    "dock": ("[off]", ()),
    "help": ("[COMMAND]", ()),
}
_EXAMPLES = """
    %sky start --nodes 8
    %sky start --nodes 2 --name big
    %sky start --provider ssh --hosts gpu1,me@gpu2:2222
    %sky scale 4
    losses = %sky history[-1]
    %sky import numpy as np
    %sky start --profile big
    %sky start --profile big --hosts gpu3
    %sky push threshold labels
    %sky pull loss
    %sky pull history --on 3
    %sky logs 3 -n 50
    %sky logs r3
    %sky logs --follow
    %sky use big
    %sky stop big
    %sky attach big
    %sky pools --all
    %sky interrupt
    %sky interrupt run
    %sky debug 2
    %sky restart
    %sky restart 0,2-3
    %sky restart 3 --node
    %sky dock
    %sky dock off
    %sky on --on 0,1
    %sky off
    %sky help logs
""".strip("\n")


def of(line: str) -> str:
    """What ``%sky help LINE`` says; raises UsageError where there is no such command."""
    word = line.strip().removeprefix("%sky ").strip()
    if word in ("", "%sky"):
        return line_help().rstrip()
    if word in ("%%sky", "cell"):
        return cell_help().rstrip()
    if word not in COMMANDS:
        close = difflib.get_close_matches(word, COMMANDS, n=1, cutoff=0.5)
        advice = f"did you mean %sky help {close[0]}?" if close else f"the commands are {', '.join(COMMANDS)}"
        raise UsageError(f"%sky help {word}: there is no such command; {advice}")
    return command_help(word)


def command_help(word: str) -> str:
    """How one command is written, what it does, its options and examples."""
    takes, options = _TAKES.get(word, ("", ()))
    usage = " ".join(filter(None, (f"%sky {word}", takes, "[options]" if options else "")))
    parts = [f"{usage}: {COMMANDS[word]}"]
    if options:
        parts.append(f"Options\n{_listed(options)}")
    if examples := [line for line in _EXAMPLES.splitlines() if line.split()[:2] == ["%sky", word]]:
        parts.append("\n".join(["Examples", *examples]))
    return "\n\n".join(parts)


def cell_help() -> str:
    """The text of ``%%sky?``."""
    return f"""Run the cell on the nodes of a pool, in each node's session.

    %%sky [options]
    code

A session is an IPython shell with a lasting namespace: !commands, %magics, await, display, figures and progress bars
work there as here. Global names that the cell reads go to the nodes by themselves; names come back with -o. The last
expression shows for each node, equal ones once. An error fails the cell; Interrupt stops the code on the nodes, a
second Interrupt ends its processes.

Options
{_listed(CELL)}

Examples
    Eight nodes, started when there is no pool, on this machine unless %config Skyward says where:

        %%sky --nodes 8
        import os
        os.getpid()

    A name of the notebook goes in, results come out, as a list in node order:

        rates = [0.1, 0.2, 0.5]

        %%sky -o loss
        import skyward as sky
        loss = train(rates[sky.instance_info().node % 3])

    Some nodes only; one value instead of a list:

        %%sky --on 0,2,4-6
        !nvidia-smi

        %%sky --on head --into summary
        model.describe()

    A part of a list, an array or a frame to each node, under its own name; the parts together are the whole:

        %%sky --scatter images,labels -o found
        found = [recognise(image) for image in images]

    Send a name although the nodes have their own:

        %%sky -i model
        model.score(x, y)

    In the notebook as well, beside the nodes:

        %%sky --local
        import numpy as np

    In the background; await it, or look at one node:

        %%sky --bg --into run
        long()

        run[3].output
        await run
"""


def line_help() -> str:
    """The text of ``%sky?``."""
    commands = "\n".join(f"    {f'%sky {word}':<24}{what}" for word, what in COMMANDS.items())
    return f"""Look at the pool, start and stop it, or run a line of code on every node.

    %sky                    the pool's dashboard
    %sky EXPRESSION         its value on every node: a list in node order
    %sky STATEMENT          run on every node, where the names it binds stay
{commands}

%sky start
{_listed(START)}

%sky push NAME ..., %sky pull NAME ...
{_listed(MOVE)}

%sky logs [NODES or RUN]
{_listed(LOGS)}

%sky attach [NAME]
{_listed(ATTACH)}

%sky pools
{_listed(POOLS)}

Examples
{_EXAMPLES}

An expression that begins with a command's name goes in parentheses: %sky (status). %sky help cell explains cells.
"""


def _listed(options: Iterable[Option]) -> str:
    return "\n".join(
        f"    {f'{option.flag} {option.metavar}':<20}{option.help}" for option in options if not option.hidden
    )
