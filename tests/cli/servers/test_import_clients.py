"""import: clients whose servers stand under other names, in other shapes and in other languages."""

from __future__ import annotations

import json
import sys
from typing import Any, NamedTuple

import pytest

from tests.home import Home


class Sample(NamedTuple):
    """A client's config, where it lies below HOME, what becomes of its servers, and what is said of them."""

    client: str
    place: str
    text: str
    servers: dict[str, Any]
    said: tuple[str, ...] = ()


SAMPLES = [
    Sample(
        "opencode",
        "config/opencode/opencode.jsonc",
        """{
          "$schema": "https://opencode.ai/config.json", // mine
          "mcp": {
            "oc-local": {
              "type": "local", "command": ["bun", "x", "search"], "timeout": 9000,
              "environment": {"KEY": "{env:SEARCH_KEY}", "MODE": "fast"},
            },
            "oc-web": {"type": "remote", "url": "https://h/mcp", "enabled": false,
              "headers": {"Authorization": "Bearer {env:OC_TOKEN}"}},
          },
        }""",
        {
            "oc-local": {
                "command": "bun",
                "args": ["x", "search"],
                "env": {"KEY": "${SEARCH_KEY}", "MODE": "fast"},
                "connectTimeout": 9.0,
            },
            "oc-web": {
                "url": "https://h/mcp",
                "headers": {"Authorization": "Bearer ${OC_TOKEN}"},
                "disabled": True,
            },
        },
        ("oc-web: is switched off there",),
    ),
    Sample(
        "zed",
        "config/zed/settings.json",
        """{"theme": "x", "context_servers": {
          "zed-new": {"source": "custom", "command": "npx", "args": ["-y", "a"], "env": {}, "timeout": 90},
          "zed-old": {"command": {"path": "/opt/b", "args": ["-v"], "env": {"K": "v"}}, "settings": {}},
          "zed-extension": {"source": "extension", "settings": {"x": 1}}
        }}""",
        {
            "zed-new": {"command": "npx", "args": ["-y", "a"], "timeout": 90},
            "zed-old": {"command": "/opt/b", "args": ["-v"], "env": {"K": "v"}},
        },
        ("zed-extension: has neither command nor url",),
    ),
    Sample(
        "crush",
        "config/crush/crush.json",
        """{"mcp": {
          "crush-files": {"type": "stdio", "command": "node", "args": ["/srv/f.js"], "timeout": 120,
            "env": {"KEY": "$CRUSH_KEY", "LATER": "$(pass show x)"}, "disabled_tools": ["rm"]},
          "crush-web": {"type": "sse", "url": "https://h/events", "headers": {"X-Key": "s3cr3t"}}
        }}""",
        {
            "crush-files": {
                "command": "node",
                "args": ["/srv/f.js"],
                "timeout": 120,
                "env": {"KEY": "${CRUSH_KEY}", "LATER": "$(pass show x)"},
                "excludeTools": ["rm"],
            },
            "crush-web": {"type": "sse", "url": "https://h/events", "headers": {"X-Key": "s3cr3t"}},
        },
        (
            "crush-files: $(…) is not run here",
            "crush-web: headers.X-Key is a literal token: better as ${X_KEY}",
        ),
    ),
    Sample(
        "amp",
        "config/amp/settings.json",
        """{"amp.thinking": true, "amp.mcpServers": {
          "amp-play": {"command": "npx", "args": ["-y", "play"], "includeTools": ["go_*"]},
          "amp-web": {"url": "https://h/mcp", "headers": {"Authorization": "Bearer ${AMP_TOKEN}"}}
        }}""",
        {
            "amp-play": {"command": "npx", "args": ["-y", "play"], "includeTools": ["go_*"]},
            "amp-web": {"url": "https://h/mcp", "headers": {"Authorization": "Bearer ${AMP_TOKEN}"}},
        },
    ),
    Sample(
        "continue",
        ".continue/config.yaml",
        """
name: mine
mcpServers:
  - name: cont-db
    command: npx
    args: ["-y", "db", 5]
    env: {TOKEN: "${{ secrets.DB_TOKEN }}"}
    connectionTimeout: 20000
  - name: cont-web
    type: streamable-http
    url: https://h/mcp
    requestOptions: {headers: {X-Key: "${{ secrets.WEB_KEY }}"}}
""",
        {
            "cont-db": {
                "command": "npx",
                "args": ["-y", "db", "5"],
                "env": {"TOKEN": "${DB_TOKEN}"},
                "connectTimeout": 20.0,
            },
            "cont-web": {"url": "https://h/mcp", "headers": {"X-Key": "${WEB_KEY}"}},
        },
    ),
    Sample(
        "mcphost",
        ".mcphost.yml",
        """
mcpServers:
  host-fs:
    type: local
    command: [npx, -y, fs, /tmp]
    environment: {KEY: "${env://HOST_KEY:-none}"}
    allowedTools: [read]
  host-web: {type: remote, url: "https://h/mcp", headers: ["Authorization: Bearer s3cr3t"]}
  host-own: {type: builtin, name: fs}
model: x
""",
        {
            "host-fs": {
                "command": "npx",
                "args": ["-y", "fs", "/tmp"],
                "env": {"KEY": "${HOST_KEY:-none}"},
                "includeTools": ["read"],
            },
            "host-web": {"url": "https://h/mcp", "headers": {"Authorization": "Bearer s3cr3t"}},
        },
        ("host-web: headers.Authorization is a literal token", "host-own: is a part of that client"),
    ),
    Sample(
        "mcporter",
        ".mcporter/mcporter.json",
        """{"mcpServers": {
          "port-web": {"baseUrl": "https://h/mcp", "bearerTokenEnv": "PORT_TOKEN", "description": "x"},
          "port-run": {"command": ["node", "s.js"], "env": {"A": "$env:PORT_A"}, "cwd": "/srv"}
        }, "imports": []}""",
        {
            "port-web": {"url": "https://h/mcp", "headers": {"Authorization": "Bearer ${PORT_TOKEN}"}},
            "port-run": {"command": "node", "args": ["s.js"], "env": {"A": "${PORT_A}"}, "cwd": "/srv"},
        },
    ),
    Sample(
        "goose",
        "config/goose/config.yaml",
        """
GOOSE_MODEL: x
extensions:
  developer: {type: builtin, name: developer, enabled: true, bundled: true}
  goose-track:
    {type: stdio, cmd: track, args: [serve], envs: {LEVEL: 2}, env_keys: [TRACK_KEY], timeout: 300}
  goose-web: {type: streamable_http, uri: "https://h/mcp", headers: {}, enabled: false}
""",
        {
            "goose-track": {
                "command": "track",
                "args": ["serve"],
                "env": {"TRACK_KEY": "${TRACK_KEY}", "LEVEL": "2"},
                "timeout": 300,
            },
            "goose-web": {"url": "https://h/mcp", "disabled": True},
        },
        ("developer: is a part of that client", "goose-track: set TRACK_KEY in your environment"),
    ),
    Sample(
        "jetbrains",
        "config/JetBrains/PyCharm2026.1/options/llm.mcpServers.xml",
        """<application><component name="McpApplicationServerCommands"><commands>
          <McpServerCommand>
            <option name="enabled" value="false" /><option name="name" value="jet" />
            <option name="programPath" value="npx" /><option name="arguments" value="-y 'a b'" />
            <option name="workingDirectory" value="" />
            <envs><env name="API_KEY" value="s3cr3t" /></envs>
          </McpServerCommand>
        </commands></component></application>""",
        {"jet": {"command": "npx", "args": ["-y", "a b"], "env": {"API_KEY": "s3cr3t"}, "disabled": True}},
        ("jet: is switched off there", "env.API_KEY is a literal token: better as ${API_KEY}"),
    ),
    Sample(
        "kilo",
        "config/kilo/kilo.jsonc",
        """{"mcp": {
          "kilo-run": {"type": "local", "command": ["npx", "-y", "a"], "environment": {"K": "{env:KILO_KEY}"},
            "timeout": 15000},
          "kilo-web": {"type": "remote", "url": "https://h/mcp",
            "oauth": {"clientId": "abc", "scope": "r w"}},
        }}""",
        {
            "kilo-run": {
                "command": "npx",
                "args": ["-y", "a"],
                "env": {"K": "${KILO_KEY}"},
                "connectTimeout": 15.0,
            },
            "kilo-web": {"url": "https://h/mcp", "oauth": {"clientId": "abc", "scopes": "r w"}},
        },
        ("kilo-web: to log in: llm mcp login kilo-web",),
    ),
    Sample(
        "librechat",
        "work/librechat.yaml",
        """
version: 1.2.8
mcpServers:
  libre-web:
    type: streamable-http
    url: https://h/mcp
    timeout: 60000
    initTimeout: 15000
    headers: {X-Key: "${LIBRE_KEY}", X-User: "{{LIBRECHAT_USER_ID}}"}
    serverInstructions: true
    chatMenu: false
  libre-run: {command: npx, args: [-y, b], iconPath: /i.svg, startup: true, customUserVars: {K: {title: K}}}
""",
        {
            "libre-web": {
                "url": "https://h/mcp",
                "timeout": 60.0,
                "connectTimeout": 15.0,
                "headers": {"X-Key": "${LIBRE_KEY}", "X-User": "{{LIBRECHAT_USER_ID}}"},
            },
            "libre-run": {"command": "npx", "args": ["-y", "b"]},
        },
        (
            "libre-web: without serverInstructions; {{…}} has no counterpart here: replace it by hand",
            "libre-run: without customUserVars",
        ),
    ),
    Sample(
        "fast-agent",
        "work/fastagent.config.yaml",
        """
default_model: x
mcp:
  targets:
    - {name: fast-one, target: "uvx mcp-server-fetch"}
    - {name: fast-web, target: "https://h/mcp", load_on_start: false}
  servers:
    fast-two: {transport: sse, url: "https://h/events", read_timeout_seconds: 45}
""",
        {
            "fast-two": {"url": "https://h/events", "type": "sse", "timeout": 45},
            "fast-one": {"command": "uvx", "args": ["mcp-server-fetch"]},
            "fast-web": {"url": "https://h/mcp"},
        },
    ),
]
# Clients that write `mcpServers` as everybody does, and what they keep beside their users' files.
PLACES = (
    ".aws/amazonq/mcp.json",
    ".aws/amazonq/cli-agents/helper.json",
    ".augment/settings.json",
    ".boltai/mcp.json",
    ".cline/data/settings/cline_mcp_settings.json",
    ".copilot/mcp-config.json",
    ".factory/mcp.json",
    ".gemini/antigravity/mcp_config.json",
    ".gemini/extensions/maps/gemini-extension.json",
    ".kilocode/cli/global/settings/mcp_settings.json",
    ".kimi/mcp.json",
    ".kiro/settings/mcp.json",
    ".lmstudio/mcp.json",
    ".qwen/settings.json",
    ".rovodev/mcp.json",
    ".warp/.mcp.json",
    "config/Code/User/globalStorage/kilocode.kilo-code/settings/mcp_settings.json",
    "config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json",
    "config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
    "config/Trae/User/mcp.json",
    "config/anythingllm-desktop/storage/plugins/anythingllm_mcp_servers.json",
    "config/mcphub/servers.json",
    "work/.amazonq/mcp.json",
    "work/.continue/mcpServers/one.json",
    "work/.factory/mcp.json",
    "work/.github/mcp.json",
    "work/.kilocode/mcp.json",
    "work/.kiro/settings/mcp.json",
    "work/.qwen/settings.json",
    "work/.roo/mcp.json",
    "work/.trae/mcp.json",
    "work/.warp/.mcp.json",
)
# Of VS Code, deep in files that are about other things.
DEEP = {
    "work/mine.code-workspace": ("settings", "mcp", "servers"),
    "work/.devcontainer/devcontainer.json": ("customizations", "vscode", "mcp", "servers"),
    "config/Code/User/settings.json": ("augment.advanced", "mcpServers"),
    "config/VSCodium/User/settings.json": ("amp.mcpServers",),
}


