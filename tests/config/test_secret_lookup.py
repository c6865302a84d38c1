"""Secrets in files, in llm's keys and in the keyring: looked up by the client, put in by the daemon."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from llm_tools_mcp.config import Config, Context, ServerDefinition, caller_environment, confided, parse
from llm_tools_mcp.errors import ConfigError

SECRET = "hunter2"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "my.env").write_text(
        f"# mine\nexport A='{SECRET}'\nB=\"two words\" # why\nC=${{A}}-${{D:-d}}\nEMPTY\n"
    )
    (tmp_path / "llm").mkdir()
    (tmp_path / "llm" / "keys.json").write_text(json.dumps({"// Note": "x", "tickets": SECRET}))
    return {"HOME": str(tmp_path), "LLM_USER_PATH": str(tmp_path / "llm"), "NAME": "my"}


def resolved(entry: dict[str, Any], environ: dict[str, str], folder: str = "") -> Config:
    """As the daemon does it with what the client sends."""
    text = json.dumps({"mcpServers": {"x": entry}})
    found = confided(text, environ, folder)
    context = Context(folder or "/", caller_environment(text, environ), confided=found)
    return parse("/mcp.json", text, context)


def one(entry: dict[str, Any], environ: dict[str, str], folder: str = "") -> ServerDefinition:
    definition = resolved(entry, environ, folder).servers["x"]
    assert isinstance(definition, ServerDefinition), definition
    return definition


def test_value_is_that_of_the_caller(environ: dict[str, str], tmp_path: Path) -> None:
    """In every string, without the last line end; another value is another server."""
    placeholders = [
        "${file:~/token}",
        f"${{file:{tmp_path}/token}}",
        "${llm:tickets}",
        "${NO:-${file:~/token}}",
    ]
    for placeholder in placeholders:
        web = one({"url": "http://h", "headers": {"A": f"Bearer {placeholder}"}}, environ)
        assert web.headers == {"A": f"Bearer {SECRET}"}
    assert one({"command": "a", "args": ["${file:token}"]}, environ, str(tmp_path)).args == (SECRET,)
    before = one({"command": "a", "args": ["${file:~/token}"]}, environ)
    (tmp_path / "token").write_text("other")
    after = one({"command": "a", "args": ["${file:~/token}"]}, environ)
    assert (after.args, after.identity != before.identity) == (("other",), True)


def test_value_is_shown_nowhere(environ: dict[str, str]) -> None:
    """Wherever it stands: it is a secret of the server, also in its url."""
    for entry in ({"command": "a", "args": ["${file:~/token}"]}, {"url": "http://h/${llm:tickets}/mcp"}):
        definition = one(entry, environ)
        assert SECRET in definition.secrets
        assert SECRET not in f"{definition!r} {definition.target}"


@pytest.mark.parametrize(
    ("placeholder", "said"),
    [
        ("${file:~/none}", "~/none cannot be read: No such file"),
        ("${file:~/binary}", "~/binary is not UTF-8 text"),
        ("${file:/dev/zero}", "/dev/zero is no regular file"),
        ("${file:~}", "cannot be read: Is a directory"),
        ("${llm:none}", "llm has no key 'none'; to set it: llm keys set none"),
        ("${keyring:tickets}", "it is written ${keyring:SERVICE:USER}"),
        ("${keyring:a:b}", "llm install keyring"),
    ],
)
def test_what_cannot_be_had_fails_its_server(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], placeholder: str, said: str
) -> None:
    """With file, server, key and what to do; it is never sent as it stands."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    error = resolved({"command": "a", "env": {"T": placeholder}}, environ).servers["x"]
    assert isinstance(error, ConfigError)
    assert str(error).startswith("/mcp.json: server 'x', key 'env.T': ")
    assert said in str(error)


