"""Profiles in a kernel: %sky start --profile, %config Skyward.profile, and the cells that follow them."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

TOML = """\
[profiles.two]
nodes = 2
name = "pair"
group = "node"
env = { SKY_TEST = "from the profile" }

[profiles.wrong]
nodes = 2
ttl = "long"

[profiles.far]
hosts = "gpu1,gpu2"

[profiles.mixed]
provider = "local"
hosts = "gpu1"

[profiles.nowhere]
provider = "ssh"

[profiles.torch]
image = { pip = ["no-such-torch"] }
"""


@pytest.fixture(autouse=True)
def _file(kernel: Kernel) -> None:
    (kernel.folder / "skyward.toml").write_text(TOML)


def test_a_pool_as_the_profile_says(kernel: Kernel) -> None:
    assert kernel.ok("%sky start --profile two").stdout.startswith("pool pair: 2 nodes ready in ")
    assert kernel.ok("%%sky --on head\nimport os\nos.environ['SKY_TEST']").text == "'from the profile'"
    assert kernel.ok("%sky start --profile two").stdout == "pool pair already runs, with 2 nodes\n"
    assert kernel.ok("%sky start --profile two --name other --nodes 1").stdout.startswith("pool other: 1 node ready")
    said = kernel.run("%sky start --profile far").evalue
    assert said.endswith("nodes on this machine: use %sky stop first, or %sky start --name NAME for a second pool")
    kernel.ok("%sky stop other\n%sky stop pair")


def test_a_chosen_profile_starts_the_first_cell_and_groups_it(kernel: Kernel) -> None:
    kernel.ok("%config Skyward.profile = 'two'")
    assert kernel.ok("%%sky\nprint('x')").text == "[0]\n  x\n[1]\n  x"
    assert "pair: ready, 2 nodes" in kernel.ok("%sky status").stdout
    assert kernel.ok("%sky start").stdout == "pool pair already runs, with 2 nodes\n"
    kernel.ok("%config Skyward.group = 'same'")
    assert kernel.ok("%%sky\nprint('x')").stdout == "[0-1] x\n"
    kernel.ok("%sky stop")
    kernel.ok("%config Skyward.profile = ''")
    assert kernel.run("%%sky\n1").ename == "NoPool"
    assert "needs to know how many nodes" in kernel.run("%sky start").evalue
    kernel.ok("%config Skyward.nodes = 1")
    assert ": 1 node ready" in kernel.ok("%sky start").stdout
    kernel.ok("%sky stop")
    kernel.ok("%config Skyward.nodes = 0")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("%config Skyward.profile = 'tow'", "there is no profile 'tow'; did you mean two?"),
        ("%config Skyward.profile = 'wrong'", "skyward.toml, line 9: ttl of profile wrong is 'long'"),
        (
            "%config Skyward.provider = 'aws'",
            "provider is 'aws'; it is 'local', which is this machine, or 'ssh', which are hosts that you can log in to",
        ),
        ("%config Skyward.hosts = 'gpu1,gpu1'", "is named twice: one node for each machine"),
        ("%config Skyward.key = 'none'", "there is no file"),
        ("%sky start --provider ssh", "nothing says on which machines: write %sky start --hosts user@a,user@b"),
        ("%sky start --profile two --key x", "key is about machines to log in to, and nothing says which machines"),
        ("%sky start --profile two --hosts", "--hosts needs a value: --hosts a,b"),
        (
            "%sky start --profile far --provider local --hosts a",
            "--hosts is about other machines, and --provider local",
        ),
        (
            "%sky start --profile far --nodes 3",
            "nodes is 3; a pool on 2 hosts has 1 to 2, one on each; name more hosts",
        ),
        ("%sky start --profile far --hosts a --nodes 2", "nodes is 2; a pool on 1 host has 1; name more hosts"),
        ("%sky start --profile mixed", "skyward.toml, line 16: hosts of profile mixed is about other machines"),
        ("%sky start --profile nowhere", "skyward.toml, line 19: provider of profile nowhere is 'ssh', and nothing"),
        ("%sky start --profile torch --nodes 1", "and it lacks what the image asks for: no-such-torch (not installed)"),
        ("%sky start --profile tow", "there is no profile 'tow'; did you mean two?"),
        ("%sky start --profile wrong", "it is a number of seconds above 0"),
    ],
)
def test_what_is_wrong_is_said(kernel: Kernel, code: str, said: str) -> None:
    shown = kernel.run(code)
    assert said in shown.evalue + shown.stderr
    assert kernel.ok("%config Skyward.profile").text == "''"


def test_tab(kernel: Kernel) -> None:
    assert kernel.complete("%sky start --profile ") == ["two", "wrong", "far", "mixed", "nowhere", "torch"]
    assert "Skyward.profile" in kernel.complete("%config Skyward.")
