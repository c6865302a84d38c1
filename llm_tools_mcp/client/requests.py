"""Resources, prompts and completions of a config's servers: MCP's requests that are no tool calls."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llm_tools_mcp import v1
from llm_tools_mcp.config import ConfigSource
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.terminal.progress import Display
from llm_tools_mcp.text import strict_json
from llm_tools_mcp.text.media_type import UNKNOWN, is_textual, media_type
from llm_tools_mcp.text.plain import plain

from .call_questions import Answerer
from .caller import make_caller
from .daemon import Daemon
from .tools import Failed


@dataclass(frozen=True, slots=True)
class Resource:
    """What a server has to read, or a template (RFC 6570) of many such. `size` in bytes, if known."""

    server: str
    uri: str
    name: str
    description: str
    mime_type: str
    size: int | None = None
    is_template: bool = False


@dataclass(frozen=True, slots=True)
class PromptArgument:
    name: str
    description: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    server: str
    name: str
    description: str
    arguments: tuple[PromptArgument, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """A part of a resource or of a message: text, or bytes."""

    uri: str
    mime_type: str
    text: str | None = field(default=None, repr=False)
    data: bytes = field(default=b"", repr=False)

    def readable(self) -> Contents:
        """The same as text where the bytes are some, by their type: no model takes such an attachment."""
        if self.text is not None or not is_textual(self.mime_type):
            return self
        try:
            return Contents(self.uri, self.mime_type, self.data.decode("utf-8-sig"))
        except UnicodeDecodeError:
            return self


@dataclass(frozen=True, slots=True)
class Message:
    """One of a prompt. `role`: user or assistant."""

    role: str
    contents: Contents


class Requests:
    """Sends them for one config. What a server asks meanwhile is put to `answerer`. All raise McpError."""

    def __init__(
        self, daemon: Daemon, source: ConfigSource, display: Display, answerer: Answerer | None = None
    ) -> None:
        self._daemon = daemon
        self._caller = make_caller(source, by_hand=daemon.by_hand)
        self._display = display
        self._answerer = answerer

    def resources(
        self, servers: Sequence[str], *, refresh: bool = False
    ) -> tuple[list[Resource], list[Failed]]:
        """Of each server its resources, then its templates; and the servers that did not list them."""
        lists = {"resources/list": "resources", "resources/templates/list": "resourceTemplates"}
        found, failed = self._lists(servers, lists, refresh=refresh)
        return [resource_of(server, item) for server, item in found], failed

    def prompts(self, servers: Sequence[str], *, refresh: bool = False) -> tuple[list[Prompt], list[Failed]]:
        found, failed = self._lists(servers, {"prompts/list": "prompts"}, refresh=refresh)
        return [prompt_of(server, item) for server, item in found], failed

    def _lists(
        self, servers: Sequence[str], lists: Mapping[str, str], *, refresh: bool
    ) -> tuple[list[tuple[str, dict[str, Any]]], list[Failed]]:
        """Of all servers at the same time. `lists`: methods and the keys of their items."""
        wanted = [(server, method) for server in servers for method in lists]
        requests = [self._message(server, method, refresh=refresh) for server, method in wanted]
        with self._display.listing() as on_answer:
            for server in servers:
                on_answer(v1.ServerTools(server=server, state=v1.ServerTools.STARTING))
            answers = self._daemon.requests(requests)
        found: list[tuple[str, dict[str, Any]]] = []
        failed: dict[str, Failed] = {}
        for (server, method), answer in zip(wanted, answers, strict=True):
            if isinstance(answer, McpError):
                failed.setdefault(server, Failed(server, str(answer)))
            else:
                found += [(server, item) for item in items_of(_parsed(answer), lists[method])]
        return found, list(failed.values())

    def read(self, server: str, uri: str) -> list[Contents]:
        result = self.send(server, "resources/read", {"uri": uri})
        return [contents_of(item) for item in items_of(result, "contents")]

    def messages(self, server: str, prompt: str, arguments: Mapping[str, str]) -> list[Message]:
        """A prompt with its arguments filled in."""
        params = {"name": prompt, "arguments": dict(arguments)}
        result = self.send(server, "prompts/get", params)
        return [_message_of(item) for item in items_of(result, "messages")]

    def send(self, server: str, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """One request; its result."""
        request = self._message(server, method, params)
        with self._display.call(server, method) as on_event:
            return _parsed(self._daemon.request(request, on_event, self._answerer))

    def _message(
        self, server: str, method: str, params: Mapping[str, Any] | None = None, *, refresh: bool = False
    ) -> v1.RequestMessage:
        text = strict_json.dumps(dict(params or {}))
        return v1.RequestMessage(
            caller=self._caller, server=server, method=method, params=text, refresh=refresh
        )


def _parsed(answer: str) -> dict[str, Any]:
    result = json.loads(answer)
    return result if isinstance(result, dict) else {}


# --- what servers say → what it means ---------------------------------------------------------------


def items_of(result: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """Of a list in a result; what is no object costs itself only."""
    found = result.get(key)
    for item in found if isinstance(found, list) else []:
        if isinstance(item, dict):
            yield item


def resource_of(server: str, item: Mapping[str, Any]) -> Resource:
    size = item.get("size")
    is_template = "uriTemplate" in item
    return Resource(
        server,
        _text(item.get("uriTemplate" if is_template else "uri")),
        _text(item.get("title")) or _text(item.get("name")),
        _text(item.get("description")),
        media_type(item.get("mimeType")),
        size if isinstance(size, int) else None,
        is_template,
    )


def prompt_of(server: str, item: Mapping[str, Any]) -> Prompt:
    arguments = tuple(
        PromptArgument(
            _text(argument.get("name")), _text(argument.get("description")), bool(argument.get("required"))
        )
        for argument in items_of(item, "arguments")
    )
    description = _text(item.get("description")) or _text(item.get("title"))
    return Prompt(server, _text(item.get("name")), description, arguments)


def contents_of(item: Mapping[str, Any]) -> Contents:
    """Of `resources/read`, or a block of content as prompts and tools have them."""
    kind = item.get("type")
    if kind == "resource":
        inner = item.get("resource")
        return contents_of(inner if isinstance(inner, dict) else {})
    uri, mime_type = _text(item.get("uri")), media_type(item.get("mimeType"))
    if kind == "resource_link":
        return Contents("", "", f"{_text(item.get('title')) or _text(item.get('name')) or 'resource'}: {uri}")
    coded = item.get("blob") if "blob" in item else item.get("data")
    if coded is None:
        return Contents(uri, mime_type, _text(item.get("text")))
    try:
        return Contents(
            uri,
            mime_type or UNKNOWN,
            data=base64.b64decode("".join(_text(coded).split()), validate=True),
        )
    except (binascii.Error, ValueError):
        raise McpError(f"the server sent content that is not valid base64 ({uri or mime_type})") from None


def _message_of(item: Mapping[str, Any]) -> Message:
    content = item.get("content")
    role = " ".join(plain(_text(item.get("role"))).split())
    return Message(role, contents_of(content if isinstance(content, dict) else {}).readable())


def _text(value: object) -> str:
    """Half characters, which JSON can hold and nobody can write, are replaced."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


# --- addresses: SERVER/URI --------------------------------------------------------------------------


def split_address(address: str, servers: Sequence[str]) -> tuple[str, str]:
    """A server's name, which may hold slashes itself, and what follows it. Raises McpError.

    A name that the place of the address does not allow, such as spaces in `llm chat`, may be encoded.
    """
    from urllib.parse import quote

    forms = {form: name for name in servers for form in (name, quote(name), quote(name, safe=""))}
    fitting = [form for form in forms if address == form or address.startswith(f"{form}/")]
    if not fitting:
        known = ", ".join(servers) or "none"
        raise McpError(f"no MCP server of the config fits {address!r}; there are: {known}")
    longest = max(fitting, key=len)
    return forms[longest], address[len(longest) + 1 :]
