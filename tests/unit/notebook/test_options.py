"""Lines of %sky and %%sky: what they mean, and the sentence when they mean nothing."""

from __future__ import annotations

import pytest

from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook.options import (
    CELL,
    GROUPS,
    LINES,
    CellOptions,
    LogsOptions,
    StartOptions,
    cell_options,
    logs_options,
    move_options,
    start_options,
)
from skyward_jupyter.notebook.ranks import ALL, Selection


def read(line: str) -> CellOptions:
    return cell_options(line, CellOptions())


def test_an_empty_line_gives_the_defaults() -> None:
    assert read("") == CellOptions(on=ALL, group="same")
    assert cell_options("", CellOptions(group="time", quiet=True)).group == "time"


def test_everything_at_once() -> None:
    options = read("--nodes 8 --on 0,2 -i a,b -o x --into v --pool big --timeout 2.5 --bg --group node --quiet")
    assert options == CellOptions(
        8, Selection("ranks", (0, 2)), ("a", "b"), ("x",), "v", "big", 2.5, True, "node", True, False
    )


def test_failing_fast() -> None:
    assert read("--fail-fast").fail_fast
    assert not read("").fail_fast


@pytest.mark.parametrize("line", ["-o x,y", "-o x, y", "-ox,y", "-o=x,y", "-o x -o y", "-o 'x,y'"])
def test_ways_to_write_names(line: str) -> None:
    assert read(line).out == ("x", "y")


@pytest.mark.parametrize("line", ["--nodes=4", "--nodes 4", "--nodes 4  # why"])
def test_ways_to_write_a_value(line: str) -> None:
    assert read(line).nodes == 4


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--node 3", "no option --node; did you mean --nodes"),
        ("--zzz", "no option --zzz; it has --nodes"),
        ("--nodes", "--nodes needs a value: --nodes N"),
        ("--nodes --bg", "--nodes needs a value"),
        ("--nodes 0", "at least 1"),
        ("--nodes two", "at least 1"),
        ("--timeout -1", "above 0"),
        ("--timeout inf", "above 0"),
        ("--group foo", "choose one of same, node, time"),
        ("-o 2x", "'2x' is not a name"),
        ("-o class", "'class' is not a name"),
        ("--bg=3", "--bg takes no value"),
        ("4", "did you mean --nodes 4 or --on 4?"),
        ("-o x y", "as in -o x,y"),
        ("--scatter x y", "as in --scatter x,y"),
        ("--scatter", "--scatter needs a value: --scatter x,y"),
        ("model", "the code goes below this line"),
        ("'abc", "close the quote"),
    ],
)
def test_a_wrong_line_is_one_sentence_that_says_what_to_do(line: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(line)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_evaluated() -> None:
    with pytest.raises(UsageError, match="is not a name"):
        read("-o __import__('os').getpid()")


def test_start() -> None:
    options = start_options("--nodes 8 --name big --concurrency 2")
    assert (options.nodes, options.name, options.concurrency) == (8, "big", 2)
    with pytest.raises(UsageError, match="did you mean --nodes 8"):
        start_options("8")
    assert start_options("--nodes 2-16").nodes == (2, 16)
    assert start_options("--nodes 0-4").nodes == (0, 4)
    for wrong in ("16-2", "0-0"):
        with pytest.raises(UsageError, match="write the smaller number first, as in --nodes 2-16"):
            start_options(f"--nodes {wrong}")
    for wrong in ("-4", "2-", "2-x", "2..16", "-2-4"):
        with pytest.raises(UsageError):
            start_options(f"--nodes {wrong}")
    with pytest.raises(UsageError, match="choose one of local, ssh"):
        start_options("--provider nowhere")


def test_start_on_other_machines() -> None:
    options = start_options(
        "--hosts a,me@b:2222, c --key ~/.ssh/id --jump gate --known-hosts known --no-cluster --ttl 90"
    )
    assert options == StartOptions(
        hosts=("a", "me@b:2222", "c"), key="~/.ssh/id", jump="gate", known_hosts="known", alone=True, ttl=90.0
    )
    for given in ("--hosts a", "--key a", "--jump a", "--known-hosts a", "--no-cluster"):
        with pytest.raises(UsageError, match=f"^{given.split()[0]} is about other machines, .* leave one of them out"):
            start_options(f"--provider local {given}")


def test_start_with_a_profile() -> None:
    options = start_options("--profile big --nodes 2")
    assert (options.profile, options.nodes, options.concurrency) == ("big", 2, None)


def test_names_to_move() -> None:
    assert move_options("x y", "%sky push") == (("x", "y"), CellOptions())
    names, options = move_options("x, y,z x --on 0,2 --pool big", "%sky pull")
    assert names == ("x", "y", "z")
    assert (options.on, options.pool) == (Selection("ranks", (0, 2)), "big")
    with pytest.raises(UsageError, match="%sky pull needs names: %sky pull x y"):
        move_options("--on 0", "%sky pull")
    with pytest.raises(UsageError, match="%sky push 2x: '2x' is not a name"):
        move_options("2x", "%sky push")
    with pytest.raises(UsageError, match="%sky push has no option --nodes"):
        move_options("x --nodes 2", "%sky push")


def test_logs() -> None:
    assert logs_options("") == LogsOptions(ALL, LINES)
    assert logs_options("3 -n 50 --pool big") == LogsOptions(Selection("ranks", (3,), single=True), 50, pool="big")
    assert logs_options("--follow").follow
    with pytest.raises(UsageError, match=r"%sky logs x: 'x' is no node number; .* as in %sky logs 0,2,4-6"):
        logs_options("x")
    with pytest.raises(UsageError, match="takes one word at most"):
        logs_options("1 2")


def test_the_table_is_complete() -> None:
    fields = set(CellOptions.__dataclass_fields__)
    assert {option.field for option in CELL} == fields
    assert all(option.help for option in CELL if not option.hidden)
    assert next(option for option in CELL if option.flag == "--group").choices == GROUPS


@pytest.mark.parametrize("flag", ["--on", "--targets", "-t"])
@pytest.mark.parametrize("written", ["{} -1", "{}=-1", "{} 0,-1", "{} 1::2", "{} -2:", "{} 0, -1", "{} ::-1"])
def test_nodes_are_also_places(flag: str, written: str) -> None:
    line = written.format(flag)
    found = read(line).on
    assert found.counted
    assert found.ranks == ((0,) if "0" in line else ())
    assert move_options(f"x {line}", "%sky pull")[1].on == found


@pytest.mark.parametrize("flag", ["--bg", "--noblock", "-a"])
def test_going_on_at_once(flag: str) -> None:
    assert read(f"{flag} -o x").bg


def test_places_stand_alone_where_nodes_may() -> None:
    assert logs_options("-1 -n 5").nodes.counted == (-1,)
    assert logs_options("-2: --follow").nodes.counted == (slice(-2, None),)


def test_a_near_option_is_called_as_it_is_here() -> None:
    with pytest.raises(UsageError, match="no option --target"):
        read("--target 0")
    with pytest.raises(UsageError, match="--on needs a value"):
        read("--targets")
