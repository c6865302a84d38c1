"""What a project's `.mcp.json` reads from other files is part of what is trusted: it decides what runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.client.caller import make_caller
from llm_tools_mcp.config import ServerDefinition, read_project
from llm_tools_mcp.consent.projects import IGNORED, Projects, read_config_here
from llm_tools_mcp.daemon.front.configs import ParsedConfigs
from tests.home import BIN, Home, living_in
from tests.prompting import invoke
from tests.terminal.dialogue import converse

ENTRY = {
    "command": "./serve.sh",
    "args": ["${file:arguments}"],
    "env": {"TOKEN": "${file:token}"},
    "envFile": "${workspaceFolder}/${PLACE}.env",
}


@pytest.fixture
def project(home: Home) -> Iterator[Path]:
    """A trusted one, where this process is."""
    (home.work / "serve.sh").write_text("#!/bin/sh\n")
    (home.work / "serve.sh").chmod(0o755)
    (home.work / "arguments").write_text("--read-only")
    (home.work / "token").write_text("s3cret-t0ken")
    (home.work / ".env").write_text("API_KEY=s3cret\nREGION=eu\n")
    (home.work / ".mcp.json").write_text(json.dumps({"mcpServers": {"own": ENTRY}}))
    home.env["PLACE"] = ""
    home.write_config({"mine": {"command": "true", "envFile": str(home.folder / "my.env")}})
    (home.folder / "my.env").write_text("A=1\n")
    with living_in(home):
        yield home.work


def resolved(source: Any, server: str = "own") -> ServerDefinition:
    """As the daemon would start it."""
    parsed = ParsedConfigs().get(make_caller(source), v1.Protocol.PROTOCOL_UNSPECIFIED)
    definition = parsed.servers[server]
    assert isinstance(definition, ServerDefinition), definition
    return definition


def test_shown_and_trusted(project: Path) -> None:
    """Names, what decides what runs, and the programs of the project; no secret."""
    shown = invoke("mcp", "trust", "--yes").stdout
    assert "    the project's own: serve.sh (runs as it is at the time" in shown
    assert "file token, which is part of what is trusted\n    (its text, which is not shown" in shown
    assert "    API_KEY\n    REGION=eu\n" in shown
    assert "s3cret" not in shown
    definition = resolved(read_config_here())
    assert definition.args == ("--read-only",)
    assert (definition.env["API_KEY"], definition.env["TOKEN"]) == ("s3cret", "s3cret-t0ken")


@pytest.mark.parametrize("name", ["arguments", "token", ".env"])
@pytest.mark.parametrize("change", ["other text", "gone", "no regular file"])
def test_changed_file(project: Path, name: str, change: str) -> None:
    """Wherever one of them is another, the servers are not used, and it is said which one it was."""
    invoke("mcp", "trust", "--yes")
    (project / name).unlink()
    if change == "other text":
        (project / name).write_text("LD_PRELOAD=./evil.so")
    elif change == "no regular file":
        (project / name).mkdir()
    source = read_config_here()
    written = ENTRY["envFile"] if name == ".env" else name
    assert (source.project, len(source.warnings)) == (None, 1)
    assert f"what it reads from {written} has changed since you trusted it" in source.warnings[0]
    assert "mine" in make_caller(source).config
    assert "trusted: prompts in" in invoke("mcp", "trust", "--yes").stdout
    assert read_config_here().project is not None


def test_bytes_that_were_hashed_are_those_that_are_used(project: Path) -> None:
    """A file that changes between the look and the use is used as it was; the next look sees the change."""
    invoke("mcp", "trust", "--yes")
    source = read_config_here()
    (project / ".env").write_text("LD_PRELOAD=./evil.so")
    (project / "arguments").write_text("--all")
    definition = resolved(source)
    assert ("LD_PRELOAD" in definition.env, definition.args) == (False, ("--read-only",))
    assert read_config_here().project is None


def test_another_file_of_the_name_in_a_variable(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An `envFile` that a variable leads elsewhere is another one."""
    invoke("mcp", "trust", "--yes")
    (project / "evil.env").write_text("PATH=./bin")
    monkeypatch.setenv("PLACE", "evil")
    assert read_config_here().project is None


def test_files_of_the_same_name(home: Home, project: Path) -> None:
    """Of the own config below the caller's folder, of the project below its folder."""
    below = project / "below"
    below.mkdir()
    (below / ".env").write_text("REGION=us")
    home.write_config({"mine": {"command": "true", "envFile": ".env"}})
    invoke("mcp", "trust", "--yes")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(below)
        source = read_config_here()
        assert resolved(source, "mine").env["REGION"] == "us"
        assert resolved(source, "own").env["REGION"] == "eu"


def test_nothing_is_read_before_it_is_trusted(project: Path) -> None:
    """Of a project that nobody has decided on, or that is ignored, only the file itself."""
    assert Projects().verdict(read_project(str(project / ".mcp.json")), {}).project.files == {}
    invoke("mcp", "untrust")
    verdict = Projects().verdict(read_project(str(project / ".mcp.json")), {})
    assert (verdict.decision, verdict.project.files) == (IGNORED, {})


def test_change_is_shown(home: Home, project: Path) -> None:
    """What is new in it, and that a value has changed which is not shown."""
    invoke("mcp", "trust", "--yes")
    (project / ".env").write_text("API_KEY=other\nREGION=eu\nNODE_OPTIONS=--require ./x.js\n")
    (project / "token").write_text("an0ther-t0ken")
    env = {**home.env, "TERM": "xterm"}
    seen = converse([str(BIN / "llm-mcp"), "trust"], ("Trust them?", "y\n"), env=env, cwd=project)
    assert "  | +NODE_OPTIONS=--require ./x.js" in seen.screen
    assert "  | token: a value or a comment, which is not shown" in seen.screen
    assert "t0ken" not in seen.raw
    assert seen.code == 0
    assert resolved(read_config_here()).env["NODE_OPTIONS"] == "--require ./x.js"
