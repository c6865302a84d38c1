"""What a project's servers would run and be given, in lines, for the person who decides about them.

All that the entries say but secrets: no name, key or text of the project's passes for a line of ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import join
from typing import Any

from llm_tools_mcp.config import (
    Project,
    ServerDefinition,
    configured_names,
    is_disabled,
    named_entries,
    read_config,
)
from llm_tools_mcp.config.secret_arguments import HIDDEN, is_secret_value
from llm_tools_mcp.errors import ConfigError
from llm_tools_mcp.text.plain import visible, visible_name

# Of an entry: what is told in words of its own.
_URLS = ("url", "serverUrl", "httpUrl")
_TOLD = ("command", "args", "env", "headers", *_URLS)
# Words of ours, which no key of an entry may pass for.
_LABELS = ("runs", "connects to", "the project's own")
# Variables that decide which program runs, or what else runs within it.
_DECIDING = re.compile(
    r"PATH|IFS|ENV|BASH_ENV|SHELL|(LD|DYLD)_\w+|NODE_(OPTIONS|PATH)|PYTHON\w*|PERL5\w+|RUBY(OPT|LIB)|JAVA_TOOL_OPTIONS"
)


def described(project: Project, servers: Mapping[str, ServerDefinition | ConfigError]) -> Iterator[str]:
    """Of each server; and what it would stand in for. `servers` are what the entries come to."""
    own = _own_names()
    for name, entry in named_entries(project.text).items():
        off = " (disabled)" if is_disabled(entry) else ""
        instead = "    instead of your own server of this name" if name in own else ""
        yield f"{visible_name(name)}{off}{instead}"
        yield from (f"    {line}" for line in _entry(entry if isinstance(entry, dict) else {}))
        yield from (f"    {line}" for line in _programs(project, servers.get(name)))
    for key, text in described_files(project).items():
        kind, written = key.partition(":")[0], visible_name(project.files[key])
        yield f"{kind} {written}, which is part of what is trusted"
        yield from (f"    {line}" for line in text.split("\n"))


def described_files(project: Project) -> dict[str, str]:
    """What may be shown of each file that the project names, by its key: lines."""
    return {key: "\n".join(_file(key, project)) for key in project.files}


def public_text(text: str) -> str:
    """What stands in a project's file, without secrets and comments: JSON, a line for each thing."""
    servers = {
        name: {key: _masked(key, value) for key, value in entry.items()} if isinstance(entry, dict) else entry
        for name, entry in named_entries(text).items()
    }
    return json.dumps(servers, indent=1, ensure_ascii=False)


def _masked(key: str, value: Any) -> Any:
    if key not in ("env", "headers") or not isinstance(value, dict):
        return value
    return {name: text if _public(key, name, text) else HIDDEN for name, text in value.items()}


def _own_names() -> list[str]:
    try:
        return configured_names(read_config())
    except ConfigError:  # there is none, or none that is used
        return []


def _entry(entry: Mapping[str, Any]) -> Iterator[str]:
    args = entry.get("args")
    words = [entry.get("command"), *(args if isinstance(args, list) else [])]
    if entry.get("command") is not None:
        yield f"runs: {visible(join(map(str, words)))}"
    for key in _URLS:
        if key in entry:
            yield f"connects to: {visible(str(entry[key]))}"
    for key in ("env", "headers"):
        values = entry.get(key)
        for name, value in values.items() if isinstance(values, dict) else ():
            yield f"{key}: {visible_name(name)}{_public(key, name, value)}"
    for key, value in entry.items():
        if key not in _TOLD:
            label = f'"{key}"' if key in _LABELS else visible_name(key)
            yield f"{label}: {visible(str(value))}"


def _public(key: str, name: str, value: object) -> str:
    """What decides what runs, what of yours a server is given, and what is no secret."""
    text = str(value)
    decides = key == "env" and _DECIDING.fullmatch(name)
    if decides or "${" in text or (key == "env" and not is_secret_value(name, text)):
        return f"={visible(text)}"
    return ""


def _programs(project: Project, definition: ServerDefinition | ConfigError | None) -> Iterator[str]:
    """What of the project's own would run: it is worked on, and no hash holds it."""
    if not isinstance(definition, ServerDefinition):
        return
    folder = Path(project.folder)
    own = [Path(path) for path, _ in definition.program if Path(path).is_relative_to(folder)]
    if own:
        names = ", ".join(visible(str(path.relative_to(folder))) for path in own)
        yield f"the project's own: {names} (runs as it is at the time: only trust who can change it)"


def _file(key: str, project: Project) -> Iterator[str]:
    from llm_tools_mcp.config.env_file import variables_of

    text = project.confided.values.get(key)
    if text is None:
        yield f"({visible(project.confided.missing.get(key, 'not found'))})"
    elif key.startswith("envFile:"):
        for name, value in variables_of(text).items():
            yield f"{visible_name(name)}{_public('env', name, value)}"
    else:
        yield "(its text, which is not shown: it may be a secret)"
