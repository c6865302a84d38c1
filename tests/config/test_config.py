"""mcp.json: what is accepted, and what is refused and how."""

from __future__ import annotations

import pytest

from llm_tools_mcp.config import Context, Protocol, ServerDefinition, Transport, parse
from llm_tools_mcp.errors import ConfigError
from tests.parsing import PATH, one, parsed, refused


def failure(entry: object, environment: dict[str, str] | None = None) -> str:
    """The error of that one server, or of the file."""
    try:
        found = parsed({"x": entry}, environment).servers["x"]
    except ConfigError as error:
        return str(error)
    assert isinstance(found, ConfigError), found
    return str(found)


# --- the file as a whole ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["not valid JSON", "line 1, column 1"]),
        ('{"mcpServers": {}\n"b"', ["not valid JSON", "line 2, column 1"]),
        ('{"mcpServers": {},,}', ["not valid JSON", "line 1"]),
        ("{} x", ["Extra data", "column 4"]),
        ("{ // é\n'a': 1}", ["not valid JSON", "line 2, column 1"]),
        ('{ // why\n"mcpServers": NaN}', ["not valid JSON", "line 2, column 15"]),
        ("// why\n" + "[" * 200_000, ["nested too deeply"]),
        ("/* why", ["not valid JSON"]),
        ("// nothing else", ["not valid JSON"]),
        ('{"mcpServers": NaN}', ["NaN"]),
        ("[" * 200_000, ["not valid JSON"]),
        ('{"mcpServers": ' + "9" * 10_000 + "}", []),
        ("{}", ["'mcpServers'", "Field required"]),
        ('{"servers": {}}', ["'mcpServers'", "Field required", "how VS Code spells it"]),
        ('{"mcp_servers": {}}', ["'mcpServers'", "Field required", "spelled 'mcp_servers'"]),
        ("[]", ["Input should be an object"]),
        ("null", ["Input should be an object"]),
        ('"text"', ["Input should be an object"]),
        ('{"mcpServers": []}', ["'mcpServers'", "Input should be an object"]),
        ('{"mcpServers": null}', ["'mcpServers'", "Input should be an object"]),
        ('{"x": ' + "[" * 500 + "]" * 500 + "}", ["nested too deeply"]),
        ('{"x": ' + '{"y": ' * 150 + "1" + "}" * 150 + ", }", ["nested too deeply"]),
        ('{"mcpServers": [{"name": "a"}]}', ["a list is how Continue writes it", "llm mcp import"]),
        ('{"mcp": {"a": {}}}', ["'mcp' is how another client spells it", "llm mcp import"]),
        ('{"fs": {"command": "x"}}', ['servers stand in there: {"mcpServers": {…}}']),
        ('{"url": "http://h"}', ["a server stands in there, under its name"]),
        ("{“mcpServers”: {}}", ["there is a LEFT DOUBLE QUOTATION MARK (line 1, column 2)"]),
        ('{\u00a0"mcpServers": {}}', ["there is a NO-BREAK SPACE"]),
        ('{"mcpServers": {}}\0', ["NUL characters", "save it as UTF-8"]),
        ('{"mcpServers": ' + "9" * 10_000 + "}", ["too many digits"]),
    ],
)
def test_malformed_file(text, parts):
    """What breaks the whole file is one message that names the file."""
    message = refused(text)
    assert all(part in message for part in parts), message
    assert len(message) < 300


@pytest.mark.parametrize(
    "text",
    [
        '// mine\n{"mcpServers": {"x": {"command": "a", "args": ["//b", "/* c */"]}}} // end',
        '{"mcpServers": {"x": {"command": "a" /* , */, "args": ["//b", "/* c */",],},},}',
        '{"mcpServers": {"x": {"args": ["//b", "/* c */"], // "command": "z",\n"command": "a"}}}',
    ],
)
def test_comments_and_trailing_commas_are_read_over(text):
    """Within a text they are none."""
    definition = parse(PATH, text, Context("/", {})).servers["x"]
    assert isinstance(definition, ServerDefinition)
    assert (definition.command, definition.args) == ("a", ("//b", "/* c */"))


def test_no_servers():
    """An empty config is fine."""
    assert parsed({}).servers == {}


def test_duplicate_key_the_last_one_wins():
    """As JSON readers do."""
    text = '{"mcpServers": {"x": {"command": "a"}, "x": {"command": "b"}}}'
    definition = parse(PATH, text, Context("/", {})).servers["x"]
    assert isinstance(definition, ServerDefinition)
    assert definition.command == "b"