def put(home: Home, sample: Sample, place: str) -> str:
    path = home.folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sample.text)
    return str(path)


@pytest.mark.skipif(sys.platform == "darwin", reason="places of Linux")
def test_servers_of_all_clients_where_they_keep_them(home: Home) -> None:
    """Each server in our words, what is lost or lies open is named, and no value is shown."""
    for sample in SAMPLES:
        put(home, sample, sample.place)
    shown = home.run_here("import", "--yes").stdout
    imported = json.loads(home.config.read_text())["mcpServers"]
    assert imported == {name: entry for sample in SAMPLES for name, entry in sample.servers.items()}
    assert [said for sample in SAMPLES for said in sample.said if said not in shown] == []
    assert "s3cr3t" not in shown


@pytest.mark.skipif(sys.platform == "darwin", reason="places of Linux")
def test_each_place_of_each_client_is_looked_at(home: Home) -> None:
    """Also where servers stand deep in a file; what a project's servers name is below its folder."""
    entry = {"command": "python", "args": ["./serve.py"]}
    for number, place in enumerate(PLACES):
        put(home, Sample("", place, json.dumps({"mcpServers": {f"plain-{number}": entry}}), {}), place)
    for place, keys in DEEP.items():
        nested: Any = {f"deep-{keys[0]}": entry}
        for key in reversed(keys):
            nested = {key: nested}
        put(home, Sample("", place, json.dumps(nested), {}), place)
    home.run_here("import", "--yes")
    imported = json.loads(home.config.read_text())["mcpServers"]
    missed = [place for number, place in enumerate(PLACES) if f"plain-{number}" not in imported]
    assert missed == []
    assert {f"deep-{keys[0]}" for keys in DEEP.values()} <= imported.keys()
    pinned = {f"plain-{number}" for number, place in enumerate(PLACES) if place.startswith("work/")}
    assert {name for name, entry in imported.items() if entry.get("cwd") == str(home.work)} >= pinned


