"""`llm mcp list`: what is configured, and in what state it is. Starts nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp.cli.command import as_json, command, config_option
from llm_tools_mcp.cli.editing import check_source, config_file
from llm_tools_mcp.cli.login.table import NEEDS_LOGIN, login_state, store_trouble
from llm_tools_mcp.cli.running_daemon import is_running, why_several
from llm_tools_mcp.cli.tools.tools import read_source
from llm_tools_mcp.config import ServerDefinition, named_entries
from llm_tools_mcp.errors import ConfigError, ConfigNotFound, McpError
from llm_tools_mcp.service import installed_service
from llm_tools_mcp.terminal.columns import print_columns
from llm_tools_mcp.terminal.screen import clean_line, duration, print_json, print_remarks, size, styled
from llm_tools_mcp.text.token_estimate import shown_tokens, tokens_of

if TYPE_CHECKING:
    from llm_tools_mcp import v1
    from llm_tools_mcp.config import ConfigSource


@command("list", "llm mcp list", "llm mcp list --json | jq -r '.servers[] | select(.error != \"\").name'")
@config_option
@as_json
def list_command(*, config_path: str | None, as_json: bool) -> None:
    """Show the configured servers: transport, state, tools, the last error. Starts nothing."""
    found = rows(config_path)
    if as_json:
        print_json({"config": str(config_file(config_path)), "servers": found})
        return
    if not found:
        click.echo("no servers; to add one: llm mcp add NAME -- COMMAND ARGS…, or: llm mcp import")
        return
    print_columns(
        [_cells(row) for row in found], ["TOKENS>", "FROM", "TRANSPORT", "TOOLS>"], {"NAME": "bold"}
    )
    print_remarks((row["name"], row["error"]) for row in found)
    costs = [row["tokens"] for row in found if row["tokens"]]
    if len(costs) > 1:
        click.echo(f"\nAll tools together: {shown_tokens(sum(costs))} tokens in every request to a model.")
    _tell_copies(found)


def _tell_copies(found: list[dict[str, Any]]) -> None:
    names: dict[str, list[str]] = {}
    for row in found:
        if row["copies"] > max(1, row["instances"]):
            why = why_several(row["copies"], len(row["folders"]))
            names.setdefault(why, []).append(clean_line(row["name"]))
    for why, several in names.items():
        click.echo(f"\n{styled(', '.join(several), bold=True)}: {why}")


def rows(config_path: str | None) -> list[dict[str, Any]]:
    """A row for each server of a config, in its order. Raises ConfigError, DaemonError."""
    try:
        source = read_source(config_path)
    except ConfigNotFound as error:
        if config_path:
            raise
        if error.note:
            click.echo(f"Warning: {error.note.rstrip()}", err=True)
        return []
    parsed = check_source(source).servers
    known = _known(config_path)  # first: to the daemon it tells the config, which may end what it knows
    live = _live()
    return [
        _row(name, entry, parsed.get(name), live.get(name, []), known.get(name, [])) | {"source": file}
        for name, (entry, file) in _entries(source).items()
    ]


def _entries(source: ConfigSource) -> dict[str, tuple[Any, str]]:
    """Each with the file that it comes from."""
    found = {name: (entry, source.path) for name, entry in named_entries(source.text).items()}
    if source.project is not None:
        path = source.project.path
        found |= {name: (entry, path) for name, entry in named_entries(source.project.text).items()}
    return found


def _row(
    name: str, entry: Any, parsed: Any, sessions: list[v1.ServerStatus], tools: list[v1.Tool]
) -> dict[str, Any]:
    error = parsed.reason if isinstance(parsed, ConfigError) else ""
    state = "disabled" if parsed is None else "failed" if error else "stopped"
    if state != "stopped":
        sessions = []  # of an entry that was another one
    best = max(sessions, key=lambda session: (session.pid > 0, -session.idle_seconds), default=None)
    if best is not None:
        from llm_tools_mcp.cli.running_daemon import server_state

        state, error = server_state(best), best.last_error
    login = _login(parsed)
    if state == "stopped" and login == NEEDS_LOGIN:
        state = login
    if state == NEEDS_LOGIN and (trouble := store_trouble()):
        error = f"needs a login, and {trouble}"
    is_live = best is not None and state == "ready"
    return {
        "name": name,
        "transport": _transport(parsed, entry),
        "state": state,
        "tools": len(tools) or None,
        "tokens": sum(tokens_of(tool.name, tool.description, tool.input_schema) for tool in tools) or None,
        "memory_bytes": sum(session.memory_bytes for session in sessions),
        "idle_seconds": round(best.idle_seconds, 1) if best is not None and is_live else None,
        "copies": sum(session.pid > 0 for session in sessions),
        "instances": parsed.instances if isinstance(parsed, ServerDefinition) else 1,
        "folders": sorted({session.cwd for session in sessions if session.pid}),
        "login": login,
        "error": error,
    }


def _login(parsed: Any) -> str:
    """`logged in`, `needs login`, or nothing for a server that nobody has logged in to."""
    if not isinstance(parsed, ServerDefinition) or not parsed.can_log_in:
        return ""
    return login_state(parsed.name, parsed.url)


def _transport(parsed: Any, entry: Any) -> str:
    if parsed is not None and not isinstance(parsed, ConfigError):
        return str(parsed.transport.value)
    keys = entry if isinstance(entry, dict) else {}
    if "command" in keys:
        return "stdio"
    return "http" if any(key in keys for key in ("url", "serverUrl", "httpUrl")) else "-"


def _cells(row: dict[str, Any]) -> dict[str, str]:
    return {
        "NAME": clean_line(row["name"]),
        "TRANSPORT": row["transport"],
        "STATE": row["state"],
        "TOOLS>": "-" if row["tools"] is None else str(row["tools"]),
        "TOKENS>": "-" if row["tokens"] is None else shown_tokens(row["tokens"]),
        "MEMORY>": size(row["memory_bytes"]) if row["memory_bytes"] else "-",
        "IDLE>": "-" if row["idle_seconds"] is None else duration(row["idle_seconds"]),
        "FROM": clean_line(Path(row["source"]).name),
    }


def _live() -> dict[str, list[v1.ServerStatus]]:
    """Sessions by name; none where no daemon runs."""
    from llm_tools_mcp.cli.running_daemon import ask_status

    if not is_running(installed_service()):
        return {}
    found: dict[str, list[v1.ServerStatus]] = {}
    for session in ask_status().servers:
        for name in (session.server, *session.also_called):
            found.setdefault(name, []).append(session)
    return found


def _known(config_path: str | None) -> dict[str, list[v1.Tool]]:
    """The tools of each server, as far as the daemon knows."""
    from llm_tools_mcp.cli.completers import known_tools

    try:
        return known_tools(config_path)
    except McpError:
        return {}
