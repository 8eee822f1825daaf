"""skyward.toml: where it is found, and the sentence about what is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets import TraitError
from traitlets.config import Config

from skyward_jupyter.config import Skyward
from skyward_jupyter.errors import UsageError
from skyward_jupyter.profiles.files import load, names
from skyward_jupyter.profiles.profile import Profile
from skyward_jupyter.ssh.image import Image, here


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
    assert load("big") == Profile(
        provider="local",
        nodes=(2, 16),
        name="lab",
        concurrency=2,
        executor="thread",
        ttl=60.0,
        timeout=1.5,
        retries=0,
        max_retries=3,
        env={"DEBUG": "1"},
        group="node",
        quiet=True,
        size_limit=1000,
    )


def test_everything_that_it_may_say_of_machines(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / "id").write_text("")
    (folder / "known").write_text("")
    write(
        folder,
        '[profiles.big]\nprovider = "ssh"\nhosts = ["gpu1", "me@gpu2:2222"]\nkey = "~/id"\njump = "a,me@b:22"\n'
        'known_hosts = "~/known"\ncluster = false\nnodes = 1\n[profiles.big.image]\n'
        f'python = "{here()}"\npip = ["polars>=1,<2"]\napt = ["ffmpeg"]\nincludes = ["src"]\nexcludes = ["*.tmp"]\n'
        '[profiles.big.image.env]\nTOKEN = "secret"\n',
    )
    assert load("big") == Profile(
        provider="ssh",
        hosts=("gpu1", "me@gpu2:2222"),
        key=str(folder / "id"),
        jump="a,me@b:22",
        known_hosts=str(folder / "known"),
        cluster=False,
        nodes=1,
        image=Image(here(), ["polars>=1,<2"], ["ffmpeg"], {"TOKEN": "secret"}, ["src"], ["*.tmp"]),
    )
    assert "secret" not in repr(load("big"))


def test_hosts_alone_are_logged_in_to(folder: Path) -> None:
    write(folder, '[profiles.big]\nhosts = "gpu1, me@gpu2"\n')
    assert (load("big").provider, load("big").hosts) == ("ssh", ("gpu1", "me@gpu2"))


MACHINES = [
    ('provider = "ssh"\n', "line 2: provider of profile big is 'ssh', and nothing says which machines; write hosts ="),
    (
        'provider = "local"\nhosts = "a"\n',
        "line 3: hosts of profile big is about other machines, and provider = 'local'",
    ),
    ('jump = "a"\nprovider = "local"\n', "line 2: jump of profile big is about other machines"),
    ("hosts = 3\n", "line 2: hosts of profile big is 3; it is a list of texts, as in ['gpu1', 'me@gpu2:2222']"),
    ('hosts = ["a", 3]\n', "line 2: hosts of profile big is ['a', 3]; it is a list of texts"),
    ("hosts = []\n", "line 2: hosts of profile big: no machine was named"),
    ('hosts = ["a", "a"]\n', "is named twice: one node for each machine"),
    ('hosts = ["a:x"]\n', "hosts of profile big: 'a:x' has no port that could be one"),
    ('hosts = "a,b"\nnodes = 3\n', "line 3: nodes of profile big is 3, and it has 2 hosts, which run a node each"),
    ('hosts = "a"\nnodes = [1, 4]\n', "nodes of profile big is 4, and it has 1 host, which"),
    ('hosts = "a"\nkey = "~/none/such"\n', "line 3: key of profile big: there is no file"),
    ('hosts = "a"\nknown_hosts = true\n', "known_hosts of profile big is True; it is a file, as in"),
    ('hosts = "a"\njump = "b:x"\n', "line 3: jump of profile big: 'b:x' has no port"),
    ('hosts = "a"\ncluster = "no"\n', "cluster of profile big is 'no'; it is true or false"),
    ('image = "torch"\n', "line 2: image of profile big is 'torch'; it is a table, as in image = { pip = ['polars'] }"),
    (
        '[profiles.big.image]\npipp = ["x"]\n',
        "line 3: the image of profile big has an unknown key pipp; did you mean pip?",
    ),
    ('[profiles.big.image]\nroot = "/"\n', "it may have python, pip, apt, env, includes, excludes"),
    ('[profiles.big.image]\npip = "x"\n', "line 3: pip of the image of profile big: pip is 'x'; give a list"),
    ('image.apt = ["X Y"]\n', "line 2: apt of the image of profile big: apt has 'X Y'"),
    ('[profiles.big.image]\npython = "2.7"\n', "line 3: python of the image of profile big: python is '2.7'"),
    ('[profiles.big.image]\nincludes = ["/etc"]\n', "includes of the image of profile big: includes has '/etc'"),
    ("[profiles.big.image.env]\nTOKEN = 1\n", "line 2: env of the image of profile big: env['TOKEN'] is a int"),
]


@pytest.mark.parametrize(("text", "said"), MACHINES)
def test_what_is_wrong_of_machines_is_said_with_file_key_and_line(folder: Path, text: str, said: str) -> None:
    write(folder, f"[profiles.big]\n{text}")
    with pytest.raises(UsageError) as caught:
        load("big")
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{folder / 'skyward.toml'}, line ")


def test_secrets_are_in_no_sentence(folder: Path) -> None:
    for table in ("env", "image.env"):
        write(folder, f'[profiles.big.{table}]\nTOKEN = "hidden"\nN = 1\n')
        with pytest.raises(UsageError) as caught:
            load("big")
        assert "hidden" not in str(caught.value)


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
        ("[profiles.big]\nzzz = 4\n", "it may have provider, hosts"),
        ('[profiles.big]\nnodes = "8"\n', "line 2: nodes of profile big is '8'; it is a whole number of at least 1"),
        ("[profiles.big]\nnodes = true\n", "nodes of profile big is True"),
        ("[profiles.big]\nnodes = [4, 2]\n", "a range as in [2, 16]"),
        ("[profiles.big]\nttl = 0\n", "a number of seconds above 0"),
        ("[profiles.big]\n[profiles.big.env]\nA = 1\n", "line 2: env of profile big"),
        ('[profiles.big]\ngroup = "any"\n', "'same', 'node' or 'time'"),
        (
            '[profiles.other]\nnodes = 1\n[profiles.big]\nprovider = "aws"\n',
            "line 4: provider of profile big is 'aws'; it is 'local'",
        ),
        ("[profiles]\nbig = 3\n", "line 2: profile big is no table"),
        (
            "[big]\nnodes = 4\n",
            "line 1: big is unknown, a file has [profiles.NAME] and [pools.NAME] only; write [profiles.big]",
        ),
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


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("provider", "aws", "provider is 'aws'; it is 'local', which is this machine, or 'ssh'"),
        ("hosts", "a,a", "is named twice"),
        ("hosts", ["a:x"], "has no port that could be one"),
        ("key", "~/none/such", "there is no file"),
        ("known_hosts", "/none/such", "there is no file"),
        ("jump", "a:x", "has no port that could be one"),
    ],
)
def test_what_cannot_be_set_is_refused_and_the_setting_stays(folder: Path, name: str, wrong: object, said: str) -> None:
    settings = Skyward()
    with pytest.raises(TraitError, match=said):
        settings.update_config(_config(**{name: wrong}))
    assert getattr(settings, name) == ""
    assert getattr(settings.said, name) is None


def test_what_was_refused_does_not_count_before_the_profile(folder: Path) -> None:
    write(folder, '[profiles.big]\ngroup = "node"\nhosts = "a"\ncluster = false\n')
    settings = Skyward(config=_config(profile="big"))
    for wrong in (_config(group="x"), _config(cluster="x")):
        with pytest.raises(TraitError):
            settings.update_config(wrong)
    assert (settings.value("group"), settings.said) == ("node", Profile())


def test_what_is_set_about_machines(folder: Path) -> None:
    (folder / "id").write_text("")
    settings = Skyward(config=_config(hosts="gpu1, me@gpu2", key="id", jump="gate", known_hosts="id", cluster=False))
    file = str(folder / "id")
    assert settings.said == Profile("ssh", ("gpu1", "me@gpu2"), file, "gate", file, False)
    settings.update_config(_config(hosts=["gpu1"], cluster=True, nodes=1, key="", jump="", known_hosts=""))
    assert settings.said == Profile(hosts=("gpu1",), cluster=True, nodes=1)
    settings.update_config(_config(provider="local"))
    assert settings.said == Profile("local", nodes=1)
    settings.update_config(_config(provider="", hosts="", nodes=0))
    assert settings.said == Profile(cluster=True)


def test_a_configuration_file_that_is_wrong_is_told_when_it_is_needed(folder: Path) -> None:
    settings = Skyward(config=_config(key="none"))  # the extension loads all the same
    with pytest.raises(UsageError, match="there is no file"):
        _ = settings.said


def _config(**said: object) -> Config:
    return Config({"Skyward": said})


def test_profiles_may_be_called_pools(folder: Path) -> None:
    write(folder, "[pools.big]\nnodes = 3\n[profiles.small]\nnodes = 1\n")
    assert load("big") == Profile(nodes=3)
    assert load("small") == Profile(nodes=1)
    assert names() == ["small", "big"]


def test_a_profile_of_both_kinds_is_refused(folder: Path) -> None:
    write(folder, "[profiles.big]\nnodes = 3\n[pools.big]\nnodes = 1\n")
    with pytest.raises(UsageError, match=r"line 3: big is in \[profiles\] and in \[pools\], which mean the same"):
        load("big")
    write(folder, "[pools]\nbig = 3\n")
    with pytest.raises(UsageError, match=r"profile big is no table; write \[pools.big\]"):
        load("big")
