"""An image on this machine: its environment and directory apply, its packages must be there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import skyward as sky


@sky.compute
def seen() -> tuple[str, str | None, str | None, str]:
    return os.getcwd(), os.environ.get("OF_IMAGE"), os.environ.get("OF_BOTH"), Path("data/a.txt").read_text()


def test_nodes_of_this_machine_are_as_the_image_says(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("found")
    image = sky.Image(
        pip=["numpy"], env={"OF_IMAGE": "1", "OF_BOTH": "image"}, includes=["data/*.txt"], root=str(tmp_path)
    )
    with sky.ComputePool(nodes=2, image=image, env={"OF_BOTH": "pool"}) as pool:
        assert seen() @ pool == [(str(tmp_path), "1", "pool", "found")] * 2
        pool.scale(3)
        assert seen() @ pool == [(str(tmp_path), "1", "pool", "found")] * 3


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (sky.Image(pip=["no-such-package"]), "lacks what the image asks for: no-such-package"),
        (sky.Image(includes=["no-such-file"]), "includes has 'no-such-file'"),
        ({"pip": ["numpy"]}, "write image=sky.Image"),
    ],
    ids=["package", "file", "no image"],
)
def test_what_is_missing_is_named_at_once(image: sky.Image, words: str) -> None:
    with pytest.raises(sky.UsageError, match=words):
        sky.ComputePool(nodes=2, image=image)
