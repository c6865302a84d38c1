"""`llm mcp prompts` and `llm mcp prompt`: what servers have to say in one's place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_tools_mcp.cli.command import as_json, command, config_option, refresh_option
from llm_tools_mcp.cli.completers import prompt_arguments, prompt_names, server_names
from llm_tools_mcp.cli.tools.call_output import as_dict, output_option, print_result, save
from llm_tools_mcp.terminal.screen import clean_line, print_json, styled

from .config_servers import pairs_of, requests_of, show, source_with

if TYPE_CHECKING:
    from llm_tools_mcp import v1
    from llm_tools_mcp.client.requests import Message, Prompt


@command("prompts", "llm mcp prompts", "llm mcp prompts review")
@click.argument("server", required=False, shell_complete=server_names)
@refresh_option
@config_option
@as_json
@click.pass_context
def prompts_command(
    context: click.Context, *, server: str | None, refresh: bool, config_path: str | None, as_json: bool
) -> None:
    """Show the prompts of the servers, all or those of one SERVER: for `llm -t mcp:SERVER/PROMPT?arg=x`."""
    source, servers = source_with(config_path, server)
    prompts, failed = requests_of(source).prompts(servers, refresh=refresh)
    show(context, "prompts", server, prompts, failed, _line, as_json=as_json)


def _line(prompt: Prompt) -> str:
    form = " ".join(f"{one.name}=…" if one.is_required else f"[{one.name}=…]" for one in prompt.arguments)
    head = " ".join(part for part in (styled(clean_line(prompt.name), fg="cyan"), clean_line(form)) if part)
    return f"  {head}  {styled(clean_line(prompt.description), dim=True)}".rstrip()


@command(
    "prompt",
    "llm mcp prompt review code_review language=python",
    "llm mcp prompt review code_review language=python | llm",
)
@click.argument("server", shell_complete=server_names)
@click.argument("name", shell_complete=prompt_names)
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=prompt_arguments)
@output_option
@config_option
@as_json
def prompt_command(
    *,
    server: str,
    name: str,
    arguments: tuple[str, ...],
    output: Path | None,
    config_path: str | None,
    as_json: bool,
) -> None:
    """Print the prompt NAME of SERVER with its arguments filled in."""
    from llm_tools_mcp.client.prompts import (
        check_arguments,
        filled_in,
        find_prompt,
        missing_arguments,
        needs,
    )

    source, _ = source_with(config_path, server)
    requests, given = requests_of(source), pairs_of(arguments)
    prompt = find_prompt(requests, server, name)
    check_arguments(prompt, given)
    if missing := missing_arguments(prompt, given):
        raise needs(prompt, missing)
    messages = filled_in(requests, prompt, given)
    result = _as_result(messages)
    saved = save(result, name, output)
    if as_json:
        roles = [message.role for message in messages]
        contents = as_dict(_as_result(messages, spoken_together=False), {})["content"]
        print_json([{"role": role, **one} for role, one in zip(roles, contents, strict=True)])
    else:
        print_result(result, saved)


def _as_result(messages: Sequence[Message], *, spoken_together: bool = True) -> v1.ToolResult:
    """As a tool would give it: the texts as one, or each message for itself."""
    from llm_tools_mcp import v1
    from llm_tools_mcp.client.prompts import spoken

    result = v1.ToolResult()
    if spoken_together and (text := spoken(messages)):
        result.content.add(text=text)
    for contents in (message.contents for message in messages):
        if contents.text is None:
            result.content.add(
                media=v1.Media(data=contents.data, mime_type=contents.mime_type, uri=contents.uri)
            )
        elif not spoken_together:
            result.content.add(text=contents.text)
    return result