def test_order_is_kept():
    """Servers come in the config's order."""
    assert list(parsed({name: {"command": "a"} for name in "zmab"}).servers) == list("zmab")


def test_config_that_is_no_file_names_none():
    """The config of MCP("https://…") has no path to show."""
    found = parse("", '{"mcpServers": {"x": {}}}', Context("/", {})).servers["x"]
    assert str(found).startswith("server 'x': Could not deduce")


# --- one server ------------------------------------------------------------------------------------

MALFORMED = [
    ("npx", ["server 'x': Input should be an object"]),
    (None, ["server 'x': Input should be an object"]),
    ({}, ["Could not deduce MCP server type"]),
    ({"args": ["a"]}, ["Could not deduce MCP server type"]),
    ({"comand": "x"}, ["Could not deduce MCP server type", "Did you mean 'command' by 'comand'?"]),
    (
        {"url": "http://u:p@h:1/mcp?k=v#f", "command": "npx"},
        ["Only 'url' or 'command' is allowed", "http://h:1/mcp,", "npx"],
    ),
    ({"url": 5, "command": ["npx"]}, ["Only 'url' or 'command' is allowed"]),
    ({"command": "x", "type": "sse"}, ["key 'url': Field required"]),
    ({"command": "x", "type": "http"}, ["key 'url': Field required: with a command 'type' is \"stdio\""]),
    ({"command": "x", "type": "streamable-http"}, ["key 'url': Field required"]),
    ({"url": "http://h", "type": "stdio"}, ["key 'command': Field required: with a url 'type' is \"http\""]),
    ({"command": "x", "type": "websocket"}, ["Unknown server 'type'. Provided 'type': websocket"]),
    ({"command": "x", "type": "STDIO"}, ["Unknown server 'type'", "STDIO"]),
    ({"command": "x", "type": 5}, ["key 'type'", "should be string"]),
    ({"command": "x", "type": None}, ["key 'type'", "should be string"]),
    ({"command": 5}, ["key 'command': Input should be a valid string"]),
    ({"command": None}, ["key 'command': Input should be a valid string"]),
    ({"command": "x", "args": "a"}, ["key 'args': Input should be a valid array"]),
    ({"command": "x", "args": ["a", 5]}, ["key 'args[1]': Input should be a valid string"]),
    ({"command": "x", "env": []}, ["key 'env': Input should be an object"]),
    ({"command": "x", "env": {"A": 5}}, ["key 'env.A': Input should be a valid string"]),
    ({"command": "x", "env": {"A": True}}, ["key 'env.A'"]),
    ({"command": "x", "env": {"A": None}}, ["key 'env.A'"]),
    ({"command": "x", "env": {"A": "\ud800"}}, ["not valid Unicode"]),
    ({"command": "x", "cwd": 5}, ["key 'cwd'"]),
    ({"command": "x", "inheritEnv": "A"}, ["key 'inheritEnv': Input should be true, false or an array"]),
    ({"command": "x", "inheritEnv": [5]}, ["key 'inheritEnv': Input should be true, false or an array"]),
    ({"url": 5}, ["key 'url': Input should be a valid string"]),
    ({"serverUrl": 5}, ["key 'serverUrl': Input should be a valid string"]),
    ({"serverUrl": "http://h", "command": "npx"}, ["Only 'url' or 'command' is allowed"]),
    ({"command": "x", "type": "remote"}, ["key 'url': Field required"]),
    ({"command": "x", "enabled": "no"}, ["key 'enabled': Input should be a valid boolean"]),
    ({"command": "x", "disabledTools": "a"}, ["key 'disabledTools': Input should be a valid array"]),
    ({"url": "http://h", "headers": ["a"]}, ["key 'headers': Input should be an object"]),
    ({"url": "http://h", "headers": {"A": 1}}, ["key 'headers.A'"]),
    ({"command": "x", "disabled": "yes"}, ["key 'disabled': Input should be a valid boolean"]),
    ({"command": "x", "includeTools": "a*"}, ["key 'includeTools': Input should be a valid array"]),
    ({"command": "x", "exclude_tools": [1]}, ["key 'exclude_tools[0]'"]),
    ({"command": "x", "protocol": "new"}, ["key 'protocol'", "'auto', 'legacy' or 'modern'"]),
    *(
        ({"command": "x", key: value}, [f"key '{key}'"])
        for key in ("timeout", "connectTimeout", "connect_timeout", "idleTimeout", "idle_timeout")
        for value in (-1, "30", True, [1], 10**400)
    ),
    *(({"command": "x", "instances": value}, ["key 'instances'"]) for value in (0, -1, 1.5, True, "2")),
    # found only when resolved
    ({"command": "x", "env": {"A": "${NOPE}"}}, ["key 'env.A'", "variable NOPE is not set", "${NOPE:-}"]),
    ({"command": "${NOPE}"}, ["key 'command'", "NOPE"]),
    ({"command": "x", "args": ["a", "${NOPE}"]}, ["key 'args[1]'", "NOPE"]),
    ({"command": "x", "cwd": "${NOPE}"}, ["key 'cwd'", "NOPE"]),
    ({"command": "x", "excludeTools": ["${NOPE}"]}, ["NOPE"]),
    ({"url": "${NOPE}/mcp"}, ["key 'url'", "NOPE"]),
    ({"url": "http://h", "headers": {"A": "${NOPE}"}}, ["key 'headers.A'", "NOPE"]),
    ({"command": "x", "env": {"A": "${env:NOPE}"}}, ["key 'env.A'", "variable NOPE is not set"]),
    ({"command": "x", "args": ["${A:-${NOPE}}"]}, ["key 'args[0]'", "variable NOPE is not set"]),
    *(
        ({"command": "x", "env": {"A": f"Bearer {text}"}}, ["key 'env.A'", shown, "not known here"])
        for text, shown in (
            ("${input:token}", "${input:…}"),
            ("${vault:shop/token}", "${vault:…}"),
            ("${op://vault/item}", "${op:…}"),
            ("${secrets.TOKEN}", "${secrets.…}"),
            ("${{ secrets.TOKEN }}", "${{…}"),
            ("${env:}", "${env:…}"),
            ("${A:-${input:x}}", "${input:…}"),
        )
    ),
    # what only shells expand, where no shell sees it
    *(
        entry
        for text in ("${}", "${1}", "${A-b}", "${A:+b}", "${1${A}}")
        for entry in (
            ({"url": f"http://h/{text}"}, ["key 'url'", "not known here"]),
            ({"url": "http://h", "headers": {"A": f"Bearer {text}"}}, ["key 'headers.A'", "not known here"]),
        )
    ),
    ({"url": "http://h", "headers": {"A": "Bearer {env:X}"}}, ["key 'headers.A'", "here it is ${env:X}"]),
    ({"command": "x\0"}, ["key 'command'", "NUL"]),
    ({"command": ""}, ["key 'command'", "empty"]),
    ({"command": "x", "args": ["\0"]}, ["key 'args[0]'", "NUL"]),
    ({"command": "x", "env": {"A": "\0"}}, ["key 'env.A'", "NUL"]),
    ({"command": "x", "env": {"A=B": ""}}, ["key 'env'"]),
    ({"command": "x", "env": {"": ""}}, ["key 'env'"]),
    ({"command": "x", "cwd": "\0"}, ["key 'cwd'", "NUL"]),
    *(
        ({"url": url}, ["key 'url'", "http:// or https://"])
        for url in (
            "",
            "h/mcp",
            "ftp://h",
            "http://",
            "http:///mcp",
            "http://[",
            "http://h/a b",
            "http://h/\n",
            " http://h",
            "//h/mcp",
            "ws://h",
        )
    ),
    ({"url": "http://h:x"}, ["its host or port is malformed"]),
    ({"url": "http://h:99999"}, ["its host or port is malformed"]),
    *(
        ({"url": "http://h", "headers": {"A": value}}, ["key 'headers.A'", "control character"])
        for value in ("a\n", "a\r\nB: c", "\0", "\x7f", "é")
    ),
    (
        {"url": "http://h", "headers": {"Content-Length": "5"}},
        ["key 'headers.Content-Length'", "leave it out"],
    ),
    *(
        ({"url": "http://h", "headers": {name: "v"}}, ["key 'headers'"])
        for name in ("", "A B", "A:", "Ä", "A\n")
    ),
]


