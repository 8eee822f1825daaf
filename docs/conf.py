"""How Sphinx builds the site: ``make docs``."""

from __future__ import annotations

import shutil
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent

project = "Skyward for notebooks"
author = "Skyward contributors"
project_copyright = "2026, Skyward contributors"
release = version = installed("skyward-jupyter")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "images/README*"]
nitpicky = False

html_theme = "furo"
html_title = f"Skyward {version}"
html_static_path: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The notebook is executed by the tests and by `make demo`, never by the build of the site.
nb_execution_mode = "off"
nb_output_stderr = "show"
# A saved page has no kernel: widgets show their static form.
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_class_signature = "separated"
napoleon_google_docstring = False
napoleon_use_rtype = False
# The site's words for a name win over where it is implemented.
add_module_names = False


def tutorial() -> Path:
    """Return the quickstart to show: as `make demo` has executed it, where that is newer than its source."""
    source = TOP / "notebooks" / "01_quickstart.ipynb"
    executed = TOP / "build" / "demo" / source.name
    fresh = executed.exists() and executed.stat().st_mtime >= source.stat().st_mtime
    return executed if fresh else source


shutil.copyfile(tutorial(), HERE / "tutorial.ipynb")
