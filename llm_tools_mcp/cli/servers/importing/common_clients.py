"""Clients that write `mcpServers` as everybody does, each in places of its own."""

from __future__ import annotations

from . import dialects, switches
from .foreign_client import Client

# Editors that are built on VS Code, by their folder.
CODES = ("Code", "Code - Insiders", "VSCodium")


def of_extension(extension: str, *names: str) -> tuple[str, ...]:
    """Where an extension of VS Code keeps its settings."""
    storage = f"User/globalStorage/{extension}/settings"
    return tuple(f"{{config}}/{code}/{storage}/{name}" for code in CODES for name in names)


ALIKE = (
    Client(
        "cline",
        (
            *of_extension("saoudrizwan.claude-dev", "cline_mcp_settings.json"),
            "{home}/.cline/data/settings/cline_mcp_settings.json",
        ),
        dialect=dialects.seconds,
    ),
    Client(
        "roo",
        of_extension("rooveterinaryinc.roo-cline", "mcp_settings.json", "cline_mcp_settings.json"),
        (".roo/mcp.json",),
        dialect=dialects.seconds,
    ),
    Client(
        "qwen",
        ("{home}/.qwen/settings.json", "{home}/.qwen/extensions/*/qwen-extension.json"),
        (".qwen/settings.json", ".qwen/settings.local.json"),
        dialect=dialects.gemini,
        switches=switches.qwen,
        bare_variables=True,
    ),
    Client(
        "antigravity",
        ("{home}/.gemini/antigravity/mcp_config.json", "{home}/.gemini/config/mcp_config.json"),
    ),
    Client(
        "kiro",
        ("{home}/.kiro/settings/mcp.json", "{home}/.kiro/agents/*.json"),
        (".kiro/settings/mcp.json", ".kiro/agents/*.json"),
        dialect=dialects.milliseconds,
    ),
    Client(
        "amazon-q",
        tuple(
            f"{{home}}/.aws/amazonq/{place}" for place in ("mcp.json", "agents/*.json", "cli-agents/*.json")
        ),
        tuple(f".amazonq/{place}" for place in ("mcp.json", "agents/*.json", "cli-agents/*.json")),
        dialect=dialects.milliseconds,
    ),
    Client("lmstudio", ("{home}/.lmstudio/mcp.json", "{home}/.cache/lm-studio/mcp.json")),
    Client("warp", ("{home}/.warp/.mcp.json",), (".warp/.mcp.json",)),
    Client(
        "trae", tuple(f"{{config}}/{name}/User/mcp.json" for name in ("Trae", "Trae CN")), (".trae/mcp.json",)
    ),
    Client("augment", ("{home}/.augment/settings.json",)),
    Client("factory", ("{home}/.factory/mcp.json",), (".factory/mcp.json",)),
    Client("boltai", ("{home}/.boltai/mcp.json",)),
    Client(
        "anythingllm",
        ("{config}/anythingllm-desktop/storage/plugins/anythingllm_mcp_servers.json",),
    ),
    Client("rovodev", ("{home}/.rovodev/mcp.json",)),
    Client("kimi", ("{home}/.kimi/mcp.json",)),
    Client("mcphub", ("{xdg}/mcphub/servers.json",)),
)
