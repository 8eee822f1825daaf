"""What an image may say, what names it, and what of it may be shown."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

import skyward as sky
from skyward_jupyter.ssh.image import digest_of, here, is_exact, redacted, version_of


def test_the_usual_image_has_the_kernels_python() -> None:
    assert version_of(sky.Image()) == here()
    assert version_of(sky.Image(python=f"{here()}.4")) == f"{here()}.4"


def test_lists_become_tuples_so_that_an_image_is_a_value() -> None:
    image = sky.Image(pip=["polars>=1"], apt=["ffmpeg"], includes=["data"], excludes=["*.tmp"])
    assert image == sky.Image(pip=("polars>=1",), apt=("ffmpeg",), includes=("data",), excludes=("*.tmp",))
    assert hash(image) == hash(pickle.loads(pickle.dumps(image)))


def test_the_project_is_where_the_image_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = sky.Image(includes=["data"])
    monkeypatch.chdir("/")
    assert image.root == str(tmp_path)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"python": "2.7"}, "python is '2.7'; write 'auto', or a version as in"),
        ({"python": 3.12}, r"python is 3\.12; write 'auto'"),
        ({"python": "3.9"}, r"python is '3\.9' and this kernel runs .*; functions travel only between equal minor"),
        ({"pip": "polars"}, r"pip is 'polars'; give a list, as in pip=\['polars'\]"),
        ({"pip": ["polars >> 1"]}, "pip has 'polars >> 1', which is no requirement"),
        ({"pip": ["--index-url https://x.example"]}, "pip has '--index-url', an option"),
        ({"pip": ["a\nb"]}, "it takes texts of one line"),
        ({"pip": [3]}, "pip has 3; it takes texts"),
        ({"apt": ["ffmpeg; rm -rf /"]}, "apt has 'ffmpeg; rm -rf /', which is no name of a package"),
        ({"apt": ["-o=x"]}, "which is no name of a package"),
        ({"env": ["A=1"]}, "env is a list; give a dictionary"),
        ({"env": {"A B": "1"}}, "env has 'A B', which cannot be the name of a variable"),
        ({"env": {"A": 1}}, r"env\['A'\] is a int; variables are texts"),
        ({"env": {"A": "\0"}}, r"env\['A'\] is a str; variables are texts without zero bytes"),
        ({"includes": ["/etc/passwd"]}, "includes has '/etc/passwd'; paths are below the working directory"),
        ({"includes": ["../data"]}, "paths are below the working directory"),
        ({"includes": ["~/data"]}, "paths are below the working directory"),
    ],
)
def test_what_cannot_mean_anything_is_said(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(sky.UsageError, match=sentence):
        sky.Image(**fields)


@pytest.mark.parametrize(
    "requirement", ["polars", "torch==2.8", "x[extra]>=1,<2; python_version > '3'", "y @ https://z.example/y.whl"]
)
def test_requirements_that_are_fine(requirement: str) -> None:
    assert sky.Image(pip=[requirement]).pip == (requirement,)


@pytest.mark.parametrize(
    ("pip", "exact"),
    [
        ([], True),
        (["torch==2.8", "x[extra] == 1.0"], True),
        (["torch==2.8", "polars"], False),
        (["torch==2.*"], False),
        (["torch>=2"], False),
        (["torch==2.8,<3"], False),
        (["x @ https://z.example/y.whl"], False),
    ],
)
def test_what_is_asked_for_in_one_version(pip: list[str], exact: bool) -> None:
    assert is_exact(sky.Image(pip=pip)) is exact


@pytest.mark.parametrize("package", ["ffmpeg", "libgl1:amd64", "g++-12", "sox=14.4.2+git-1~deb12u1"])
def test_apt_packages_that_are_fine(package: str) -> None:
    assert sky.Image(apt=[package]).apt == (package,)


def test_values_of_the_environment_are_not_shown() -> None:
    image = sky.Image(env={"TOKEN": "hunter2hunter2"})
    assert "hunter2" not in repr(image)
    with pytest.raises(sky.UsageError) as caught:
        sky.Image(pip=["x @ https://me:hunter2@z.example/x.whl >= ?"])
    assert "hunter2" not in str(caught.value)


def test_values_are_taken_out_of_lines() -> None:
    redact = redacted(sky.Image(env={"A": "hunter2", "LONG": "hunter2-and-more", "FLAG": "1", "MANY": "key:\nMIIEow"}))
    assert redact("a line of it: MIIEow") == "a line of it: ***"
    assert redact("x=hunter2 y=hunter2-and-more z=1") == "x=*** y=*** z=1"
    assert (
        redact("at https://me:word@z.example/simple/ and http://tok@z")
        == "at https://***@z.example/simple/ and http://***@z"
    )
    assert redacted(sky.Image())("nothing to hide: 1@2") == "nothing to hide: 1@2"


def test_equal_images_have_equal_names_whatever_their_order() -> None:
    one = sky.Image(pip=["a", "b"], apt=["cc", "dd"])
    assert digest_of(one, "w") == digest_of(sky.Image(pip=["b", "a"], apt=["dd", "cc"]), "w")
    assert digest_of(one, "w") != digest_of(one, "x")
    assert digest_of(one, "w") != digest_of(sky.Image(pip=["a"], apt=["cc", "dd"]), "w")


def test_files_and_variables_of_user_code_make_no_other_image_but_the_index_does() -> None:
    plain = digest_of(sky.Image(), "w")
    assert digest_of(sky.Image(env={"TOKEN": "x"}, includes=["data"], excludes=["y"]), "w") == plain
    assert digest_of(sky.Image(env={"UV_INDEX": "https://x.example"}), "w") != plain


def test_a_name_is_a_directory_name() -> None:
    assert os.path.basename(digest_of(sky.Image(), "w")).isalnum()
