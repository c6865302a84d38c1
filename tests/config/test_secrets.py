"""Values of env, headers and args, and the secrets of a url, are shown nowhere."""

from __future__ import annotations

import json

import pytest

from llm_tools_mcp.config import Context
from llm_tools_mcp.errors import ConfigError
from tests.parsing import one, parsed, refused

SECRET = "hunter2-hunter2"

SECRETIVE_STDIO = {
    "command": "npx",
    "args": ["--token", SECRET],
    "env": {"TOKEN": SECRET, "Authorization: " + SECRET: 5, SECRET + "=": SECRET},
}
SECRETIVE_URL = {
    "url": f"https://user:{SECRET}@h/mcp?key={SECRET}#{SECRET}",
    "headers": {"Authorization": f"Bearer {SECRET}\n", f"X: {SECRET}": SECRET, f"Y: {SECRET}": 5},
}
VARIATIONS = [
    {},
    *({"type": value} for value in ("stdio", "http", "sse", "no", SECRET, 5, [SECRET], {"a": SECRET})),
    *({"args": value} for value in (SECRET, {"a": SECRET}, [[SECRET]], [SECRET, "\0"], ["${NOPE}" + SECRET])),
    *(
        {"env": value}
        for value in (SECRET, [SECRET], {"A": [SECRET]}, {"A": SECRET + "\0"}, {"A": "${NOPE}" + SECRET})
    ),
    *({"headers": value} for value in (SECRET, [SECRET], {"A": {"a": SECRET}}, {"A": SECRET + "\n"})),
    *(
        {"url": value}
        for value in (
            [SECRET],
            f"user:{SECRET}@h/mcp",
            f"${{NOPE}}?{SECRET}",
            f"http://u:{SECRET}@[",
            f"http://u:{SECRET}/x@h",
            f"http://u:a/{SECRET}@h",
            f"http://h:{SECRET}/",
            f"ftp://h/{SECRET}",
            f"http://h\u2100/{SECRET}",
        )
    ),
    *({"command": value} for value in ([SECRET], {"a": SECRET}, f"npx --token={SECRET}")),
    *(
        {key: SECRET}
        for key in ("timeout", "connectTimeout", "idleTimeout", "instances", "protocol", "disabled")
    ),
    *({key: SECRET} for key in ("includeTools", "exclude_tools", "cwd", SECRET)),
]


@pytest.mark.parametrize("variation", VARIATIONS, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("base", [SECRETIVE_STDIO, SECRETIVE_URL, {**SECRETIVE_STDIO, **SECRETIVE_URL}])
def test_no_error_shows_a_secret(base, variation):
    """Whatever is wrong: values of env, headers, args and the url's secrets are in no message."""
    message = ""
    try:
        found = parsed({"x": {**base, **variation}}).servers["x"]
        message = str(found) + repr(found)
    except ConfigError as error:
        message = str(error) + repr(error) + repr(error.__context__) + repr(error.__cause__)
    assert SECRET not in message


def test_no_error_of_the_json_shows_a_secret():
    """Nor does a config that is cut off."""
    text = json.dumps({"mcpServers": {"x": SECRETIVE_STDIO, "y": SECRETIVE_URL}})
    for end in range(0, len(text), 7):
        assert SECRET not in refused(text[:end])
        assert SECRET not in refused(text[:end] + "\\q" + text[end:])


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "sh", "args": [SECRET], "env": {"A": SECRET, "B": "${S}"}},
        {"url": f"https://u:{SECRET}@h/mcp?k={SECRET}", "headers": {"A": SECRET, "B": "${S}"}},
        {"url": f"https://h/api/{SECRET}-0f8e4c1d9b7a4c55/mcp", "headers": {"A": SECRET}},
        {"command": f"npx server --token={SECRET}"},
        {"command": f"/opt/My App/serve --token {SECRET}"},
    ],
)
def test_repr_and_target_hold_no_secret(entry):
    """A definition, its config and its context can be logged."""
    environment = {"S": SECRET, "PATH": "/usr/bin:/bin", "HTTPS_PROXY": f"http://u:{SECRET}@p"}
    definition = one(entry, environment)
    shown = [definition, parsed({"x": entry}, environment), Context("/", environment), definition.target]
    assert SECRET not in f"{shown!r} {definition}"
    assert SECRET in definition.secrets


def test_secrets_are_what_was_given_in_confidence():
    """Own variables, headers with and without their scheme, and a url's password and query."""
    stdio = one(
        {"command": "a", "args": ["arg"], "env": {"T_KEY": "tok", "R": "us-east-1", "PATH": "/p"}},
        {"HOME": "/h"},
    )
    assert stdio.secrets == {"tok"}
    http = one({"url": "http://u:pw@h/p?k=a%20b", "headers": {"A": "Bearer tok"}}, {"http_proxy": "p"})
    of_url = {"http://u:pw@h/p?k=a%20b", "pw", "dTpwdw==", "k=a%20b", "a b"}  # one of them as it is sent
    assert http.secrets == {"Bearer tok", "tok", *of_url}


@pytest.mark.parametrize(
    "args",
    [
        ["--token", SECRET],
        [f"--api-key={SECRET}"],
        ["-e", f"GITHUB_TOKEN={SECRET}"],
        ["--header", f"Authorization: Bearer {SECRET}"],
        ["mcp-remote", "https://h/mcp", "--header", "Authorization:${TOKEN}"],
    ],
)
def test_telling_arguments_are_secrets(args):
    """What a name like token or password announces is taken out of messages; package names stay."""
    definition = one({"command": "npx", "args": ["-y", "@scope/key-server", *args]}, {"TOKEN": SECRET})
    assert definition.secrets == {SECRET}


def test_token_by_its_looks_is_a_secret():
    """Long, with digits among the letters."""
    token = "ghp_0123456789abcdefghij"
    assert one({"command": "x", "args": [f"https://h/{token}/mcp", "a-long-name-of-a-package"]}).secrets == {
        token
    }


@pytest.mark.parametrize("text", ["a", "key", "key ", "-", "aB3", "key\t"])
def test_long_arguments_are_looked_at_once(text):
    """A blob of a megabyte costs no more than its length: sessions begin with this, in the event loop."""
    assert one({"command": "x", "args": ["run", text * (1_000_000 // len(text))]}).secrets is not None


@pytest.mark.parametrize(
    ("name", "value", "is_secret"),
    [
        ("AWS_REGION", "us-east-1", False),
        ("LOG_LEVEL", "warning", False),
        ("BASE_URL", "https://api.example.com/v2", False),
        ("ROOTS", "/home/u/work:/srv/data", False),
        ("GITHUB_TOKEN", "short", True),
        ("DB_PASS", "letmein", True),
        ("DATABASE_URL", "postgres://u:pw@host/db", True),
        ("ANYTHING", "hunter2", True),
        ("ANYTHING", "sk-ant-api03-Zx81kQp4LmN7vB2cR9", True),
        ("SERVER", "npx -y @scope/mcp-server-sqlite3-readonly@1.2", False),
    ],
)
def test_name_or_form_tells_of_a_secret(name, value, is_secret):
    """What is masked in a server's words is what was given in confidence, not what is long enough."""
    assert (value in one({"command": "a", "env": {name: value}}).secrets) is is_secret
