"""The other MCP clients: where their configs lie on Linux and macOS, and what is special about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import dialects, looks, switches
from .places import matching, project_folders
from .translation import Dialect


@dataclass(frozen=True, slots=True)
class Client:
    """Another client: its files of this user and of a project, and the keys below which servers stand.

    `signs` are keys that tell a file of it, wherever the file lies, and `looks` tells one of no other client.
    With `bare_variables` it knows $X. A key a/b stands for b within a.
    """

    name: str
    user: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    keys: tuple[str, ...] = ("mcpServers",)
    signs: frozenset[str] = frozenset()
    looks: looks.Looks = looks.none
    dialect: Dialect = dialects.plain
    switches: switches.Switches = switches.none
    bare_variables: bool = False

    def files(self) -> list[tuple[Path, Path | None]]:
        """Those that exist, each with the project that it belongs to; the user's own come first."""
        found: dict[Path, tuple[Path, Path | None]] = {}
        for path in (path for place in self.user for path in matching(place)):
            found.setdefault(path.resolve(), (path, None))
        for folder in project_folders():
            for place in self.project:
                found.setdefault((folder / place).resolve(), (folder / place, folder))
        return [place for place in found.values() if place[0].is_file()]


_CODES = ("Code", "Code - Insiders", "VSCodium")
CLIENTS = {
    client.name: client
    for client in (
        Client("claude-desktop", ("{config}/Claude/claude_desktop_config.json",)),
        Client(
            "claude-code",
            ("{claude}/.claude.json",),
            (".mcp.json",),
            signs=frozenset({"projects", "headersHelper", "alwaysLoad"}),
            dialect=dialects.claude_code,
            switches=switches.claude_code,
        ),
        Client("cursor", ("{home}/.cursor/mcp.json",), (".cursor/mcp.json",)),
        Client(
            "vscode",
            (
                *(
                    f"{{config}}/{code}/User/{name}"
                    for code in _CODES
                    for name in ("mcp.json", "settings.json")
                ),
                *(f"{{config}}/{code}/User/profiles/*/mcp.json" for code in _CODES),
                "{copilot}/mcp-config.json",
            ),
            (".vscode/mcp.json", ".vscode/settings.json"),
            keys=("servers", "mcp/servers", "mcpServers"),
            signs=frozenset({"servers", "inputs"}),
            dialect=dialects.vscode,
        ),
        Client(  # called Devin since 2026
            "windsurf",
            (
                "{home}/.codeium/windsurf/mcp_config.json",
                *(f"{{home}}/.config/devin/{name}" for name in ("mcp_config.json", "config.json")),
            ),
            (".devin/mcp_config.json", ".devin/config.json", ".devin/config.local.json"),
            signs=frozenset({"serverUrl"}),
        ),
        Client(
            "gemini",
            ("{home}/.gemini/settings.json",),
            (".gemini/settings.json",),
            signs=frozenset({"httpUrl", "trust", "authProviderType"}),
            dialect=dialects.gemini,
            switches=switches.gemini,
            bare_variables=True,
        ),
        Client(
            "codex",
            ("{codex}/config.toml",),
            (".codex/config.toml",),
            keys=("mcp_servers",),
            looks=looks.codex,
            dialect=dialects.codex,
        ),
        Client(
            "opencode",
            ("{xdg}/opencode/opencode.json", "{xdg}/opencode/opencode.jsonc", "{home}/.opencode.json"),
            ("opencode.json", "opencode.jsonc", ".opencode/opencode.json"),
            keys=("mcp",),
            looks=looks.opencode,
            dialect=dialects.opencode,
        ),
        Client(
            "zed",
            ("{xdg}/zed/settings.json",),
            (".zed/settings.json",),
            keys=("context_servers",),
            looks=looks.zed,
            dialect=dialects.seconds,
        ),
        Client(
            "crush",
            ("{xdg}/crush/crush.json", "{home}/.local/share/crush/crush.json"),
            (".crush.json", "crush.json"),
            keys=("mcp",),
            looks=looks.crush,
            dialect=dialects.seconds,
            bare_variables=True,
        ),
        Client(
            "amp",
            ("{xdg}/amp/settings.json", "{xdg}/amp/settings.jsonc"),
            (".amp/settings.json",),
            keys=("amp.mcpServers",),
            looks=looks.amp,
        ),
        Client(
            "continue",
            (
                *("{home}/.continue/config.yaml", "{home}/.continue/config.json"),
                *("{home}/.continue/mcpServers/*.yaml", "{home}/.continue/mcpServers/*.json"),
            ),
            (".continue/config.yaml", ".continue/config.json"),
            keys=("mcpServers", "experimental/modelContextProtocolServers"),
            looks=looks.continue_dev,
            dialect=dialects.continue_dev,
        ),
        Client(
            "mcphost",
            tuple(f"{{home}}/.{name}" for name in ("mcphost.yml", "mcphost.yaml", "mcphost.json", "mcp.yml")),
            signs=frozenset({"allowedTools", "excludedTools"}),
            dialect=dialects.seconds,
        ),
        Client(
            "mcporter",
            tuple(
                f"{{{root}}}/mcporter.{end}"
                for root in ("mcporter", "xdg_mcporter")
                for end in ("json", "jsonc")
            ),
            ("config/mcporter.json",),
            signs=frozenset({"baseUrl", "bearerTokenEnv", "imports", "lifecycle"}),
        ),
        Client(
            "goose",
            ("{xdg}/goose/config.yaml",),
            keys=("extensions",),
            looks=looks.goose,
            dialect=dialects.goose,
        ),
        Client(
            "jetbrains",
            (
                *("{home}/.junie/mcp/mcp.json", "{xdg}/github-copilot/intellij/mcp.json"),
                "{jetbrains}/*/options/llm.mcpServers.xml",
            ),
            (".junie/mcp/mcp.json", ".idea/llm.mcpServers.xml"),
            keys=("mcpServers", "servers", "McpServerCommand"),
            looks=looks.jetbrains,
        ),
    )
}
