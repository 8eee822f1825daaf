"""What may be secret is in no repr: neither in a traceback that shows one nor in a log."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest

import skyward_jupyter
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.template import _Agent
from skyward_jupyter.errors import UsageError
from skyward_jupyter.providers.ssh import SSH
from skyward_jupyter.providers.terms import NodeSpec
from skyward_jupyter.ssh.hosts import parse
from skyward_jupyter.ssh.image import Image

#: Names of fields with secrets; a number of such a name counts something.
SECRET = ("env", "environment", "token", "password", "passphrase", "secret", "credentials", "authorization")


def classes() -> Iterator[type]:
    """Every dataclass of the package."""
    for found in pkgutil.walk_packages(skyward_jupyter.__path__, "skyward_jupyter."):
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            if isinstance(value, type) and is_dataclass(value) and value.__module__ == module.__name__:
                yield value


def test_no_repr_has_a_field_for_secrets() -> None:
    found = {
        f"{made.__module__}.{made.__qualname__}.{field.name}": field.repr
        for made in classes()
        for field in fields(made)
        if field.name.strip("_").endswith(SECRET) and "int" not in str(field.type)
    }
    assert len(found) > 5
    assert [name for name, shown in found.items() if shown] == []


def test_what_holds_an_environment_does_not_show_it() -> None:
    env = {"API_KEY": "hunter2"}
    config = AgentConfig("pool", 0, "127.0.0.1:1", (), "cluster", "/store", env=env)
    for holder in (NodeSpec(env=env), config, Image(env=env), _Agent(config, 1, None)):  # type: ignore[arg-type]
        assert "hunter2" not in repr(holder)


def test_a_key_in_place_of_its_file_is_not_repeated() -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n"
    for use in (lambda: SSH(["a"], key=key), lambda: parse("a", key=key)):
        with pytest.raises(UsageError, match="name that file") as caught:
            use()
        assert "hunter2" not in str(caught.value)
