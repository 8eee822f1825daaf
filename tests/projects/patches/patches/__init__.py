"""Changes the library for everybody who imports this, as some packages do."""

import json
import textwrap

_dumps = json.dumps


def dumps(value, **given):
    return _dumps(value, **{"sort_keys": True, "default": str, **given})


dumps.__patched__ = True
json.dumps = dumps
textwrap.shout = lambda text: textwrap.dedent(text).upper()


class Decimalish(float):
    def __repr__(self):
        return f"D{super().__repr__()}"
