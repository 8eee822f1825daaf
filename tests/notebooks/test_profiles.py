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
"""


@pytest.fixture(autouse=True)
def _file(kernel: Kernel) -> None:
    (kernel.folder / "skyward.toml").write_text(TOML)


def test_a_pool_as_the_profile_says(kernel: Kernel) -> None:
    assert kernel.ok("%sky start --profile two").stdout.startswith("pool pair: 2 nodes ready in ")
    assert kernel.ok("%%sky --on head\nimport os\nos.environ['SKY_TEST']").text == "'from the profile'"
    assert kernel.ok("%sky start --profile two").stdout == "pool pair already runs, with 2 nodes\n"
    assert kernel.ok("%sky start --profile two --name other --nodes 1").stdout.startswith("pool other: 1 node ready")
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
        ("%config Skyward.provider = 'aws'", "there is no provider 'aws': this version starts nodes on this machine"),
        ("%sky start --profile tow", "there is no profile 'tow'; did you mean two?"),
        ("%sky start --profile wrong", "it is a number of seconds above 0"),
    ],
)
def test_what_is_wrong_is_said(kernel: Kernel, code: str, said: str) -> None:
    shown = kernel.run(code)
    assert said in shown.evalue + shown.stderr
    assert kernel.ok("%config Skyward.profile").text == "''"


def test_tab(kernel: Kernel) -> None:
    assert kernel.complete("%sky start --profile ") == ["two", "wrong"]
    assert "Skyward.profile" in kernel.complete("%config Skyward.")