@pytest.mark.parametrize(("entry", "parts"), MALFORMED, ids=lambda value: str(value)[:50])
def test_malformed_server(entry, parts):
    """Every mistake is a message that names file, server and key."""
    message = failure(entry)
    assert message.startswith(f"{PATH}: server 'x'"), message
    assert all(part in message for part in parts), message
    assert "\n" not in message


def test_null_stands_for_what_is_not_given():
    """Some programs write both command and url, and null for the other."""
    assert one({"command": "a", "url": None, "headers": None}).command_as_written == "a"
    assert one({"command": None, "args": None, "url": "http://h"}).url == "http://h"


def test_wrong_entry_costs_itself_alone():
    """Each has its own error, in the config's order; what is wrong for every caller is told apart."""
    entries = {
        "a": {},
        "b": {"command": "b"},
        "c": 5,
        "\ud800": {"command": "d"},
        "e": {"command": "${NOPE}"},
    }
    config = parsed(entries)
    kinds = [type(value) for value in config.servers.values()]
    assert kinds == [ConfigError, ServerDefinition, ConfigError, ConfigError, ConfigError]
    assert list(config.servers) == list(entries)
    assert list(config.mistakes) == ["a", "c", "\ud800"]


def test_unset_variable_costs_one_server():
    """The other servers of the file are usable."""
    servers = parsed({"a": {"command": "${NOPE}"}, "b": {"command": "b"}, "c": {"url": "no"}}).servers
    assert [type(value) for value in servers.values()] == [ConfigError, ServerDefinition, ConfigError]


