"""How the package index is reached here, for machines of the tests that install from it."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

_NAMES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "UV_", "PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")

#: What says whom to trust.
TRUSTING = ("SSL_CERT_FILE", "SSL_CERT_DIR", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS", "PIP_CERT")


def settings() -> dict[str, str]:
    """What of the environment it is reached by."""
    return {name: value for name, value in os.environ.items() if name.startswith(_NAMES)}


@functools.cache
def index() -> dict[str, str]:
    """The index that pip is set up for here, as uv is told of it; nothing where it is the usual one."""
    asked = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    found = {line.partition("=")[0].rpartition(".")[2]: line.partition("=")[2].strip("'") for line in said.splitlines()}
    return {"UV_DEFAULT_INDEX": found["index-url"]} if "index-url" in found else {}
