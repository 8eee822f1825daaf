"""Text as anything can show it: what UTF-8 cannot say, half of a surrogate pair, is escaped as Python writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def showable(text: str) -> str:
    """`text`, with what cannot be encoded escaped, as ``\\udcff``."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def showable_bundle(data: Mapping[str, Any]) -> dict[str, Any]:
    """A MIME bundle whose texts are."""
    return {kind: showable(value) if isinstance(value, str) else value for kind, value in data.items()}
