"""What a notebook has imported is there in its nodes' sessions before they import it; and how that is set."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

HAS = "%%sky\nimport sys\n[name for name in ('numpy', 'pandas') if name in sys.modules]"


@pytest.fixture(autouse=True)
def _stop(kernel: Kernel) -> Iterator[None]:
    yield
    kernel.run("%sky stop")


def test_sessions_of_a_pool_that_ran_already_have_what_is_imported_later(kernel: Kernel) -> None:
    kernel.ok("%sky start --nodes 2")
    assert "preloaded" not in kernel.ok("%sky status").stdout
    kernel.ok("import numpy")
    assert kernel.ok(HAS).text == "[0-1] ['numpy']"
    assert "preloaded: numpy\n" in kernel.ok("%sky status").stdout


def test_a_pool_that_starts_after_the_import_has_it_and_a_changed_library_here_is_not_changed_there(
    kernel: Kernel,
) -> None:
    kernel.ok("import numpy\nnumpy.pi = 3")
    kernel.ok("%sky start --nodes 2")
    assert kernel.ok(HAS).text == "[0-1] ['numpy']"
    assert kernel.ok("%%sky\nimport numpy as there\nround(there.pi, 2)").text == "[0-1] 3.14"


@pytest.mark.parametrize(
    ("before", "start", "has"),
    [
        ("", "--preload none", "[]"),
        ("", "--preload pandas", "['numpy', 'pandas']"),
        ("%config Skyward.preload = False", "", "[]"),
        ("%config Skyward.preload = False", "--preload auto", "['numpy']"),
        ("%config Skyward.preload = ['pandas']", "", "['numpy', 'pandas']"),
        ("", "--profile bare", "[]"),
        ("", "--profile frames", "['numpy', 'pandas']"),
    ],
)
def test_what_is_preloaded_can_be_set(kernel: Kernel, before: str, start: str, has: str) -> None:
    toml = "[profiles.bare]\npreload = false\n[profiles.frames]\npreload = ['pandas']\n"
    (kernel.folder / "skyward.toml").write_text(toml)
    kernel.ok(f"import numpy\n{before}")
    kernel.ok(f"%sky start --nodes 1 {start}")
    assert kernel.ok(HAS).text == has
    kernel.ok("%config Skyward.preload = True")


def test_a_word_that_is_no_module_is_named(kernel: Kernel) -> None:
    said = kernel.run("%sky start --preload num-py").evalue
    assert said == "--preload num-py: write modules with commas between, as in --preload numpy,sklearn, or none"
    refused = kernel.run("%config Skyward.preload = ['num-py']")
    assert "preload is ['num-py']; it is a list of modules" in refused.stderr


def test_what_was_refused_is_in_the_status(kernel: Kernel) -> None:
    kernel.ok("%sky start --nodes 1 --preload polars")
    kernel.ok("%%sky\n1")
    assert "preloaded: nothing; not polars: its threads do not survive a fork" in kernel.ok("%sky status").stdout


def test_figures_of_a_session_that_was_born_with_matplotlib_are_shown(kernel: Kernel) -> None:
    kernel.ok("%sky start --nodes 1 --preload matplotlib.pyplot")
    shown = kernel.ok(
        "%%sky\nimport sys\nwas = 'matplotlib' in sys.modules\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    )
    assert [set(data) for data in shown.displays] == [{"text/plain", "image/png"}]
    assert kernel.ok("%%sky\nwas").text == "True"
