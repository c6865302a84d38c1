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
]


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
    shown = home.run_cli("import", "--yes").stdout
    imported = json.loads(home.config.read_text())["mcpServers"]
    assert imported == {name: entry for sample in SAMPLES for name, entry in sample.servers.items()}
    assert [said for sample in SAMPLES for said in sample.said if said not in shown] == []
    assert "s3cr3t" not in shown


def test_copies_are_known_by_their_looks(home: Home) -> None:
    """A file that lies elsewhere, under a name that says nothing, means the same."""
    copies = [put(home, sample, f"copies/{sample.client}") for sample in SAMPLES]
    home.run_cli("import", "--yes", *copies)
    imported = json.loads(home.config.read_text())["mcpServers"]
    assert imported == {name: entry for sample in SAMPLES for name, entry in sample.servers.items()}


def test_single_servers_are_named(home: Home) -> None:
    """Of the files that are given, or of all clients; a name that nobody has is said, with what there is."""
    copy = put(home, SAMPLES[0], "copies/opencode.json")
    home.run_cli("import", "--yes", copy, "oc-web")
    assert list(json.loads(home.config.read_text())["mcpServers"]) == ["oc-web"]
    refused = home.run_cli("import", "--yes", copy, "oc-wep", check=False)
    assert refused.code == 1
    assert "no server 'oc-wep'; did you mean 'oc-web'?" in refused.stderr
    assert "servers found: oc-local, oc-web" in refused.stderr
