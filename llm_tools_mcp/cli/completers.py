"""What may be typed next: servers, tools and their arguments. Starts nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from click.shell_completion import CompletionItem

from llm_tools_mcp.text.plain import plain

if TYPE_CHECKING:
    import click

    from llm_tools_mcp import v1
    from llm_tools_mcp.config import ConfigSource


T = TypeVar("T")

# How click's own script for bash asks, and the signs that bash acts upon.
_RAW, _ACTING = "bash_complete", frozenset("$`;&|<>()\\\"'!")


def server_names(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Of the config."""
    servers: list[str] = quietly(lambda: list(_servers(context)), [])
    return [CompletionItem(name) for name in servers if fits(name, incomplete)]


def resource_uris(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Of the server that was typed already, templates too, as far as they are known."""
    lists = {
        "resources/list": ("resources", "uri"),
        "resources/templates/list": ("resourceTemplates", "uriTemplate"),
    }
    found = [
        (str(item.get(key)), str(item.get("name") or ""))
        for method, (kind, key) in lists.items()
        for item in _known(context, method, kind)
    ]
    return [CompletionItem(uri, help=first_line(name)) for uri, name in found if fits(uri, incomplete)]


def template_arguments(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """KEY= of the template that was typed already; or a VALUE, which the server completes."""
    template = context.params.get("uri") or ""

    def names() -> list[str]:
        from llm_tools_mcp.client.templates import variables

        return list(variables(template))

    reference = {"type": "ref/resource", "uri": template}
    return _keys_or_values(context, reference, quietly(names, []), incomplete)


def prompt_names(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Of the server that was typed already, as far as they are known."""
    found = [(str(item.get("name")), str(item.get("description") or "")) for item in _known_prompts(context)]
    return [CompletionItem(name, help=first_line(text)) for name, text in found if fits(name, incomplete)]


def prompt_arguments(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """KEY= of the prompt that was typed already; or a VALUE, which the server completes."""
    wanted = context.params.get("name") or ""
    arguments = [item.get("arguments") for item in _known_prompts(context) if item.get("name") == wanted]
    names = [one["name"] for found in arguments if isinstance(found, list) for one in found if "name" in one]
    return _keys_or_values(context, {"type": "ref/prompt", "name": wanted}, names, incomplete)


def _known_prompts(context: click.Context) -> list[dict[str, Any]]:
    return _known(context, "prompts/list", "prompts")


def _keys_or_values(
    context: click.Context, reference: dict[str, str], names: list[str], incomplete: str
) -> list[CompletionItem]:
    before: list[str] = list(context.params.get("arguments") or ())
    name, text, start = split_word(before, incomplete)
    given = dict(word.partition("=")[::2] for word in before)
    if text is None:
        return [CompletionItem(f"{n}=") for n in names if n not in given and fits(n, incomplete)]
    others = {key: value for key, value in given.items() if key != name}
    params = {"ref": reference, "argument": {"name": name, "value": text}, "context": {"arguments": others}}
    return [CompletionItem(f"{start}{value}") for value in _completed(context, params) if fits(value, "")]


def _completed(context: click.Context, params: dict[str, Any]) -> list[str]:
    def ask() -> list[str]:
        from .known_lists import ask, source_of

        server = context.params.get("server") or ""
        answer = ask(source_of(context.params.get("config_path")), server, "completion/complete", params)
        return [value for value in answer["completion"]["values"] if isinstance(value, str)]

    return quietly(ask, [])


def _known(context: click.Context, method: str, key: str) -> list[dict[str, Any]]:
    def ask() -> list[dict[str, Any]]:
        from .known_lists import items, source_of

        server = context.params.get("server") or ""
        return items(source_of(context.params.get("config_path")), server, method, key)

    return quietly(ask, [])


def json_or_file(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """@FILE."""
    return [file_from(incomplete[1:])] if incomplete.startswith("@") else []


def names_or_file(names: Iterable[str]) -> Callable[..., list[CompletionItem]]:
    """One of the names, or a file where none fits."""

    def complete(
        _context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        fitting = [CompletionItem(name) for name in names if fits(name, incomplete)]
        return fitting or [file_from(incomplete)]

    return complete


def split_word(before: list[str], incomplete: str) -> tuple[str, str | None, str]:
    """Name, text of the value (None: the name is not complete), and what a completed value begins with.

    Bash splits words at `=`, and the completion of `llm` tells us of the parts.
    """
    if before and incomplete.startswith("="):
        return before[-1], incomplete[1:], ""
    if len(before) > 1 and before[-1] in ("=", "=@"):
        return before[-2], before[-1][1:] + incomplete, ""
    name, separator, text = incomplete.partition("=")
    return name, text if separator else None, f"{name}="


def file_from(start: str) -> CompletionItem:
    """The shell completes it."""
    return CompletionItem(start, type="file")


def fits(name: str, incomplete: str) -> bool:
    """Whether it goes on so, and may be put into a command line: it is a server's word, and Enter is near."""
    return name.startswith(incomplete) and name.isprintable() and not _acts(name)


def _acts(name: str) -> bool:
    """Whether a shell would do something with it. click's script for bash puts it there as it is (8.3)."""
    is_quoted = _RAW not in (os.environ.get(variable) for variable in ("_LLM_COMPLETE", "_LLM_MCP_COMPLETE"))
    return not is_quoted and any(sign in _ACTING for sign in name)


def first_line(text: str) -> str:
    return plain(text).strip().split("\n", 1)[0][:80]


def _servers(context: click.Context) -> dict[str, Any]:
    from .editing import config_file, servers_of

    return servers_of(config_file(context.params.get("config_path")))


def known_tools(config_path: str | None) -> dict[str, list[v1.Tool]]:
    """What is known of each server of a config, by the daemon or, while none runs, on disk."""
    return {server: list(known.tools) for server, known in known_servers(config_path).items()}


def known_servers(config_path: str | None) -> dict[str, v1.ServerTools]:
    """As `known_tools`, with what else the servers say. Tools that cannot be called are left out."""
    from llm_tools_mcp import v1
    from llm_tools_mcp.config import read_config
    from llm_tools_mcp.consent.projects import read_config_here
    from llm_tools_mcp.service import installed_service

    from .running_daemon import is_running

    source = read_config_here() if config_path is None else read_config(config_path)
    found = _asked(source) if is_running(installed_service()) else _remembered(source)
    for answer in found.values():
        tools = [tool for tool in answer.tools if not v1.needs_task(tool)]
        del answer.tools[:]
        answer.tools.extend(tools)
    return found


def _asked(source: ConfigSource) -> dict[str, v1.ServerTools]:
    from llm_tools_mcp import paths
    from llm_tools_mcp.client.caller import make_caller
    from llm_tools_mcp.client.channel import DaemonClient

    from .running_daemon import NO_SERVER

    caller = make_caller(source)
    with DaemonClient(paths.socket_path()) as client:
        return {answer.server: answer for answer in client.tools(caller, NO_SERVER)}


def _remembered(source: ConfigSource) -> dict[str, v1.ServerTools]:
    from llm_tools_mcp import v1
    from llm_tools_mcp.cache import tool_lists
    from llm_tools_mcp.config import ServerDefinition

    from .editing import check_source

    found: dict[str, v1.ServerTools] = {}
    for name, definition in check_source(source).servers.items():
        if isinstance(definition, ServerDefinition):
            try:
                entry = tool_lists.load(tool_lists.folder(), definition.cache_key)
            except (OSError, tool_lists.Damaged):
                continue
            if entry is not None:
                tools = [tool for tool in entry.tools if definition.offers(tool.name)]
                found[name] = v1.ServerTools(server=name, tools=tools, instructions=entry.instructions)
    return found


def quietly(ask: Callable[[], T], otherwise: T) -> T:
    """Somebody is in the middle of typing: an error has no place on the screen."""
    try:
        return ask()
    except Exception:  # noqa: BLE001 - whatever it is
        return otherwise
