"""`llm -t mcp:SERVER/PROMPT?arg=value`: prompts of MCP servers as templates; `-t mcp:SERVER`: its tools."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

import llm

from llm_tools_mcp.errors import McpError

from .fragments import bring, piece_of

if TYPE_CHECKING:
    from llm_tools_mcp.client.requests import Message, Prompt, Requests
    from llm_tools_mcp.config import ConfigSource


def load_template(address: str) -> llm.Template:
    """Raises McpError. What the prompt needs and is not given becomes a variable of the template (`-p`)."""
    from llm_tools_mcp.client.requests import split_address
    from llm_tools_mcp.config import enabled_names

    from .default_servers import config_source, requests_of

    source = config_source()
    server, rest = split_address(address, enabled_names(source))
    if not rest:
        return _template_of_server(source, server, address)
    requests = requests_of(source)
    prompt, given = _prompt_of(requests, server, rest)
    return _template_of_prompt(requests, prompt, given, address)


# --- a server's tools -------------------------------------------------------------------------------


def _template_of_server(source: ConfigSource, server: str, address: str) -> llm.Template:
    from llm_tools_mcp.client.daemon import Daemon
    from llm_tools_mcp.terminal.progress import Display

    with Display().listing() as on_answer:
        listing = Daemon().list_tools(source, [server], on_answer=on_answer)
    for failed in listing.failed:
        if failed.server == server:
            raise McpError(failed.reason)
    instructions = listing.instructions.get(server, "")
    tools = [f"MCP(servers={json.dumps([server])})"]
    return llm.Template(  # type: ignore[no-untyped-call]
        name=f"mcp:{address}", system=_literal(instructions) or None, tools=tools
    )


# --- prompts ----------------------------------------------------------------------------------------


def _prompt_of(requests: Requests, server: str, text: str) -> tuple[Prompt, dict[str, str]]:
    """NAME or NAME?arg=value&…; a name may hold a question mark itself, and may be encoded."""
    from llm_tools_mcp.client.prompts import check_arguments, find_prompt

    name, _, query = text.rpartition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    if not name or not given:
        name, given = text, {}
    try:
        prompt = find_prompt(requests, server, name)
    except McpError:
        if unquote(name) == name:
            raise
        prompt = find_prompt(requests, server, unquote(name))
    check_arguments(prompt, given)
    return prompt, given


def _template_of_prompt(
    requests: Requests, prompt: Prompt, given: Mapping[str, str], address: str
) -> llm.Template:
    from llm_tools_mcp.client.prompts import filled_in, missing_arguments, needs, spoken

    missing = missing_arguments(prompt, given)
    # The server gets a mark in place of each value, and where it comes back there goes a variable.
    marks = {name: f"__{secrets.token_hex(8)}__" for name in missing}
    try:
        messages = filled_in(requests, prompt, {**given, **marks})
    except McpError as error:
        raise needs(prompt, missing, str(error.__cause__ or error)) if missing else error from error
    text = _literal(spoken([message for message in messages if not _is_piece(message)]))
    if lost := [name for name, mark in marks.items() if mark not in text]:
        raise needs(prompt, lost, "the server does not take it as plain text")
    for name, mark in marks.items():
        text = _with_variable(text, mark, _variable(name))
    pieces = _pieces(messages, prompt.server, address)
    return llm.Template(  # type: ignore[no-untyped-call]
        name=f"mcp:{address}", prompt=text or None, fragments=pieces or None
    )


def _is_piece(message: Message) -> bool:
    """An embedded resource, or bytes: no words of the conversation."""
    return message.contents.text is None or bool(message.contents.uri)


def _pieces(messages: Sequence[Message], server: str, address: str) -> list[str]:
    """Fragments that stand for what came with the prompt."""
    pieces = [message.contents for message in messages if _is_piece(message)]
    return [
        bring(f"{address}#{number}", piece_of(f"{server}/{piece.uri}" if piece.uri else address, piece))
        for number, piece in enumerate(pieces, 1)
    ]


def _literal(text: str) -> str:
    """As llm's templates need it to stay what it is: the dollars of a server are no variables."""
    return text.replace("$", "$$")


def _with_variable(text: str, mark: str, name: str) -> str:
    """In braces only where it has to be: llm 0.36 does not miss a variable in braces, and breaks off."""
    text = re.sub(rf"{mark}(?=\w)", lambda _: "${" + name + "}", text, flags=re.ASCII)
    return text.replace(mark, f"${name}")


def _variable(name: str) -> str:
    return re.sub(r"\W", "_", name, flags=re.ASCII)
