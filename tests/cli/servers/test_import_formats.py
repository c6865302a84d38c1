"""import: the config of each client in the form that its documentation gives, and what becomes of it here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.servers.foreign_configs import CASES, FILES, Case
from tests.home import Home

CONFIGS = Path(__file__).parent / "configs"
SUPPORT = "Library/Application Support"


def put(home: Home, sample: str, place: str) -> Path:
    if sys.platform == "darwin":
        place = place.replace("config/Code", f"{SUPPORT}/Code").replace("config/Claude", f"{SUPPORT}/Claude")
    path = home.folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((CONFIGS / sample).read_text().replace("@WORK@", str(home.work)))
    return path


def expected(home: Home, servers: dict[str, Any]) -> Any:
    return json.loads(json.dumps(servers).replace("@WORK@", str(home.work)))


def imported(home: Home) -> dict[str, Any]:
    return dict(json.loads(home.config.read_text())["mcpServers"])


@pytest.fixture
def surroundings(home: Home) -> None:
    """What the samples of projects and switches refer to."""
    put(home, "claude-code.json", ".claude.json")
    for name, text in {
        "work/tools/docs.js": "",
        "work/.claude/settings.local.json": '{"disabledMcpjsonServers": ["unwanted"]}',
        ".gemini/mcp-server-enablement.json": '{"paused": {"enabled": false}}',
    }.items():
        (home.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (home.folder / name).write_text(text)


@pytest.mark.usefixtures("surroundings")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.place)
def test_config_where_the_client_keeps_it(home: Home, case: Case) -> None:
    """Every server in our words, what is lost named, nothing secret shown; the result is a valid config."""
    put(home, case.sample, case.place)
    shown = home.run_here("import", case.client, "--yes", "--no-check").stdout
    servers = imported(home)
    assert {name: servers[name] for name in case.servers} == expected(home, case.servers)
    assert [text for text in case.said if text not in shown] == []
    assert [text for text in case.unsaid if text in shown] == []
    home.run_here("list")


@pytest.mark.usefixtures("surroundings")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.place)
def test_no_server_is_lost_without_a_word(home: Home, case: Case) -> None:
    """What the file has and mcp.json has not stands in the table as skipped."""
    path = put(home, case.sample, case.place)
    shown = home.run_here("import", str(path), "--yes", "--no-check").stdout
    assert set(case.servers) <= set(imported(home))
    skipped = {line.split()[0].rstrip(",") for line in shown.splitlines() if " skip " in line}
    assert skipped == {"claude-code.json": {"socket", "far"}, "vscode.jsonc": {"pipe"}}.get(
        case.sample, set()
    )


@pytest.mark.parametrize("sample", FILES)
def test_file_of_a_client_that_has_no_name_here(home: Home, sample: str) -> None:
    """The spellings of Cline, Roo Code, fastmcp and the Agent Client Protocol, and what is for Windows."""
    servers, said = FILES[sample]
    shown = home.run_here(
        "import", str(put(home, sample, f"elsewhere/{sample}")), "--yes", "--no-check"
    ).stdout
    assert imported(home) == servers
    assert [text for text in said if text not in shown] == []
    assert not any(secret in shown for secret in ("s3cr3t", "t0ken", "v4lue"))


@pytest.mark.parametrize(
    ("sample", "name", "key"),
    [
        ("gemini.json", "python", "timeout"),
        ("vscode.jsonc", "search", "args"),
        ("codex.toml", "figma", "headers"),
    ],
)
def test_file_is_known_by_its_keys(home: Home, sample: str, name: str, key: str) -> None:
    """A copy that lies elsewhere means the same."""
    home.run_here("import", str(put(home, sample, f"copies/{sample}")), "--yes", "--no-check")
    case = next(case for case in CASES if case.sample == sample)
    assert imported(home)[name][key] == case.servers[name][key]


@pytest.mark.parametrize(
    ("variable", "place", "client", "sample"),
    [
        ("CLAUDE_CONFIG_DIR", ".claude.json", "claude-code", "claude-code.json"),
        ("CODEX_HOME", "config.toml", "codex", "codex.toml"),
        ("COPILOT_HOME", "mcp-config.json", "vscode", "copilot.json"),
    ],
)
def test_moved_folders(home: Home, variable: str, place: str, client: str, sample: str) -> None:
    """Variables that move a client's folder are followed."""
    put(home, sample, f"moved/{place}")
    assert "nothing found" in home.run_here("import", client, "--dry-run").stdout
    moved = {variable: str(home.folder / "moved")}
    assert "would add" in home.run_here("import", client, "--dry-run", env=moved).stdout