def test_file_belongs_to_the_client_whose_place_is_the_longest(home: Home) -> None:
    """`.warp/.mcp.json` is none of Claude Code's, and Visual Studio's .mcp.json has `servers`."""
    run = {"command": "./serve", "timeout": 90}
    warp = put(home, Sample("", "", json.dumps({"mcpServers": {"warp": run}}), {}), "other/.warp/.mcp.json")
    studio = put(home, Sample("", "", json.dumps({"servers": {"studio": run}}), {}), "studio/.mcp.json")
    home.run_here("import", "--yes", warp, studio)
    imported = json.loads(home.config.read_text())["mcpServers"]
    assert imported["warp"] == {**run, "cwd": str(home.folder / "other")}
    assert imported["studio"] == run


def test_milliseconds_and_seconds(home: Home) -> None:
    """Each client's own unit counts, however large or small the number is; names that are usual, too."""
    put(
        home,
        Sample("", "", '{"mcpServers": {"a": {"command": "x", "timeout": 500}}}', {}),
        ".kiro/settings/mcp.json",
    )
    put(
        home,
        Sample("", "", '{"mcpServers": {"b": {"command": "x", "timeout": 7200}}}', {}),
        ".cline/data/settings/cline_mcp_settings.json",
    )
    put(home, Sample("", "", '{"mcpServers": {"c": {"command": "x"}}}', {}), ".copilot/mcp-config.json")
    home.run_here("import", "--yes", "kiro", "cline", "copilot")
    imported = json.loads(home.config.read_text())["mcpServers"]
    assert imported == {
        "a": {"command": "x", "timeout": 0.5},
        "b": {"command": "x", "timeout": 7200},
        "c": {"command": "x"},
    }


