"""search, add --from: servers of a registry, on loopback, by its documented API."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llm_tools_mcp.cli import group
from llm_tools_mcp.cli.servers import adding
from llm_tools_mcp.errors import McpError
from tests.cli.terminal import run_in_terminal
from tests.home import Home
from tests.programs import Result
from tests.published.bundle_files import bundle
from tests.servers import FOLDER, naming_server
from tests.servers.registry import Registry, serving

OFFICIAL = "io.modelcontextprotocol.registry/official"
WEATHER = {
    "registryType": "npm",
    "identifier": "@user/weather",
    "version": "1.0.2",
    "transport": {"type": "stdio"},
    "packageArguments": [{"type": "positional", "valueHint": "city", "isRequired": True, "isRepeated": True}],
    "environmentVariables": [
        {
            "name": "API_KEY",
            "description": "Key of \x1b[31mthe\x1b[0m service",
            "isRequired": True,
            "isSecret": True,
        },
        {"name": "UNITS", "default": "metric", "choices": ["metric", "imperial"]},
    ],
}


def response(
    name: str, version: str = "1.0.2", *, latest: bool = True, status: str = "active", **keys: Any
) -> Any:
    server = {"name": name, "version": version, "description": f"About \x1b[2J{name}", **keys}
    return {
        "server": server,
        "_meta": {OFFICIAL: {"status": status, "statusMessage": "use v2", "isLatest": latest}},
    }


SERVERS = [
    response("io.github.user/weather", packages=[WEATHER]),
    response("io.github.user/weather", "0.9.0", latest=False, packages=[{**WEATHER, "version": "0.9.0"}]),
    response("com.stripe/mcp", remotes=[{"type": "sse", "url": "https://mcp.stripe.example/sse"}]),
    response("com.old/weather", status="deprecated", packages=[WEATHER]),
    response("com.gone/weather", status="deleted", packages=[WEATHER]),
]


@pytest.fixture
def registry(home: Home) -> Iterator[Registry]:
    """Serves SERVERS at $LLM_MCP_REGISTRY of the home."""
    with serving() as registry:
        registry.servers = SERVERS
        home.env["LLM_MCP_REGISTRY"] = registry.url
        yield registry


def invoke(home: Home, *words: str) -> Result:
    """In this process, for tests that need many. What ends in an error of ours: its text, and exit code 1."""
    done = CliRunner().invoke(group, words, env={**dict.fromkeys(os.environ), **home.env})
    if isinstance(done.exception, McpError):
        return Result(words, 1, done.stdout, str(done.exception), 0)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Result(words, done.exit_code, done.stdout, done.stderr, 0)


def entry_of(home: Home, name: str) -> Any:
    return json.loads(home.config.read_text())["mcpServers"][name]


def test_search(home: Home, registry: Registry) -> None:
    """All pages, each server once, cleaned; a word that no name has is looked for in descriptions."""
    lines = home.run_cli("search", "about weather").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "NAME",
        "io.github.user/weather",
        "com.old/weather",
        "com.gone/weather",
    ]
    assert lines[1].split(None, 3)[1:] == ["1.0.2", "npm", "About io.github.user/weather"]
    assert "(deprecated)" in lines[2]
    found = json.loads(invoke(home, "search", "STRIPE", "--json").stdout)["servers"]
    assert [(one["name"], one["as"]) for one in found] == [("com.stripe/mcp", ["remote"])]
    assert "nothing found" in invoke(home, "search", "zebra").stderr


def test_add_for_scripts(home: Home, registry: Registry) -> None:
    """What is missing is listed; the secret goes into `llm keys`, and the version is pinned."""
    add = ("add", "--from", "io.github.user/weather", "--no-check")
    refused = invoke(home, *add)
    assert refused.code == 1
    assert "  city=…  (text)\n  API_KEY=…  (text; secret)  Key of the service\n" in refused.stderr
    assert not home.config.exists()
    done = home.run_cli(*add, "city=New York", "city=Oslo", "api_key=s3cr3t")
    assert "runs: npx -y @user/weather@1.0.2 'New York' Oslo\n  env: API_KEY=…\n" in done.stdout
    assert "s3cr3t" not in done.stdout + done.stderr
    assert entry_of(home, "weather") == {
        "command": "npx",
        "args": ["-y", "@user/weather@1.0.2", "New York", "Oslo"],
        "env": {"API_KEY": "${llm:weather_API_KEY}", "UNITS": "metric"},
    }
    keys = home.folder / "llm" / "keys.json"
    assert json.loads(keys.read_text())["weather_API_KEY"] == "s3cr3t"
    assert keys.stat().st_mode & 0o777 == 0o600


def test_add_of_a_version_with_a_reference(home: Home, registry: Registry) -> None:
    """`${VAR}` stays what it is; another name; a file for the secret where that is wished for."""
    add = ("add", "--from", "io.github.user/weather", "--version", "0.9.0", "--no-check", "city=Oslo")
    invoke(home, *add, "old", "API_KEY=${WEATHER_KEY}")
    assert entry_of(home, "old")["args"][1] == "@user/weather@0.9.0"
    assert entry_of(home, "old")["env"]["API_KEY"] == "${WEATHER_KEY}"
    invoke(home, *add, "filed", "API_KEY=s3cr3t", "--secrets", "file", "UNITS=imperial")
    (kept,) = (home.folder / "data" / "llm-tools-mcp" / "secrets").glob("filed_API_KEY-*")
    assert entry_of(home, "filed")["env"] == {
        "API_KEY": f"${{file:~/data/llm-tools-mcp/secrets/{kept.name}}}",
        "UNITS": "imperial",
    }


def test_add_on_a_terminal(home: Home, registry: Registry) -> None:
    """Each is asked for until it fits, a secret without echo; the whole is shown, and agreed to."""
    typed = b"\nOslo\nBergen\n\ns3cr3t\nkelvin\nimperial\ny\n"
    seen = run_in_terminal(
        home,
        *("add", "--from", "io.github.user/weather", "--no-check"),
        when=lambda text: "city (text)" in text and text.endswith("> "),
        then=typed,
    )
    assert seen.code == 0, seen.screen
    assert "It is needed" in seen.screen
    assert "That is none of metric, imperial." in seen.screen
    assert "  | Key of the service" in seen.screen
    assert "s3cr3t" not in seen.raw.partition("API_KEY (text; secret)")[2]
    assert entry_of(home, "weather")["args"][2:] == ["Oslo", "Bergen"]
    assert entry_of(home, "weather")["env"] == {"API_KEY": "${llm:weather_API_KEY}", "UNITS": "imperial"}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--from", "com.gone/weather"], "was withdrawn from the registry: use v2"),
        (["--from", "com.nobody/weather"], "did you mean: io.github.user/weather"),
        (["--from", "nobody/nothing"], "llm mcp search WORDS"),
        (["--from", "io.github.user/weather", "--version", "7"], "no version '7'"),
        (["--from", "io.github.user/weather", "cty=x"], "did you mean 'city'"),
        (["--from", "io.github.user/weather", "UNITS=kelvin"], "UNITS=…: none of metric, imperial"),
        (["--from", "io.github.user/weather", "--package", "oci"], "there is only npm"),
        (["--from", "x/y", "--registry", "http://h.example"], "no https:// url"),
        (["--from", "x/y", "--registry", "https://u:s3cr3t@h.example"], "has a name or password in it"),
        (["--from", "x/\udcff"], "no UTF-8"),
        (["--from", "io.github.user/weather", "city=\udcff"], "city=…: no text (UTF-8)"),
        (["--from", "x/y", "--registry", "http://127.0.0.1:9"], "cannot be reached"),
        (["--from", "io.github.user/weather", "-e", "A=b"], "--env is for a command or a URL"),
        (["x", "--version", "1", "--", "npx"], "--version is for --from"),
    ],
)
def test_mistakes(home: Home, registry: Registry, words: list[str], complaint: str) -> None:
    """One line says what is wrong, and nothing is written."""
    done = invoke(home, "add", *words)
    assert done.code in (1, 2)
    assert complaint in done.stderr
    assert not home.config.exists()


def test_vague_names_and_warnings(home: Home, registry: Registry) -> None:
    """com.stripe/mcp is `stripe` here; one that is deprecated says so; the config may name the registry."""
    home.config.write_text(json.dumps({"registry": home.env.pop("LLM_MCP_REGISTRY"), "mcpServers": {}}))
    invoke(home, "add", "--from", "com.stripe/mcp", "--no-check")
    assert entry_of(home, "stripe") == {"type": "sse", "url": "https://mcp.stripe.example/sse"}
    done = invoke(home, "add", "--from", "com.old/weather", "--no-check", "city=x", "API_KEY=${K}")
    assert "Warning: com.old/weather is deprecated: use v2" in done.stderr


def note_server(tmp_path: Path, **keys: Any) -> Path:
    """A bundle whose server is a real one, and offers the tools `alpha` and `beta`."""
    program, script, *args = naming_server("alpha", "beta")
    sources = [("main.py", Path(script).read_text()), ("faulty.py", (FOLDER / "faulty.py").read_text())]
    config = {
        "command": program,
        "args": ["${__dirname}/main.py", *args],
        "env": {"TOKEN": "${user_config.token}"},
    }
    return bundle(tmp_path / "notes.mcpb", *sources, config=config, **keys)


def test_add_a_bundle(home: Home, tmp_path: Path) -> None:
    """It is asked for what it needs, unpacked, connected to; and removed with its server."""
    options = {
        "token": {"type": "string", "title": "Token", "sensitive": True, "required": True},
        "folder": {"type": "directory", "title": "Folder", "required": True},
    }
    file = str(note_server(tmp_path, user_config=options))
    refused = invoke(home, "add", file, "folder=/nowhere", "token=s3cr3t")
    assert refused.stderr == "folder=…: no such folder"
    assert "  token=…  (text; secret)  Token" in invoke(home, "add", file, "folder=.").stderr
    done = home.run_cli("add", file, "folder=.", "token=s3cr3t")
    assert "it offers 2 tools: alpha, beta" in done.stdout
    assert "s3cr3t" not in done.stdout + home.config.read_text()
    entry = entry_of(home, "notes")
    folder = Path(entry["args"][0]).parent
    assert folder.parent == home.folder / "data" / "llm-tools-mcp" / "bundles"
    assert entry["env"] == {"TOKEN": "${llm:notes_token}"}
    invoke(home, "add", "other", file, "folder=.", "token=${T}", "--no-check")
    assert "already" in invoke(home, "add", file).stderr
    gone = invoke(home, "remove", "notes")
    assert f"removed its bundle {folder}" in gone.stdout
    assert not folder.exists()
    assert Path(entry_of(home, "other")["args"][0]).exists()


def test_add_a_bundle_of_the_registry(home: Home, registry: Registry, tmp_path: Path) -> None:
    """It is fetched, also from where it is sent on to, and used only if it is the file that was published."""
    content = note_server(tmp_path).read_bytes()
    registry.files = {"/notes.mcpb": "/there", "/there": str(tmp_path / "notes.mcpb")}
    registry.files["/notes.mcpb"] = f"{registry.url}/there"
    package = {
        "registryType": "mcpb",
        "identifier": f"{registry.url}/notes.mcpb",
        "fileSha256": hashlib.sha256(content).hexdigest(),
        "transport": {"type": "stdio"},
    }
    registry.servers = [response("com.example/notes", packages=[package])]
    invoke(home, "add", "--from", "com.example/notes", "--no-check")
    assert Path(entry_of(home, "notes")["args"][0]).read_text() == Path(naming_server()[1]).read_text()
    package["fileSha256"] = "0" * 64
    assert "SHA-256 is another one" in invoke(home, "add", "x", "--from", "com.example/notes").stderr


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["missing.mcpb"], "there is no file"),
        (["x", "x.mcpb", "a=b"], "no zip file"),
        (["x.mcpb", "y=z"], "no zip"),
    ],
)
def test_mistakes_with_bundles(
    home: Home, words: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says what is wrong, and nothing is written."""
    monkeypatch.chdir(home.work)
    Path("x.mcpb").write_text("no bundle")
    assert complaint in invoke(home, "add", *words).stderr
    assert not home.config.exists()


@pytest.mark.parametrize(("step", "is_written"), [("_try", True), ("edited", False)])
@pytest.mark.parametrize("error", [McpError("x"), OSError("x"), KeyboardInterrupt()])
def test_bundle_stays_only_with_its_entry(
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    step: str,
    is_written: bool,
    error: BaseException,
) -> None:
    """What fails after the entry was written leaves its program; what fails before leaves nothing."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(adding, step, fail)
    CliRunner().invoke(
        group, ["add", str(note_server(tmp_path))], env={**dict.fromkeys(os.environ), **home.env}
    )
    folder = home.folder / "data" / "llm-tools-mcp" / "bundles"
    assert home.config.exists() == is_written
    assert len([*folder.iterdir()]) == is_written
    if is_written:
        assert Path(entry_of(home, "notes")["args"][0]).exists()