def test_keyring(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    """By service and user; a service may be a url."""
    keyring = ModuleType("keyring")
    passwords = {("https://h", "ada"): SECRET}
    keyring.get_password = lambda service, user: passwords.get((service, user))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    assert one({"command": "a", "env": {"T": "${keyring:https://h:ada}"}}, environ).env["T"] == SECRET
    error = resolved({"command": "a", "env": {"T": "${keyring:h:bob}"}}, environ).servers["x"]
    assert "the keyring has nothing of 'bob' for 'h'" in str(error)


def test_env_file(environ: dict[str, str]) -> None:
    """Its lines are variables of the server, `env` over them; each is a secret, unless it is everybody's."""
    definition = one({"command": "a", "envFile": "~/${NAME}.env", "env": {"B": "over"}}, environ)
    assert {name: definition.env[name] for name in ("A", "B", "C", "EMPTY")} == {
        "A": SECRET, "B": "over", "C": f"{SECRET}-d", "EMPTY": "",
    }  # fmt: skip
    assert SECRET in definition.secrets
    for key, path in (("envFile", "${workspaceFolder}/my.env"), ("env_file", "${userHome}/my.env")):
        assert one({"command": "a", key: path}, environ, environ["HOME"]).env["A"] == SECRET
    within = resolved({"command": "a", "args": ["${file:${userHome}/token}"]}, environ).servers["x"]
    assert "no placeholder is replaced within ${file:…}" in str(within)
    error = resolved({"command": "a", "envFile": "~/none.env"}, environ).servers["x"]
    assert "key 'envFile': ~/none.env cannot be read" in str(error)


def test_nothing_is_looked_at_that_is_not_mentioned(environ: dict[str, str]) -> None:
    """A config without them costs nothing."""
    assert confided('{"mcpServers": {"x": {"command": "a", "env": {"A": "${A}"}}}}', environ) == ({}, {})


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "/usr/bin/x", "cwd": "/srv/${file:~/token}"},
        {"command": "/usr/bin/x", "cwd": "${file:~/path}"},
        {"command": "/usr/bin/x", "cwd": "/srv/${API_TOKEN}"},
        {"command": "/usr/bin/x", "cwd": "/srv/${NO_TOKEN:-hunter2}"},
        {"command": "/opt/${llm:tickets}/run"},
        {"command": "${file:~/path} x"},
        {"command": "serve-${API_TOKEN}"},
        {"url": "http://h/${file:~/token}/mcp"},
        {"url": "http://${file:~/query}/mcp"},
        {"url": "http://h/${API_TOKEN}/mcp"},
    ],
)
def test_secret_is_public_nowhere(entry: dict[str, Any], environ: dict[str, str], tmp_path: Path) -> None:
    """Wherever what was confided lands, also in folder, program and address, no one is shown it."""
    (tmp_path / "path").write_text(f"~//{SECRET}//inner/")
    (tmp_path / "query").write_text(f"{SECRET}?key")
    definition = one(entry, {**environ, "API_TOKEN": SECRET})
    shown = (
        f"{definition!r} {definition.target} {definition.public_cwd} {definition.public(definition.command)}"
    )
    assert SECRET not in shown
    assert SECRET in f"{definition.cwd} {definition.command} {definition.url}"


def test_name_in_an_env_file_may_be_a_secret(environ: dict[str, str], tmp_path: Path) -> None:
    """As where the file is not one of KEY=value lines."""
    token = "ghp_0123456789abcdefghij"
    (tmp_path / "odd.env").write_text(f"{token}='${{NOPE}}'\n")
    error = resolved({"command": "a", "envFile": "~/odd.env"}, environ).servers["x"]
    assert isinstance(error, ConfigError)
    assert token not in f"{error} {error!r}"


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "a", "args": ["${file:~/\ud800}"]},
        {"command": "a", "args": ["${llm:\udfff}"]},
        {"command": "a", "args": ["${llm:odd}"]},
        {"command": "a", "envFile": "~/\ud800"},
    ],
)
def test_half_characters_are_an_error(entry: dict[str, Any], environ: dict[str, str], tmp_path: Path) -> None:
    """A lone surrogate, which neither a path nor the wire can hold: the server fails, and all can be sent."""
    (tmp_path / "llm" / "keys.json").write_text(json.dumps({"odd": "\ud800"}))
    found = confided(json.dumps({"mcpServers": {"x": entry}}), environ, "")
    for text in (*found.values, *found.values.values(), *found.missing, *found.missing.values()):
        assert text.encode()
    error = resolved(entry, environ).servers["x"]
    assert isinstance(error, ConfigError)
    assert "half of a \\ud800 pair" in str(error)
    assert str(error).encode()
