"""What of tools may be typed next: SERVER, SERVER.TOOL or TOOL, and KEY=VALUE. Starts nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from .completers import file_from, first_line, fits, known_tools, quietly, server_names, split_word

if TYPE_CHECKING:
    import click

    from llm_tools_mcp import v1

    from .schema import Argument


def target_words(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Servers of the config; behind a dot the tools of one, as SERVER.TOOL."""
    found = server_names(context, parameter, incomplete)
    if found or "." not in incomplete:
        return found
    return [
        CompletionItem(f"{server}.{tool.name}", help=first_line(tool.description))
        for server, tools in _all_tools(context).items()
        for tool in tools
        if fits(f"{server}.{tool.name}", incomplete)
    ]


def tool_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Of the server that was typed already, as far as they are known; behind SERVER.TOOL its arguments."""
    if _is_dotted(context):
        takes_arguments = any(one.name == "arguments" for one in context.command.params)
        return argument_words(context, parameter, incomplete) if takes_arguments else []
    tools = _tools(context)
    return [CompletionItem(t.name, help=first_line(t.description)) for t in tools if fits(t.name, incomplete)]


def argument_words(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """KEY= of the tool that was typed already, without keys that were given; or a VALUE."""
    before: list[str] = list(context.params.get("arguments") or ())
    if _is_dotted(context) and (first := context.params.get("tool")):
        before.insert(0, first)
    arguments: list[Argument] = quietly(lambda: _arguments(context), [])
    name, text, start = split_word(before, incomplete)
    if text is not None:
        return _values([a for a in arguments if a.name == name], text, start)
    given = {word.partition("=")[0] for word in before}
    wanted = [a for a in arguments if a.name not in given or a.kind.startswith("array")]
    return [CompletionItem(f"{a.name}=", help=a.kind) for a in wanted if fits(a.name, incomplete)]


def _values(arguments: list[Argument], text: str, start: str) -> list[CompletionItem]:
    """What the schema lets choose from, else files: of @FILE, and where a text is asked for."""
    if text.startswith("@"):
        return [file_from(text[1:])]
    kinds = [kind for a in arguments for kind in a.kind.split(" or ")]
    choices = [choice for kind in kinds for choice in _choices(kind)]
    if choices:
        return [CompletionItem(f"{start}{choice}") for choice in choices if fits(choice, text)]
    return [file_from(text)] if "string" in kinds or "array of string" in kinds else []


def _choices(kind: str) -> list[str]:
    """Of a kind in the words of `schema`: a JSON string is one that may be chosen."""
    if kind == "boolean":
        return ["true", "false"]
    return [str(quietly(lambda: json.loads(kind), kind))] if kind.startswith('"') else []


def _arguments(context: click.Context) -> list[Argument]:
    from .schema import arguments_of

    word, tool = context.params.get("server"), context.params.get("tool")
    wanted = {f"{word}.{tool}", word if _is_dotted(context) else ""}
    return [
        argument
        for server, tools in _all_tools(context).items()
        for one in tools
        if f"{server}.{one.name}" in wanted
        for argument in arguments_of(json.loads(one.input_schema))
    ]


def _is_dotted(context: click.Context) -> bool:
    """Whether SERVER.TOOL was typed, of a server and a tool that are known."""
    word = context.params.get("server") or ""
    known = _all_tools(context) if "." in word else {}
    return word not in known and any(
        f"{server}.{one.name}" == word for server in known for one in known[server]
    )


def _tools(context: click.Context) -> list[v1.Tool]:
    return _all_tools(context).get(context.params.get("server") or "", [])


def _all_tools(context: click.Context) -> dict[str, list[v1.Tool]]:
    none: dict[str, list[v1.Tool]] = {}
    return quietly(lambda: known_tools(context.params.get("config_path")), none)
