"""The other MCP clients: where their configs lie on Linux and macOS, and what is special about them."""

from __future__ import annotations

from . import dialects, format_detection, switches
from .common_clients import ALIKE, CODES, of_extension
from .foreign_client import Client

_OWN = (
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
            *(f"{{config}}/{code}/User/{name}" for code in CODES for name in ("mcp.json", "settings.json")),
            *(f"{{config}}/{code}/User/profiles/*/mcp.json" for code in CODES),
            "{copilot}/mcp-config.json",
        ),
        (
            *(".vscode/mcp.json", ".vscode/settings.json", "*.code-workspace"),
            *(".devcontainer/devcontainer.json", ".devcontainer.json", ".github/mcp.json"),
        ),
        keys=(
            *("servers", "mcp/servers", "mcpServers", "settings/mcp/servers"),
            *("customizations/vscode/mcp/servers", "augment.advanced/mcpServers"),
            *("amp.mcpServers", "cody.mcpServers"),
        ),
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
        ("{home}/.gemini/settings.json", "{home}/.gemini/extensions/*/gemini-extension.json"),
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
        looks=format_detection.codex,
        dialect=dialects.codex,
    ),
    Client(
        "opencode",
        ("{xdg}/opencode/opencode.json", "{xdg}/opencode/opencode.jsonc", "{home}/.opencode.json"),
        ("opencode.json", "opencode.jsonc", ".opencode/opencode.json"),
        keys=("mcp",),
        looks=format_detection.opencode,
        dialect=dialects.opencode,
    ),
    Client(
        "kilo",
        (
            *("{xdg}/kilo/kilo.json", "{xdg}/kilo/kilo.jsonc"),
            *of_extension("kilocode.kilo-code", "mcp_settings.json"),
            "{home}/.kilocode/cli/global/settings/mcp_settings.json",
        ),
        ("kilo.json", "kilo.jsonc", ".kilo/kilo.json", ".kilo/kilo.jsonc", ".kilocode/mcp.json"),
        keys=("mcp", "mcpServers"),
        dialect=dialects.kilo,
    ),
    Client(
        "zed",
        ("{xdg}/zed/settings.json",),
        (".zed/settings.json",),
        keys=("context_servers",),
        looks=format_detection.zed,
        dialect=dialects.seconds,
    ),
    Client(
        "crush",
        ("{xdg}/crush/crush.json", "{home}/.local/share/crush/crush.json"),
        (".crush.json", "crush.json"),
        keys=("mcp",),
        looks=format_detection.crush,
        dialect=dialects.seconds,
        bare_variables=True,
    ),
    Client(
        "amp",
        ("{xdg}/amp/settings.json", "{xdg}/amp/settings.jsonc"),
        (".amp/settings.json",),
        keys=("amp.mcpServers",),
        looks=format_detection.amp,
    ),
    Client(
        "continue",
        (
            *("{home}/.continue/config.yaml", "{home}/.continue/config.json"),
            *("{home}/.continue/mcpServers/*.yaml", "{home}/.continue/mcpServers/*.json"),
        ),
        (
            *(".continue/config.yaml", ".continue/config.json"),
            *(".continue/mcpServers/*.yaml", ".continue/mcpServers/*.json"),
        ),
        keys=("mcpServers", "experimental/modelContextProtocolServers"),
        looks=format_detection.continue_dev,
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
            f"{{{root}}}/mcporter.{end}" for root in ("mcporter", "xdg_mcporter") for end in ("json", "jsonc")
        ),
        ("config/mcporter.json",),
        signs=frozenset({"baseUrl", "bearerTokenEnv", "imports", "lifecycle"}),
    ),
    Client(
        "goose",
        ("{xdg}/goose/config.yaml",),
        keys=("extensions",),
        looks=format_detection.goose,
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
        looks=format_detection.jetbrains,
    ),
    Client(
        "librechat",
        project=("librechat.yaml", "librechat.yml"),
        signs=frozenset({"serverInstructions", "customUserVars", "initTimeout", "requiresOAuth"}),
        dialect=dialects.librechat,
    ),
    Client(
        "fast-agent",
        ("{home}/.fast-agent/fastagent.config.yaml",),
        ("fastagent.config.yaml", ".fast-agent/fastagent.config.yaml", "mcp_agent.config.yaml"),
        keys=("mcp/servers", "mcp/targets"),
        looks=format_detection.fast_agent,
        dialect=dialects.fast_agent,
    ),
)
CLIENTS = {client.name: client for client in (*_OWN, *ALIKE)}
# Parts and other names of them.
ALSO_CALLED = {
    "copilot": "vscode",
    "devin": "windsurf",
    "junie": "jetbrains",
    "kilocode": "kilo",
    "qwen-code": "qwen",
    "roo-code": "roo",
    "amazonq": "amazon-q",
    "lm-studio": "lmstudio",
    "auggie": "augment",
    "droid": "factory",
}
