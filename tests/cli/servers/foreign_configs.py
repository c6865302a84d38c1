"""Samples of other clients' configs, where each client keeps them, and what becomes of their servers here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """A sample, where the client keeps it below HOME, what it becomes, and what is said of it."""

    sample: str
    client: str
    place: str
    servers: dict[str, Any]
    said: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = field(default=("k3y", "s3cr3t", "t0ken", "v4lue"))


NPX = {"command": "npx"}
CASES = [
    Case(
        "claude-desktop.json",
        "claude-desktop",
        "config/Claude/claude_desktop_config.json",
        {
            "files": {
                "command": "npx",
                "args": [
                    *("-y", "@modelcontextprotocol/server-filesystem"),
                    *("/home/ada/Desktop", "/home/ada/Downloads"),
                ],
            },
            "weather": {
                "command": "/home/ada/.local/bin/uv",
                "args": ["--directory", "/home/ada/weather", "run", "weather.py"],
                "env": {"WEATHER_KEY": "k3y-for-the-sky"},
            },
        },
    ),
    Case(
        "claude-code.json",
        "claude-code",
        ".claude.json",
        {
            "memory": {**NPX, "args": ["-y", "@modelcontextprotocol/server-memory"]},
            "tickets": {
                "url": "${TICKETS_URL:-https://tickets.example.org}/mcp",
                "headers": {"Authorization": "Bearer ${TICKETS_TOKEN}"},
                "timeout": 600.0,
            },
            "signed": {
                "url": "https://signed.example.org/mcp",
                "headersHelper": "/opt/bin/headers.sh",
                "oauth": {
                    "clientId": "abc",
                    "callbackPort": 8080,
                    "redirectUri": "http://localhost:8080/callback",
                },
            },
            "events": {"url": "https://events.example.org/stream", "type": "sse"},
            "resting": {"command": "resting-server", "args": ["pa$$word"], "disabled": True},
            "here": {"command": "./serve", "cwd": "@WORK@"},
        },
        (
            "socket: its type 'ws' is not known here",
            "resting: is switched off there, and is added as disabled",
            "far: only for /home/ada/other: import it from there",
        ),
    ),
    Case(
        "claude-code-project.json",
        "claude-code",
        "work/.mcp.json",
        {
            "docs": {
                "command": "node",
                "args": ["tools/docs.js", "--root", "@WORK@"],
                "env": {"CACHE": "${CACHE_DIR:-/tmp/docs}"},
                "cwd": "@WORK@",
            },
            "noisy": {**NPX, "args": ["-y", "noisy-server"], "disabled": True},
            "unwanted": {"url": "https://unwanted.example.org/mcp", "disabled": True},
        },
        ("noisy: without `cmd /c`, which is for Windows; is switched off there",),
    ),
    Case(
        "cursor.json",
        "cursor",
        ".cursor/mcp.json",
        {
            "local": {
                "command": "python",
                "args": ["./tools/server.py", "${HOME}/data", "${workspaceFolderBasename}"],
                "env": {"API_KEY": "${LOCAL_KEY}"},
                "envFile": ".env",
            },
            "line": {**NPX, "args": ["-y", "some-server", "--flag", "two words"]},
            "remote": {
                "url": "https://remote.example.org/mcp",
                "headers": {"Authorization": "Bearer ${REMOTE_TOKEN}"},
            },
            "login": {
                "url": "https://login.example.org/mcp",
                "oauth": {"clientId": "id", "clientSecret": "s3cr3t", "scopes": ["read"]},
            },
        },
        (
            "${workspaceFolderBasename…} has no counterpart here",
            "login: to log in: llm mcp login login",
        ),
    ),
    Case(
        "cursor.json",
        "cursor",
        "work/.cursor/mcp.json",
        {
            "local": {
                "command": "python",
                "args": ["@WORK@/tools/server.py", "${HOME}/data", "work"],
                "env": {"API_KEY": "${LOCAL_KEY}"},
                "envFile": "@WORK@/.env",
            },
        },
    ),
    Case(
        "vscode.jsonc",
        "vscode",
        "config/Code/User/mcp.json",
        {
            "memory": {**NPX, "args": ["-y", "@modelcontextprotocol/server-memory"]},
            "search": {
                "command": "npx",
                "args": ["-y", "server-search", "--region", "${REGION:-eu}"],
                "env": {"KEY": "${PERPLEXITY_KEY}", "PORT": "3000"},
                "cwd": "${PWD}",
                "envFile": "${PWD}/.env",
            },
            "confined": {"command": "${HOME}/bin/confined"},
            "free": {"command": "free", "args": ["${config:free.mode}"]},
            "remote": {
                "url": "https://remote.example.org//mcp",
                "headers": {"X-Key": "${PERPLEXITY_KEY}"},
            },
        },
        (
            "without the null values in env",
            "asks for 'perplexity-key': set PERPLEXITY_KEY in your environment",
            "confined: without sandboxEnabled, sandbox: it is not sandboxed here",
            "free: ${config…} has no counterpart here: replace it by hand",
            "pipe: its url is not an http one",
        ),
    ),
    Case(
        "vscode-settings.jsonc",
        "vscode",
        "config/Code - Insiders/User/settings.json",
        {"old": {"command": "uvx", "args": ["mcp-server-time"]}},
    ),
    Case(
        "copilot.json",
        "vscode",
        ".copilot/mcp-config.json",
        {
            "reader": {"command": "reader", "includeTools": ["read_*"]},
            "all": {"url": "https://all.example.org/mcp"},
            "silent": {"command": "silent", "excludeTools": ["*"]},
        },
    ),
    Case(
        "windsurf.json",
        "windsurf",
        ".codeium/windsurf/mcp_config.json",
        {
            "github": {
                "command": "docker",
                "args": ["run", "-i", "--rm", "-e", "GITHUB_TOKEN", "ghcr.io/github/github-mcp-server"],
                "env": {"GITHUB_TOKEN": "${file:~/.secrets/github-token}"},
                "excludeTools": ["delete_file"],
            },
            "remote": {
                "url": "https://remote.example.org/mcp",
                "headers": {"API_KEY": "Bearer ${REMOTE_KEY}"},
            },
            "off": {"url": "https://off.example.org/sse", "disabled": True},
        },
    ),
    Case(
        "devin.jsonc",
        "windsurf",
        ".config/devin/config.json",
        {
            "remote": {
                "url": "https://devin.example.org/mcp",
                "headers": {"Authorization": "Bearer t0ken"},
            }
        },
    ),
    Case(
        "gemini.json",
        "gemini",
        ".gemini/settings.json",
        {
            "python": {
                "command": "python",
                "args": ["-m", "my_server", "--port", "${PORT}"],
                "cwd": "./servers/python",
                "env": {"DATABASE_URL": "${DB_CONNECTION}", "KEY": "${EXTERNAL_KEY}", "PASSWORD": "pa$word"},
                "timeout": 15.0,
                "includeTools": ["safe_tool"],
                "excludeTools": ["other"],
            },
            "http": {"url": "http://localhost:3000/mcp", "headers": {"X-Key": "${KEY}"}, "timeout": 5.0},
            "stream": {"url": "https://stream.example.org/sse"},
            "unclear": {"url": "https://unclear.example.org/events"},
            "typed": {"url": "https://typed.example.org/events", "type": "sse"},
            "cloud": {"url": "https://cloud.example.org/mcp", "oauth": {"scopes": ["email"]}},
            "Paused": {"command": "paused", "disabled": True},
            "excluded": {"command": "excluded", "excludeTools": ["*"], "disabled": True},
        },
        (
            'unclear: treated as streamable HTTP; if it speaks SSE, add "type": "sse"',
            "cloud: to log in: llm mcp login cloud; without authProviderType: this way to log in",
        ),
    ),
    Case(
        "codex.toml",
        "codex",
        ".codex/config.toml",
        {
            "context": {
                "command": "npx",
                "args": ["-y", "@upstash/context7-mcp"],
                "env": {
                    "CONTEXT_KEY": "${CONTEXT_KEY}",
                    "LOCAL": "${LOCAL}",
                    "MODE": "a ${literal}",
                    "SINCE": "2026-01-31",
                },
                "connectTimeout": 20,
            },
            "figma": {
                "url": "https://figma.example.org/mcp",
                "headers": {
                    "X-Region": "us-east-1",
                    "X-Team": "${FIGMA_TEAM}",
                    "Authorization": "Bearer ${FIGMA_TOKEN}",
                },
                "timeout": 45.5,
            },
            "browser": {
                "command": "browser",
                "cwd": "/srv/browser",
                "connectTimeout": 20.0,
                "includeTools": ["open", "screenshot"],
                "excludeTools": ["screenshot"],
                "disabled": True,
            },
            "login": {
                "url": "https://login.example.org/sse",
                "type": "http",
                "oauth": {"clientId": "abc", "scopes": ["read"]},
            },
        },
        (
            "context: without its env_vars of a remote machine",
            "login: to log in: llm mcp login login",
        ),
    ),
]
# Of Cline, Roo Code and fastmcp: given by their paths.
FILES = {
    "acp.json": (
        {
            "pairs": {"command": "node", "env": {"KEY": "v4lue", "PORT": "5"}},
            "lines": {"command": "node", "env": {"KEY": "a=b"}},
            "web": {"url": "https://web.example.org/mcp", "headers": {"X-User": "me"}, "disabled": True},
        },
        ("web: is switched off there", "odd: key 'env': Input should be an object"),
    ),
    "cline.json": (
        {
            "local": {
                "command": "node",
                "args": ["/srv/local.js"],
                "env": {"KEY": "v4lue"},
                "timeout": 60,
                "alwaysAllow": ["read"],
            },
            "stream": {
                "url": "https://stream.example.org/mcp",
                "headers": {"Authorization": "Bearer t0ken"},
                "timeout": 3600,
                "disabled": True,
            },
            "roo": {"url": "https://roo.example.org/mcp", "excludeTools": ["x"]},
            "under": {"url": "https://under.example.org/sse-like/mcp", "type": "http"},
            "old": {"url": "https://old.example.org/events", "type": "sse"},
        },
        ("stream: is switched off there",),
    ),
    "fastmcp.json": (
        {
            "weather": {
                "url": "https://weather.example.org/mcp",
                "headers": {"Authorization": "Bearer t0ken"},
            },
            "login": {"url": "https://login.example.org/mcp"},
            "stream": {"url": "https://stream.example.org/mcp", "timeout": 30.0},
            "assistant": {"command": "python", "args": ["./assistant.py", "7"]},
            "windows": {"command": "C:\\Tools\\server.exe"},
            "folders": {"command": "npx", "args": ["server", "C:\\Users\\Ada"]},
        },
        (
            "login: to log in: llm mcp login login",
            "stream: its timeout of 30000 is read as milliseconds",
            "assistant: has a path relative to the folder that you call from",
            "; without keep_alive",
            "windows: its command looks like a Windows one",
            "folders: its arguments name Windows folders",
            "nested: its type is not known here",
            "wrong: key 'args': Input should be a valid array",
            "both: has both command and url",
        ),
    ),
}
