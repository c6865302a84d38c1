"""`llm mcp resources` and `llm mcp read`: what servers have to read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_tools_mcp.cli.command import as_json, command, config_option, refresh_option
from llm_tools_mcp.cli.completers import resource_uris, server_names, template_arguments
from llm_tools_mcp.cli.tools.call_output import as_dict, output_option, print_result, save
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.terminal.screen import clean_line, is_terminal, print_json, styled

from .config_servers import pairs_of, requests_of, show, source_with

if TYPE_CHECKING:
    from llm_tools_mcp import v1
    from llm_tools_mcp.client.requests import Contents, Resource


@command(
    "resources",
    "llm mcp resources",
    "llm mcp resources docs",
    "llm mcp resources --json | jq -r '.resources[].uri'",
)
@click.argument("server", required=False, shell_complete=server_names)
@refresh_option
@config_option
@as_json
@click.pass_context
def resources_command(
    context: click.Context, *, server: str | None, refresh: bool, config_path: str | None, as_json: bool
) -> None:
    """Show what the servers have to read, all or those of one SERVER: for `llm -f mcp:SERVER/URI`.

    What has {braces} is a template: `llm mcp read SERVER 'URI' key=value` fills it in.
    """
    source, servers = source_with(config_path, server)
    resources, failed = requests_of(source).resources(servers, refresh=refresh)
    show(context, "resources", server, resources, failed, _line, as_json=as_json)


def _line(resource: Resource) -> str:
    size = "" if resource.size is None else _in_words(resource.size)
    facts = ", ".join(fact for fact in (clean_line(resource.mime_type), size) if fact)
    text = clean_line(resource.description or resource.name)
    details = f"{f'({facts})' if facts else ''} {text}".strip()
    return f"  {styled(clean_line(resource.uri), fg='cyan')}  {styled(details, dim=True)}".rstrip()


def _in_words(size: int) -> str:
    for unit, bytes_of_it in (("MB", 1_000_000), ("kB", 1000)):
        if size >= bytes_of_it:
            return f"{size / bytes_of_it:.1f} {unit}"
    return f"{size} bytes"


@command(
    "read",
    "llm mcp read docs docs://readme",
    "llm mcp read github 'repo://{owner}/{repo}/readme' owner=simonw repo=llm",
    "llm mcp read camera camera://front/still --output still.jpg",
)
@click.argument("server", shell_complete=server_names)
@click.argument("uri", shell_complete=resource_uris)
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=template_arguments)
@output_option
@config_option
@as_json
def read_command(
    *,
    server: str,
    uri: str,
    arguments: tuple[str, ...],
    output: Path | None,
    config_path: str | None,
    as_json: bool,
) -> None:
    """Print the resource URI of SERVER; of a template the one that its arguments name.

    Bytes go to stdout as they are where that is a pipe or a file.
    """
    from llm_tools_mcp.client.templates import expanded, is_template

    source, _ = source_with(config_path, server)
    if arguments or is_template(uri):
        uri = expanded(uri, pairs_of(arguments))
    contents = requests_of(source).read(server, uri)
    if not contents:
        raise McpError(f"server {server!r} has nothing in {uri!r}")
    if output is None and not as_json and is_terminal():
        contents = [one.readable() for one in contents]
    result = _as_result(contents)
    saved = save(result, uri.rpartition("/")[2] or "resource", output)
    if as_json:
        print_json(as_dict(result, saved)["content"])
    elif len(contents) == 1 and contents[0].text is None and output is None and not is_terminal():
        sys.stdout.buffer.write(contents[0].data)
    else:
        print_result(result, saved)


def _as_result(contents: Sequence[Contents]) -> v1.ToolResult:
    """As a tool would give it."""
    from llm_tools_mcp import v1

    result = v1.ToolResult()
    for one in contents:
        if one.text is not None:
            result.content.add(text=one.text)
        else:
            result.content.add(media=v1.Media(data=one.data, mime_type=one.mime_type, uri=one.uri))
    return result
