"""The texts of %sky? and %%sky?."""

from __future__ import annotations

import re

from skyward_jupyter.notebook.help import cell_help, line_help
from skyward_jupyter.notebook.options import CELL, COMMANDS, LOGS, MOVE, START, CellOptions, cell_options


def test_every_option_and_command_is_explained() -> None:
    for option in CELL:
        assert (option.flag in cell_help()) is not option.hidden
    for word in COMMANDS:
        assert f"%sky {word}" in line_help()
    for option in (*START, *MOVE, *LOGS):
        assert option.flag in line_help()


def test_the_examples_are_understood() -> None:
    lines = re.findall(r"^ +%%sky(.*)$", cell_help(), re.MULTILINE)
    assert len(lines) > 5
    for line in lines[1:]:
        cell_options(line, CellOptions())