def test_all_unset_variables_of_a_server_are_named():
    """A user exports them all at once."""
    message = failure({"command": "${ONE}", "env": {"A": "${TWO}${TWO}"}})
    assert "ONE" in message
    assert message.count("variable TWO") == 1


def test_disabled_server_is_skipped_unseen():
    """A disabled entry may be as broken as it likes."""
    off = {"a": {"disabled": True, "args": 5, "odd": 1}, "c": {"enabled": False}}
    on = {"b": {"disabled": False, "command": "b"}, "d": {"enabled": True, "command": "d"}}
    config = parsed({**off, **on})
    assert list(config.servers) == ["b", "d"]
    assert config.unknown_keys == ()


def test_unknown_keys_are_ignored_and_reported():
    """They break nothing; `doctor` can say what was probably meant."""
    config = parsed({"a": {"command": "a", "timout": 1, "gallery": []}, "b": {"url": "http://h"}})
    assert [found[:2] for found in config.unknown_keys] == [("a", "timout"), ("a", "gallery")]
    assert [found.suggestion for found in config.unknown_keys] == ["timeout", ""]


def test_keys_of_other_clients_are_told_in_our_words():
    """Though no letters are alike."""
    keys = (
        "environment",
        "workingDirectory",
        "arguments",
        "transport",
        "isActive",
        "Args",
        "tool_timeout_sec",
    )
    config = parsed({"a": {"command": "a", **dict.fromkeys(keys, "x")}})
    meant = ["env", "cwd", "args", "type", "enabled", "args", "timeout"]
    assert [found.suggestion for found in config.unknown_keys] == meant


def test_keys_of_the_other_transport_are_ignored():
    """With an explicit type, what belongs to the other transport is not looked at."""
    stdio = one({"type": "stdio", "command": "a", "url": 5, "headers": 5})
    assert (stdio.transport, stdio.url) == (Transport.STDIO, "")
    http = one({"type": "http", "url": "http://h", "command": 5, "env": 5, "instances": 0})
    assert (http.transport, http.command, http.instances) == (Transport.HTTP, "", 1)


def test_keys_of_the_other_transport_are_reported():
    """`doctor` says what they are for; no other spelling is suggested."""
    config = parsed({"a": {"url": "http://h", "instances": 2}, "b": {"command": "b", "headers": {}}})
    assert list(config.unknown_keys) == [
        ("a", "instances", "is for a command alone"),
        ("b", "headers", "is for a url alone"),
    ]
    assert [found.suggestion for found in config.unknown_keys] == ["", ""]


def test_unknown_keys_of_oauth_are_reported():
    """Those of a login are as easily misspelled, or put where they are not read."""
    oauth = {"clientID": "c", "client_secret": "s", "headers": {}, "audience": "x"}
    config = parsed({"a": {"url": "http://h", "oauth": oauth}, "b": {"url": "http://h", "oauth": False}})
    assert [(found.key, found.suggestion) for found in config.unknown_keys] == [
        ("oauth.clientID", "oauth.clientId"),
        ("oauth.headers", ""),
        ("oauth.audience", ""),
    ]
    assert "for the entry itself" in config.unknown_keys[1].reason
    misplaced = parsed({"a": {"command": "a", "oauth": {"clientID": "c"}}}).unknown_keys
    assert misplaced == (("a", "oauth", "is for a url alone"),)


