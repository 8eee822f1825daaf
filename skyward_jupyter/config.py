"""Settings of the magics, changed with ``%config Sky.NAME = value`` or in IPython's configuration files."""

from __future__ import annotations

from traitlets import Bool, Enum, Int
from traitlets.config import Configurable

from skyward_jupyter.notebook.options import GROUPS


class Sky(Configurable):
    """Settings of %sky and %%sky."""

    nodes = Int(0, min=0, help="How many nodes %%sky starts without a pool and without --nodes; 0 for none.").tag(
        config=True
    )
    group = Enum(GROUPS, default_value="same", help="How %%sky groups output when it has no --group.").tag(config=True)
    size_limit = Int(
        256 * 2**20, min=0, help="The largest value, in bytes, that a name a cell reads may have to be sent by itself."
    ).tag(config=True)
    quiet = Bool(False, help="Whether %%sky shows neither output nor values.").tag(config=True)
