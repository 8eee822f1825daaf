"""The providers there are, by name; each is imported when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skyward_jupyter.errors import UsageError
from skyward_jupyter.providers.base import Provider
from skyward_jupyter.providers.local import Local

NAMES = ("local", "ssh")


def checked_provider(value: Any) -> Provider:
    """What ``provider=`` means: a provider, or the name of one that needs to know nothing."""
    if value is None or value == "local":
        return Local()
    if value == "ssh":
        raise UsageError("provider='ssh' does not say which machines; write provider=sky.SSH(hosts=['user@host'])")
    if isinstance(value, str) or not hasattr(value, "provision"):
        raise UsageError(f"provider is {value!r}; use 'local', or sky.SSH(hosts=['user@host'])")
    provider: Provider = value
    return provider


def provider_again(name: str, facts: Mapping[str, Any]) -> Provider:
    """The provider of a recorded pool."""
    if name == "ssh":
        from skyward_jupyter.providers.ssh import SSH

        return SSH(**facts)
    return Local()
