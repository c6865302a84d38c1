"""Config files as other clients write them: JSON, with comments too, TOML, YAML, and the XML of JetBrains."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from llm_tools_mcp.config import decoded, read_text
from llm_tools_mcp.errors import ConfigError

Json = dict[str, Any]


def document_of(path: Path) -> Json:
    """What the file holds; nothing where it is empty, as editors leave it. Raises ConfigError."""
    text = read_text(path)
    if not text.strip():
        return {}
    document = _READERS[_form(path, text)](path, text)
    if document is None:  # YAML of comments alone
        return {}
    if not isinstance(document, dict):
        raise ConfigError(str(path), "Input should be an object")
    return document


def _form(path: Path, text: str) -> str:
    """By its name; what came through a pipe, by how it begins."""
    if path.suffix in _SUFFIXES:
        return _SUFFIXES[path.suffix]
    if re.match(r"(?:\s|#[^\n]*\n)*(?:\[[\w.\"' -]+\]|[\w-]+\s*=)", text):
        return "toml"
    if text.lstrip().startswith("<"):
        return "xml"
    return "yaml" if re.match(r"(?:\s|#[^\n]*\n|---\n)*[\w.-]+:(?:\s|$)", text) else "json"


def _json(path: Path, text: str) -> Any:
    return decoded(str(path), text)


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


def _yaml(path: Path, text: str) -> Any:
    import yaml

    try:
        return json.loads(json.dumps(yaml.safe_load(text), default=str))  # JSON knows no dates
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        reason = f"{getattr(error, 'problem', None) or 'it cannot be read'}{place}"
    except (TypeError, ValueError, RecursionError):
        reason = "its keys are no words, or it is nested too deeply"
    raise ConfigError(str(path), f"not valid YAML: {reason}")


def _xml(path: Path, text: str) -> Any:
    """JetBrains' AI Assistant: options by name, and an element each for envs and headers."""
    from xml.etree import ElementTree as ET  # the user's own file; expat bounds what entities grow to

    try:
        root = ET.fromstring(text)  # noqa: S314 - see above
    except ET.ParseError as error:
        raise ConfigError(str(path), f"not valid XML: {error}") from None
    found = [element for element in root.iter() if element.tag in ("McpServerCommand", "McpServerConfig")]
    return {"McpServerCommand": [_xml_entry(element) for element in found]} if found else {}


def _xml_entry(element: Any) -> Json:
    entry: Json = {
        option.get("name", ""): option.get("value")
        for option in element.iter("option")
        if option.get("value") is not None
    }
    envs = {env.get("name"): env.get("value", "") for env in element.iter("env") if env.get("name")}
    return {**entry, "envs": envs} if envs else entry


_SUFFIXES = {
    ".json": "json",
    ".jsonc": "json",
    ".json5": "json",
    ".toml": "toml",
    ".xml": "xml",
    **dict.fromkeys((".yaml", ".yml"), "yaml"),
}
_READERS = {"json": _json, "toml": _toml, "yaml": _yaml, "xml": _xml}
