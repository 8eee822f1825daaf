"""The colours of functions."""

from __future__ import annotations

import math
import re
from itertools import combinations
from pathlib import Path

import pytest

from skyward_jupyter.widgets.colours import DARK, LIGHT, colours

#: How eyes see that lack a kind of cone (Machado and others, 2009), and those that lack none.
EYES = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no green": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "no red": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "no blue": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}
BASE = Path(__file__).parents[3] / "js" / "src" / "base.css"


def linear(colour: str) -> list[float]:
    shares = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]


def light_of(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((light_of(one), light_of(other)))
    return (high + 0.05) / (low + 0.05)


def lab(colour: str, eyes: str) -> tuple[float, float, float]:
    """CIE L*a*b* of a colour as such eyes see it."""
    own = linear(colour)
    red, green, blue = (min(1.0, max(0.0, sum(a * b for a, b in zip(row, own, strict=True)))) for row in EYES[eyes])
    x = 0.4124 * red + 0.3576 * green + 0.1805 * blue
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = 0.0193 * red + 0.1192 * green + 0.9505 * blue
    f, g, h = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x / 0.9505, y, z / 1.089))
    return 116 * g - 16, 500 * (f - g), 200 * (g - h)


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_everybody_can_tell_them_apart(palette: tuple[str, ...], eyes: str) -> None:
    assert min(math.dist(lab(one, eyes), lab(other, eyes)) for one, other in combinations(palette, 2)) > 20


def test_they_stand_out_from_what_is_behind_them() -> None:
    assert min(contrast(colour, "#ffffff") for colour in LIGHT) >= 2.9
    assert min(contrast(colour, back) for colour in DARK for back in ("#1b1b1b", "#14171b", "#111111")) >= 2.9


def test_a_name_has_its_colour_wherever_it_is_drawn() -> None:
    names = ["train", "score", "load"]
    assert colours(names) == colours([*names, *names])
    assert colours(names)["train"] == colours(["train"])["train"]
    assert colours([*names, "more"]) | colours(names) == colours([*names, "more"])


def test_names_have_colours_of_their_own_as_far_as_there_are_any() -> None:
    found = colours(f"function{number}" for number in range(20))
    assert set(found.values()) == set(range(len(LIGHT)))
    assert len(set(list(found.values())[: len(LIGHT)])) == len(LIGHT)


def test_the_page_has_the_same() -> None:
    pairs = re.findall(r"--f\d: var\(--in-light, (#\w+)\) var\(--in-dark, (#\w+)\);", BASE.read_text())
    assert [tuple(palette) for palette in zip(*pairs, strict=True)] == [LIGHT, DARK]
