"""Configuration files of ssh, beside what the real ``ssh -G`` makes of them, with it at hand and without."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from skyward_jupyter.errors import UsageError
from skyward_jupyter.ssh import openssh
from skyward_jupyter.ssh.configuration import Configured, looked_up
from skyward_jupyter.ssh.hosts import parse
from skyward_jupyter.ssh.syntax import words

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh (Debian: openssh-client)")

CONFIG = r"""
# A file as people write them, with comments, also = after the keyword, and quotes.
Include {folder}/more.d/*.conf {folder}/nothing   # the first file may say more
IgnoreUnknown UseKeychain,AnotherThing
UseKeychain yes

Host gpu gpu? !gpu9 # trailing
	HostName = %h.lab.example # and here
  User "ubuntu" # "quoted
  Port=2222
  IdentityFile "~/.ssh/my key"  # with a space
  IdentityFile ~/.ssh/id_%r_%h_%p%%
  IdentityFile %d/.ssh/id_%u_%n_%L_%i
  IdentityFile ${{SKYWARD_TEST_KEYS}}/id#1
  CertificateFile ~/.ssh/%h-cert.pub
  IdentitiesOnly yes
  ProxyJump   jumper@bastion.example:2200,second  # two of them
  Compression yes
  SetEnv A="b c" D=e
  SendEnv MINE LANG LC_*
Host=quoted
  HostName 'with single' # nothing
Host escaped
  User back\\slash
Host proxied
  ProxyCommand nc -X 5 "%h" %p 2>/dev/null # no comment
  HostKeyAlias known
  IdentityFile none
  IdentityAgent none
Match originalhost matched user me # Match, and what is said to it
  Port 2300
Match host *.lab.example
  ServerAliveInterval 5
  User late
Match host late exec "true"
  Port 2400
Match host late !exec "false" localuser {user}
  User nobody
Match all
  AddressFamily inet
  ConnectTimeout 7
Host *
  Port 2500
  User last
Host latin
  User caf\xe9
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file; one that it includes says something of another machine."""
    monkeypatch.setenv("SKYWARD_TEST_KEYS", "/keys")
    (tmp_path / "more.d").mkdir()
    (tmp_path / "more.d" / "b.conf").write_text("Host included\n  Port 2\n  User b\n")
    (tmp_path / "more.d" / "a.conf").write_text("Host included\n  Port 1\nMatch host never\n  User never\n")
    path = tmp_path / "config"
    text = CONFIG.format(folder=tmp_path, user=getpass.getuser())
    # Comments in Latin-1, and lines that end as on Windows.
    path.write_bytes(
        text.replace("# trailing", "# angeh\xe4ngt")
        .encode("latin-1")
        .replace(b"Compression yes\n", b"Compression yes\r\n")
    )
    return path


@pytest.fixture(params=["ssh", "without"])
def reader(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who reads: OpenSSH, or asyncssh where there is none."""
    if request.param == "without":
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    elif shutil.which("ssh") is None:
        pytest.skip("there is no ssh (Debian: openssh-client)")
    return str(request.param)


def found(host: str, config: Path, user: str = "", port: int | None = None) -> dict[str, object]:
    """What is made of a machine here."""
    with looked_up(host, host, user, port, str(config)) as made:
        return facts(made)


def facts(made: Configured) -> dict[str, object]:
    options = made.options
    return {
        "hostname": options.host,
        "user": options.username,
        "port": options.port,
        "family": options.family,
        "jump": options.tunnel,
        "alias": options.host_key_alias,
        "wait": options.connect_timeout,
        "files": made.identities.files,
        "certificates": made.identities.certificates,
        "only": made.identities.only,
        "proxy": made.proxy,
    }


def as_ssh_says(host: str, config: Path, user: str = "", port: int | None = None) -> dict[str, object]:
    """The same from the real ssh; tokens, which it leaves alone there, are put in by the test."""
    asked = [*(["-l", user] if user else []), *(["-p", str(port)] if port else []), host]
    lines = subprocess.check_output(["ssh", "-G", "-F", config, *asked], stderr=subprocess.DEVNULL)
    said: dict[str, list[str]] = {}
    for line in lines.decode("latin-1").splitlines():
        name, _, value = line.partition(" ")
        said.setdefault(name, []).append(value)
    one = {name: values[0] for name, values in said.items()}
    usual = one["identityfile"] == "~/.ssh/id_rsa"
    put = {
        "%d": str(Path.home()),
        "%r": one["user"],
        "%h": one["hostname"],
        "%p": one["port"],
        "%u": getpass.getuser(),
        "%n": host,
        "%L": socket.gethostname().partition(".")[0],
        "%i": str(os.getuid()),
        "${SKYWARD_TEST_KEYS}": "/keys",
        "%%": "%",
    }

    def whole(text: str) -> str:
        for token, meaning in put.items():
            text = text.replace(token, meaning)
        return os.path.expanduser(text)

    def files(name: str) -> tuple[str, ...]:
        return tuple(whole(file) for file in said[name] if file != "none")

    return {
        "hostname": one["hostname"],
        "user": one["user"],
        "port": int(one["port"]),
        "family": {"inet": socket.AF_INET, "any": socket.AF_UNSPEC}[one["addressfamily"]],
        "jump": one.get("proxyjump"),
        "alias": one.get("hostkeyalias"),
        "wait": None if one["connecttimeout"] == "none" else float(one["connecttimeout"]),
        "files": None if usual else files("identityfile"),
        "certificates": files("certificatefile") if "certificatefile" in said else None,
        "only": one["identitiesonly"] == "yes",
        "proxy": whole(one["proxycommand"]) if "proxycommand" in one else "",
    }


@needs_ssh
@pytest.mark.parametrize(
    "host", ["gpu", "gpu1", "gpu9", "proxied", "matched", "included", "late", "escaped", "latin", "10.0.0.1", "fd00::1"]
)
@pytest.mark.parametrize(("user", "port"), [("", None), ("me", None), ("me", 99)])
def test_reads_what_openssh_reads(host: str, user: str, port: int | None, config: Path, reader: str) -> None:
    path = os.environ["PATH"]
    made = found(host, config, user, port)
    os.environ["PATH"] = os.defpath
    try:
        assert made == as_ssh_says(host, config, user, port)
    finally:
        os.environ["PATH"] = path


def test_says_what_each_machine_is(config: Path, reader: str) -> None:
    """The values themselves, so that this does not hang on what ssh says."""
    made = found("gpu", config)
    home = Path.home()
    assert (made["hostname"], made["user"], made["port"]) == ("gpu.lab.example", "ubuntu", 2222)
    assert made["files"] == (
        f"{home}/.ssh/my key",
        f"{home}/.ssh/id_ubuntu_gpu.lab.example_2222%",
        f"{home}/.ssh/id_{getpass.getuser()}_gpu_{socket.gethostname().partition('.')[0]}_{os.getuid()}",
        "/keys/id#1",
    )
    assert found("included", config)["port"] == 1
    assert (found("late", config)["port"], found("late", config)["user"]) == (2400, "nobody")
    assert found("proxied", config)["proxy"] == 'nc -X 5 "proxied" 2500 2>/dev/null # no comment'
    assert found("proxied", config)["files"] == ()
    assert [hop.place for hop in parse("gpu", config=config).jump] == ["[bastion.example]:2200", "[second]:2500"]


def test_what_is_sent_and_set(config: Path, reader: str) -> None:
    with looked_up("gpu", "gpu", "", None, str(config)) as made:
        options = made.options
        assert list(options.env or ()) == ["A=b c", "D=e"]
        assert "MINE" in (options.send_env or ())
        assert options.compression_algs[0] != b"none"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Host *\n  Port many\n", 2),
        ("Host *\n\n  # more\n  IdentitiesOnly perhaps # no\n", 4),
        ('Host *\n  User "open\n', 2),
        ("Host *\n  ConnectTimeout\n", 2),
        ("Host *\nMatch host\n  User x\n", 2),
        ("Match nonsense x\n  User x\n", 1),
    ],
)
def test_an_error_names_the_file_and_the_line(text: str, line: int, tmp_path: Path, reader: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(UsageError, match=rf"'box' cannot be looked up in {path}: {path}:? line {line}: ?.*") as failed:
        parse("box", config=path)
    assert "\n" not in str(failed.value)
    # Also where the file was included.
    outer = tmp_path / "outer"
    outer.write_text(f"Host *\n  Include {path}\n")
    with pytest.raises(UsageError, match=rf"{path}:? line {line}: ?.*"):
        parse("box", config=outer)


@pytest.mark.parametrize("text", ["IdentityFile ~/%Z", "IdentityFile ${NO_SUCH_VARIABLE}/x"])
def test_a_token_that_means_nothing(text: str, tmp_path: Path, reader: str) -> None:
    path = tmp_path / "config"
    path.write_text(f"Host *\n  {text}\n")
    with pytest.raises(UsageError, match=rf"cannot be looked up in {path}: {path} line 2: "):
        parse("box", config=path)


def test_a_file_that_includes_itself(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "config"
    path.write_text(f"Include {path}\n")
    with pytest.raises(UsageError, match=rf"{path}(:? line 1)?: .*(recursive|too deeply)"):
        parse("box", config=path)


def test_a_file_that_is_not_there(tmp_path: Path, reader: str) -> None:
    with pytest.raises(UsageError, match=str(tmp_path / "none")):
        parse("box", config=tmp_path / "none")


def test_a_home_that_only_the_environment_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str) -> None:
    (tmp_path / ".ssh" / "config.d").mkdir(parents=True)
    (tmp_path / ".ssh" / "config").write_text("Include config.d/* ~/.ssh/more # both\nHost *\n  Port 3\n")
    (tmp_path / ".ssh" / "config.d" / "lab").write_text("Host gpu\n  User lab\n")
    (tmp_path / ".ssh" / "more").write_text("Host gpu\n  IdentityFile ~/key\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with looked_up("gpu", "gpu", "", None, "") as made:
        assert (made.options.username, made.options.port) == ("lab", 3)
        assert made.identities.files == (f"{tmp_path}/key",)
    (tmp_path / ".ssh" / "config.d" / "lab").write_text("Host gpu\n  User lab\n  Port x\n")
    with pytest.raises(UsageError, match=rf"{tmp_path}/.ssh/config.d/lab:? line 3"):
        parse("gpu")


@needs_ssh
def test_an_edit_counts_at_once(tmp_path: Path) -> None:
    path, more = tmp_path / "config", tmp_path / "more"
    path.write_text(f"Include {more}\n")
    for port in (1000, 2000, 3000):
        more.write_text(f"Host *\n  Port {port}\n")
        assert parse("box", config=path).port == port


@needs_ssh
def test_a_condition_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openssh, "WITHIN", 0.3)
    (tmp_path / "config").write_text('Match exec "sleep 87123"\n  User x\n')
    with pytest.raises(UsageError, match="Match exec"):
        parse("box", config=tmp_path / "config")
    assert not list(_running("87123"))


def _running(word: str) -> Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"sleep {word}" in text and "ssh -" not in text:
            yield text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a b  c", ["a", "b", "c"]),
        ("a#b # c", ["a#b"]),
        ('"a b" c', ["a b", "c"]),
        ("'a \"b' x", ['a "b', "x"]),
        (r"a\ b a\\b \"q a\b", ["a b", r"a\b", '"q', r"a\b"]),
        (r'"a\"b\ c"', [r'a"b\ c']),
        ("", []),
        ("# all", []),
    ],
)
def test_words(text: str, meant: list[str]) -> None:
    assert words(text) == meant


@pytest.mark.parametrize("text", ['"a', "'a", 'x "y\\"'])
def test_a_quote_that_is_not_closed(text: str) -> None:
    with pytest.raises(ValueError, match="quote"):
        words(text)
