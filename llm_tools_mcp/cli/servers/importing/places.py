"""Folders of other MCP clients, as the environment and the system put them."""

from __future__ import annotations

import glob
import os
import sys
from pathlib import Path

from llm_tools_mcp import paths


def expanded(place: str) -> Path:
    """With its root, as `_roots` calls them, in braces: `{home}/.cursor/mcp.json`."""
    return Path(place.format_map({name: str(Path(root).expanduser()) for name, root in _roots().items()}))


def matching(pattern: str) -> list[Path]:
    """The same, where the place may hold globs."""
    roots = {name: glob.escape(str(Path(root).expanduser())) for name, root in _roots().items()}
    return [Path(name) for name in sorted(glob.glob(pattern.format_map(roots)))]  # noqa: PTH207 - absolute


def project_folders() -> list[Path]:
    """The current folder, and the root of the repository that it is in."""
    current = Path(paths.current_folder())
    root = next((folder for folder in (current, *current.parents) if (folder / ".git").exists()), current)
    return list(dict.fromkeys((current, root)))


def _roots() -> dict[str, str]:
    environ = os.environ
    config = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return {
        "home": "~",
        "xdg": config,  # also on macOS
        "config": "~/Library/Application Support" if sys.platform == "darwin" else config,
        "claude": environ.get("CLAUDE_CONFIG_DIR") or "~",  # of .claude.json
        "claude_settings": environ.get("CLAUDE_CONFIG_DIR") or "~/.claude",
        "codex": environ.get("CODEX_HOME") or "~/.codex",
        "mcporter": "~/.mcporter",
        "xdg_mcporter": f"{config}/mcporter",
        "jetbrains": "~/Library/Application Support/JetBrains"
        if sys.platform == "darwin"
        else f"{config}/JetBrains",
        "copilot": environ.get("COPILOT_HOME") or "~/.copilot",
    }
