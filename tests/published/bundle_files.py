"""Makes MCPB bundles, good and bad ones."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

MANIFEST = {
    "manifest_version": "0.3",
    "name": "notes",
    "version": "1.0.0",
    "description": "Keeps notes",
    "author": {"name": "A"},
    "server": {"type": "python", "entry_point": "server/main.py", "mcp_config": {"command": "python3"}},
}


def bundle(path: Path, *members: tuple[str | zipfile.ZipInfo, str], **manifest: Any) -> Path:
    """`manifest` holds keys besides those that are needed; `config` is its mcp_config."""
    config = manifest.pop("config", None)
    document = {**MANIFEST, **manifest}
    if config is not None:
        document["server"] = {**document["server"], "mcp_config": config}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(document))
        for name, content in members:
            archive.writestr(name, content)
    return path


def linked(name: str) -> zipfile.ZipInfo:
    """A symbolic link, as Unix puts one into a zip file."""
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info
