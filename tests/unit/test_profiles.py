"""skyward.toml: where it is found, and the sentence about what is wrong in it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from traitlets.config import Config

from skyward_jupyter import profiles
from skyward_jupyter.config import Skyward
from skyward_jupyter.errors import UsageError
from skyward_jupyter.profiles import Profile, load, names


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the notebook runs in, below another; a configuration folder beside it."""
    inner = tmp_path / "project" / "notebooks"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return inner


def write(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "skyward.toml").write_text(text)


def test_everything_that_a_profile_may_say(folder: Path) -> None:
    write(
        folder,
        '[profiles.big]\nprovider = "local"\nnodes = [2, 16]\nname = "lab"\nconcurrency = 2\nexecutor = "thread"\n'
        'ttl = 60\ntimeout = 1.5\nretries = 0\nmax_retries = 3\nenv = { DEBUG = "1" }\ngroup = "node"\nquiet = true\n'
        "size_limit = 1000\n",
    )
    env = {"DEBUG": "1"}
    assert load("big") == Profile("local", (2, 16), "lab", 2, "thread", 60.0, 1.5, 0, 3, env, "node", True, 1000)
    assert {field.name for field in fields(Profile)} == set(profiles._KEYS)


def test_the_nearest_file_that_has_it_counts(folder: Path) -> None:
    write(folder, "[profiles.near]\nnodes = 1\n")
    write(folder.parent, "[profiles.near]\nnodes = 2\n[profiles.far]\nnodes = 3\n")
    write(folder.parents[1] / "config" / "skyward", "[profiles.mine]\nnodes = 4\n")
    assert [load(name).nodes for name in ("near", "far", "mine")] == [1, 3, 4]
    assert names() == ["near", "far", "mine"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[profiles.big]\n\nnodse = 4\n",
            "skyward.toml, line 3: profile big has an unknown key nodse; did you mean nodes",
        ),
        ("[profiles.big]\nzzz = 4\n", "it may have provider, nodes"),
        ('[profiles.big]\nnodes = "8"\n', "line 2: nodes of profile big is '8'; it is a whole number of at least 1"),
        ("[profiles.big]\nnodes = true\n", "nodes of profile big is True"),
        ("[profiles.big]\nnodes = [4, 2]\n", "a range as in [2, 16]"),
        ("[profiles.big]\nttl = 0\n", "a number of seconds above 0"),
        ("[profiles.big]\n[profiles.big.env]\nA = 1\n", "line 2: env of profile big"),
        ('[profiles.big]\ngroup = "any"\n', "'same', 'node' or 'time'"),
        ('[profiles.other]\nnodes = 1\n[profiles.big]\nprovider = "aws"\n', "line 4: there is no provider 'aws'"),
        ("[profiles]\nbig = 3\n", "line 2: profile big is no table"),
        ("[big]\nnodes = 4\n", "line 1: big is unknown, a file has [profiles.NAME] only; write [profiles.big]"),
        ("profiles = 4\n", "profiles is no table"),
        ("[profiles.big\n", "is not TOML"),
        ("[profiles.bigger]\nnodes = 4\n", "there is no profile 'big'; did you mean bigger?"),
        ("[profiles.x]\n[profiles.y]\n", "there is no profile 'big'; there are x, y"),
        ("", "no skyward.toml in this folder"),
    ],
)
def test_what_is_wrong_is_said_with_file_key_and_line(folder: Path, text: str, said: str) -> None:
    write(folder, text)
    with pytest.raises(UsageError) as caught:
        load("big")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value).replace(str(folder), "").partition("(at")[0]


def test_a_setting_counts_before_the_profile_and_that_before_the_default(folder: Path) -> None:
    write(folder, '[profiles.big]\ngroup = "node"\nnodes = [2, 4]\n')
    settings = Skyward(config=_config(profile="big"))
    assert [settings.value(name) for name in ("group", "nodes", "quiet")] == ["node", (2, 4), False]
    settings.update_config(_config(group="same"))
    assert settings.value("group") == "same"
    settings.update_config(_config(profile=""))
    assert [settings.value(name) for name in ("group", "nodes")] == ["same", 0]


def test_a_profile_that_is_not_there_is_refused_and_the_setting_stays(folder: Path) -> None:
    settings = Skyward(config=_config(profile="gone"))  # the extension loads all the same
    with pytest.raises(UsageError, match="no profile 'gone'"):
        settings.value("group")
    settings = Skyward()
    with pytest.raises(Exception, match="no profile 'gone'"):
        settings.update_config(_config(profile="gone"))
    assert (settings.profile, settings.value("group")) == ("", "same")


def test_only_local(folder: Path) -> None:
    with pytest.raises(Exception, match="there is no provider 'aws': this version starts nodes on this machine only"):
        Skyward().update_config(_config(provider="aws"))


def _config(**said: object) -> Config:
    return Config({"Skyward": said})