def test_what_is_written_as_text_and_what_has_no_name(home: Home) -> None:
    """Numbers and switches in quotation marks, placeholders of a login, and OpenHands' lists of urls."""
    entries = {
        "a": {"url": "https://h/mcp", "timeout": "60", "disabled": "true", "env": {"A": "b"}, "command": ""},
        "b": {"url": "https://h", "oauth": {"clientId": "${env:ID}", "callbackPort": "8080"}},
    }
    odd = put(home, Sample("", "", json.dumps({"mcpServers": entries}), {}), "odd.json")
    hands = """[mcp]
    sse_servers = ["https://one.example/sse", {url = "https://two.example/sse", api_key = "s3cr3t"}]
    stdio_servers = [{name = "three", command = "uvx", args = ["x"]}]
    """
    lists = put(home, Sample("", "", hands, {}), "config.toml")
    shown = home.run_here("import", "--yes", odd, lists).stdout
    assert "a: without its env, which is for a command; is switched off there" in shown
    oauth = {"clientId": "${ID}", "callbackPort": 8080, "redirectUri": "http://localhost:8080/callback"}
    assert json.loads(home.config.read_text())["mcpServers"] == {
        "a": {"url": "https://h/mcp", "timeout": 60, "disabled": True},
        "b": {"url": "https://h", "oauth": oauth},
        "three": {"command": "uvx", "args": ["x"]},
        "one.example": {"url": "https://one.example/sse"},
        "two.example": {"url": "https://two.example/sse", "headers": {"Authorization": "Bearer s3cr3t"}},
    }


def test_copies_are_known_by_their_looks(home: Home) -> None:
    """A file that lies elsewhere, under a name that says nothing, means the same."""
    copies = [put(home, sample, f"copies/{sample.client}") for sample in SAMPLES]
    home.run_here("import", "--yes", *copies)
    imported = json.loads(home.config.read_text())["mcpServers"]
    assert imported == {name: entry for sample in SAMPLES for name, entry in sample.servers.items()}


def test_single_servers_are_named(home: Home) -> None:
    """Of the files that are given, or of all clients; a name that nobody has is said, with what there is."""
    copy = put(home, SAMPLES[0], "copies/opencode.json")
    home.run_here("import", "--yes", copy, "oc-web")
    assert list(json.loads(home.config.read_text())["mcpServers"]) == ["oc-web"]
    refused = home.run_here("import", "--yes", copy, "oc-wep", check=False)
    assert refused.code == 1
    assert "no server 'oc-wep'; did you mean 'oc-web'?" in refused.stderr
    assert "servers found: oc-local, oc-web" in refused.stderr
