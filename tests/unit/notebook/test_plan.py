"""What pool a line, the settings and a profile ask for together."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets.config import Config

from skyward_jupyter.api.named import provider
from skyward_jupyter.config import Skyward
from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook import plan
from skyward_jupyter.notebook.options import start_options
from skyward_jupyter.profiles.profile import Profile
from skyward_jupyter.providers.ssh import SSH
from skyward_jupyter.ssh.image import Image

TOML = """\
[profiles.two]
nodes = 2
name = "pair"

[profiles.big]
hosts = "gpu1,gpu2,gpu3"
jump = "gate"
cluster = false
nodes = 2
image = { pip = ["polars"] }

[profiles.torch]
image = { pip = ["torch"] }

[profiles.reach]
jump = "gate"

[profiles.here]
provider = "local"
nodes = 4
"""


@pytest.fixture(autouse=True)
def _file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "skyward.toml").write_text(TOML)


def planned(line: str, **settings: object) -> Profile:
    """What ``%sky start LINE`` starts."""
    options = start_options(line)
    return plan.whole(
        plan.on_line(options), Skyward(config=Config({"Skyward": settings})), profiled=options.profile is not None
    )


def test_key_by_key_the_nearest_counts() -> None:
    assert planned("--profile two") == Profile(nodes=2, name="pair")
    assert planned("--profile two --name x --nodes 3 --ttl 5", nodes=7) == Profile(nodes=3, name="x", ttl=5.0)
    assert planned("", nodes=7, profile="two") == Profile(nodes=7, name="pair")
    assert planned("--profile two", nodes=7, profile="big") == Profile(nodes=2, name="pair")
    assert planned("", profile="two", nodes=0).nodes == 2


def test_machines_of_a_profile() -> None:
    assert planned("--profile big") == planned("", profile="big") == planned("--profile big", provider="local")
    assert planned("--profile big").image == Image(pip=["polars"])
    found = provider(planned("--profile big --jump none"))
    assert found == SSH("gpu1,gpu2,gpu3", jump="none", cluster=False)
    assert provider(planned("--profile two")) is None


def test_hosts_that_are_nearer_run_a_node_each() -> None:
    other = planned("--profile big --hosts other")
    assert (other.hosts, other.nodes, other.jump, other.cluster) == (("other",), None, "gate", False)
    assert other.image == Image(pip=["polars"])
    assert planned("--profile big --hosts a,b --nodes 1").nodes == 1
    assert planned("--hosts a,b", nodes=7).nodes is None
    assert planned("", hosts="a,b", profile="big", nodes=1).nodes == 1
    assert planned("--profile big", hosts="a", nodes=1).nodes == 2


def test_from_settings() -> None:
    assert planned("", hosts="a,b", jump="gate") == Profile("ssh", ("a", "b"), jump="gate")
    assert planned("--provider ssh", hosts="a,b").hosts == ("a", "b")
    assert planned("--no-cluster", hosts="a,b", cluster=True).cluster is False
    assert planned("--profile torch", hosts="a,b").image == Image(pip=["torch"])
    assert planned("--profile torch --hosts c").image == Image(pip=["torch"])
    assert planned("--profile torch") == Profile(image=Image(pip=["torch"]))
    assert planned("--profile here", hosts="a,b") == Profile("local", nodes=4)
    assert planned("--nodes 3", jump="gate").provider is None


def test_here_needs_nothing_of_what_was_said_of_machines() -> None:
    assert planned("--profile big --provider local") == Profile("local", nodes=2)
    assert planned("", profile="big", provider="local", hosts="a", jump="gate") == Profile("local", nodes=2)


@pytest.mark.parametrize(
    ("line", "settings", "said"),
    [
        (
            "--provider ssh",
            {},
            "nodes are to run over ssh, and nothing says on which machines: write %sky start --hosts",
        ),
        ("", {"provider": "ssh", "profile": "here"}, "or %config Skyward.hosts = 'user@a,user@b'"),
        ("--jump x", {}, "jump is about machines to log in to, and nothing says which machines: write"),
        ("--jump x", {"provider": "local", "hosts": "a"}, "jump is about machines to log in to"),
        ("--no-cluster --profile here", {}, "cluster is about machines to log in to"),
        ("--nodes 2", {"profile": "reach"}, "jump is about machines to log in to"),
    ],
)
def test_what_does_not_say_which_machines(line: str, settings: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        planned(line, **settings)
    assert said in str(caught.value)