def test_thousands_of_problems_are_five_and_a_number():
    """An error is read by people, and travels in a message of bounded size."""
    lines = failure({"command": "x", "env": {f"V{n}": f"${{UNSET_{n}}}" for n in range(3000)}}).splitlines()
    assert lines[0].endswith("3000 errors")
    assert len(lines) == 7
    assert lines[-1].strip() == "and 2995 more"


@pytest.mark.parametrize("entry", [{"command": "a"}, {"url": "http://h"}])
def test_null_stands_for_the_default(entry):
    """As it always did for args and env."""
    keys = (
        "args",
        "env",
        "headers",
        "cwd",
        "timeout",
        "connectTimeout",
        "includeTools",
        "instances",
        "disabled",
        "protocol",
    )
    assert one({**entry, **dict.fromkeys(keys)}) == one(entry)


@pytest.mark.parametrize(
    ("entry", "transport"),
    [
        ({"command": "a"}, Transport.STDIO),
        ({"url": "https://h/mcp"}, Transport.HTTP),
        ({"url": "https://h/sse"}, Transport.SSE),
        ({"url": "https://h/a/sse/b?x"}, Transport.SSE),
        ({"url": "https://h/mcp?next=/sse"}, Transport.SSE),
        ({"url": "https://sse.h/mcp"}, Transport.SSE),
        ({"url": "${URL}"}, Transport.SSE),
        ({"url": "https://h/sse", "type": "http"}, Transport.HTTP),
        ({"url": "https://h/sse", "type": "streamable-http"}, Transport.HTTP),
        ({"url": "https://h/mcp", "type": "sse"}, Transport.SSE),
        ({"url": "https://h/sse", "type": "streamableHttp"}, Transport.HTTP),
        ({"url": "https://h/sse", "type": "remote"}, Transport.SSE),
        ({"url": "https://h/mcp", "type": "remote"}, Transport.HTTP),
        ({"serverUrl": "https://h/mcp"}, Transport.HTTP),
        ({"command": "a", "type": "local"}, Transport.STDIO),
    ],
)
def test_transport(entry, transport):
    """The type decides, else /sse anywhere in the url."""
    assert one(entry, {"URL": "http://h/sse"}).transport is transport


def test_defaults():
    """What a config does not say."""
    definition = one({"command": "a"})
    assert (definition.timeout, definition.connect_timeout, definition.idle_timeout) == (300, 30, 600)
    assert (definition.instances, definition.protocol) == (1, Protocol.AUTO)
    assert (definition.include, definition.exclude) == ((), ())


@pytest.mark.parametrize("style", ["camel", "snake"])
def test_both_spellings(style):
    """The spellings includeTools and include_tools are the same key."""
    names = {
        "camel": ("includeTools", "excludeTools", "connectTimeout", "idleTimeout"),
        "snake": ("include_tools", "exclude_tools", "connect_timeout", "idle_timeout"),
    }[style]
    config = parsed({"x": {"command": "a", **dict(zip(names, (["a"], ["b"], 0, 1.5), strict=True))}})
    definition = config.servers["x"]
    assert isinstance(definition, ServerDefinition)
    assert (definition.include, definition.exclude) == (("a",), ("b",))
    assert (definition.connect_timeout, definition.idle_timeout) == (0, 1.5)
    assert config.unknown_keys == ()


@pytest.mark.parametrize("written", [None, "auto", "legacy", "modern"])
@pytest.mark.parametrize("asked", [None, Protocol.AUTO, Protocol.LEGACY])
def test_protocol(written, asked):
    """What the caller asks for overrides the config."""
    assert one({"command": "a", "protocol": written}, protocol=asked).protocol is (
        asked or Protocol(written or "auto")
    )


@pytest.mark.parametrize("key", ["aprove", "excludeTool", "excludetools", "disable", "IncludeTools"])
def test_misspelt_guard_is_a_mistake(key: str) -> None:
    """A key that was to keep a model from something would else guard nothing, and nobody would know."""
    assert f"key '{key}': is unknown; did you mean '" in failure({"command": "x", key: True})


def test_misspelt_approve_beside_the_servers_is_a_mistake() -> None:
    """It was meant for all of them: none is used without it."""
    assert "key 'aprove': is unknown; did you mean 'approve'" in refused('{"mcpServers": {}, "aprove": ""}')
