"""Config files as other clients write them: JSON, JSON with comments and trailing commas, TOML."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from llm_tools_mcp.config import decoded
from llm_tools_mcp.errors import ConfigError

Json = dict[str, Any]


def document_of(path: Path) -> Json:
    """What the file holds; nothing where it is empty, as editors leave it. Raises ConfigError."""
    text = _text(path)
    if not text.strip():
        return {}
    document = _toml(path, text) if _is_toml(path, text) else decoded(str(path), text)
    if not isinstance(document, dict):
        raise ConfigError(str(path), "Input should be an object")
    return document


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        position = error.start
    except ValueError:  # a path that holds a NUL character
        raise ConfigError(str(path), "is not a possible path") from None
    raise ConfigError(str(path), f"is not UTF-8 text (byte {position})")


def _is_toml(path: Path, text: str) -> bool:
    """By its name; what came through a pipe, by its first table or key."""
    if path.suffix in (".toml", ".json", ".jsonc"):
        return path.suffix == ".toml"
    return bool(re.match(r"(?:\s|#[^\n]*\n)*(?:\[[\w.\"' -]+\]|[\w-]+\s*=)", text))


def _toml(path: Path, text: str) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return json.loads(json.dumps(tomllib.loads(text), default=str))  # JSON knows no dates
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(str(path), "not valid TOML: nested too deeply") from None
