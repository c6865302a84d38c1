"""Tools on demand: `search_tools` and `call_tool` instead of the definitions of all tools."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from llm_tools_mcp.acceptable import acceptable_schema, fitted
from llm_tools_mcp.errors import OutcomeUnknown, ToolCallError, UnknownTool
from llm_tools_mcp.text.plain import plain

from .definitions import define, names_before

if TYPE_CHECKING:
    import llm

    from llm_tools_mcp.client.tool_search import Ranking
    from llm_tools_mcp.client.tools import Listing, Offer

    Find = Callable[[str, Sequence[str]], Ranking]
    Call = Callable[[Offer, dict[str, Any]], Any]

# Characters: of the servers' names in the description; of each server's instructions in an answer.
_NAMES, _INSTRUCTIONS = 600, 2048
# Of a tool's description there, and of why a server is down.
_DESCRIPTION, _TROUBLE = 4096, 500
# Of a tool's schema; of the tools of an answer, of which the best one is shown in any case.
_SCHEMA, _ANSWER = 10_000, 20_000
_ABOUT_ARGUMENTS = re.compile(r"argument|parameter|schema|valid|required|missing|type|propert", re.IGNORECASE)

SEARCH = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "What the tool shall do, in a few English words."},
        "server": {"type": "string", "description": "Search this server alone."},
    },
    "required": ["query"],
}
CALL = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "The tool, as search_tools names it."},
        "arguments": {
            "type": "object",
            "properties": {},
            "description": "Its arguments, as its schema says.",
        },
    },
    "required": ["name"],
}


def searching_tools(toolbox: llm.Toolbox, listing: Listing, find: Find, call: Call) -> list[llm.Tool]:
    """The two tools. A tool that was found is called by `call`, which awaits nothing or is a coroutine."""
    before = names_before()
    searcher, caller = (listing.free_name(name, before) for name in ("search_tools", "call_tool"))
    about = f"Find tools of these MCP servers: {_server_names(listing)}. Then call them by {caller}."
    finding, calling = _Finding(listing, find), _Calling(listing, call, searcher)
    is_async = iscoroutinefunction(call)
    return [
        define(toolbox, searcher, about, SEARCH, finding.coroutine() if is_async else finding.function()),
        define(
            toolbox,
            caller,
            f"Call a tool that {searcher} has found.",
            CALL,
            calling.coroutine() if is_async else calling.function(),
        ),
    ]


def _server_names(listing: Listing) -> str:
    names = ", ".join(dict.fromkeys(plain(offer.server) for offer in listing.offers))
    return names if len(names) <= _NAMES else f"{names[:_NAMES].rpartition(', ')[0]} and others"


class _Finding:
    """What `search_tools` does."""

    def __init__(self, listing: Listing, find: Find) -> None:
        self._listing, self._find = listing, find

    def function(self) -> Callable[..., str]:
        def search_tools(_toolbox: llm.Toolbox, /, query: str = "", server: str | None = None) -> str:
            return self._search(str(query), server)

        return search_tools

    def coroutine(self) -> Callable[..., Any]:
        async def search_tools(_toolbox: llm.Toolbox, /, query: str = "", server: str | None = None) -> str:
            return await asyncio.to_thread(self._search, str(query), server)

        return search_tools

    def _search(self, query: str, server: str | None) -> str:
        ranking = self._find(query, [str(server)] if server else [])
        if server and server not in ranking.servers:
            raise UnknownTool(f"there is no server {server!r}; there are: {', '.join(ranking.servers)}")
        return json.dumps(self._told(ranking), ensure_ascii=False)

    def _told(self, ranking: Ranking) -> dict[str, Any]:
        named = dict.fromkeys(offer.server for offer in ranking.offers)
        said = {name: text for name in named if (text := self._listing.instructions.get(name, ""))}
        down = {name: fitted(trouble, _TROUBLE) for name, trouble in ranking.servers.items() if trouble}
        tools, left_out = _fitting(ranking.offers)
        told: dict[str, Any] = {"tools": tools}
        if left_out:
            told["left_out_for_their_size"] = left_out
            told["hint"] = "To see what is left out, search for its name."
        if not ranking.offers:
            told["hint"] = "Nothing fits. Try other English words, or the name of a server."
        told["servers"] = [name for name in ranking.servers if name not in down]
        if down:
            told["servers_that_are_down"] = down
        if said:
            told["instructions"] = {name: text[:_INSTRUCTIONS] for name, text in said.items()}
        return told


def _fitting(offers: Sequence[Offer]) -> tuple[list[dict[str, Any]], list[str]]:
    """What there is room for, the best one in any case; and the names of the others."""
    shown: list[dict[str, Any]] = []
    left_out: list[str] = []
    room = _ANSWER
    for offer in offers:
        one = _as_dict(offer)
        size = len(json.dumps(one, ensure_ascii=False))
        if shown and size > room:
            left_out.append(offer.name)
        else:
            shown.append(one)
            room -= size
    return shown, left_out


def _as_dict(offer: Offer) -> dict[str, Any]:
    accepted = acceptable_schema(offer.input_schema)
    schema = json.dumps(accepted.schema, ensure_ascii=False)
    notes = "".join(f"\n{note}." for note in accepted.notes)
    return {
        "name": offer.name,
        "server": offer.server,
        # Whole, as no description of a tool can be.
        "description": fitted(offer.description, _DESCRIPTION) + fitted(notes, _DESCRIPTION),
        "schema": accepted.schema if len(schema) <= _SCHEMA else _cut(schema, offer),
    }


class _Calling:
    """What `call_tool` does: a call of a tool like any other."""

    def __init__(self, listing: Listing, call: Call, searcher: str) -> None:
        self._listing, self._call, self._searcher = listing, call, searcher

    def function(self) -> Callable[..., Any]:
        def call_tool(_toolbox: llm.Toolbox, /, name: str = "", arguments: Any = None) -> Any:
            offer = self._offer(str(name))
            values = _object(arguments, offer)
            try:
                return self._call(offer, values)
            except ToolCallError as error:
                raise _explained(error, offer, values) from error

        return call_tool

    def coroutine(self) -> Callable[..., Any]:
        async def call_tool(_toolbox: llm.Toolbox, /, name: str = "", arguments: Any = None) -> Any:
            offer = self._offer(str(name))
            values = _object(arguments, offer)
            try:
                return await self._call(offer, values)
            except ToolCallError as error:
                raise _explained(error, offer, values) from error

        return call_tool

    def _offer(self, name: str) -> Offer:
        """By the name for models, or by the server's own where that is clear."""
        fitting = [offer for offer in self._listing.offers if offer.name == name] or [
            offer for offer in self._listing.offers if name in (offer.tool, f"{offer.server}.{offer.tool}")
        ]
        if len(fitting) == 1:
            return fitting[0]
        from difflib import get_close_matches

        near = [offer.name for offer in fitting]
        near = near or get_close_matches(name, [offer.name for offer in self._listing.offers], n=3)
        meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else ";"
        raise UnknownTool(f"there is no tool {name!r}{meant} {self._searcher} finds tools by what they do")


def _object(arguments: Any, offer: Offer) -> dict[str, Any]:
    """Models write the object as text now and then."""
    if arguments is None or arguments == "":
        return {}
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            arguments = None
    if not isinstance(arguments, dict):
        raise ToolCallError(f"`arguments` has to be an object.{_schema_of(offer)}")
    return arguments


def _explained(error: ToolCallError, offer: Offer, arguments: dict[str, Any]) -> ToolCallError:
    """With the tool's schema, which the model may not have seen, where it may be about the arguments."""
    schema = offer.input_schema
    required, properties = schema.get("required"), schema.get("properties")
    lacks = isinstance(required, list) and any(name not in arguments for name in required)
    unknown = isinstance(properties, dict) and any(name not in properties for name in arguments)
    is_about_them = lacks or unknown or _ABOUT_ARGUMENTS.search(str(error))
    if isinstance(error, OutcomeUnknown) or not is_about_them:
        return error
    return type(error)(f"{error}{_schema_of(offer)}")


def _schema_of(offer: Offer) -> str:
    schema = json.dumps(acceptable_schema(offer.input_schema).schema, ensure_ascii=False)
    return f"\nThe schema of its arguments: {_cut(schema, offer)}"


def _cut(schema: str, offer: Offer) -> str:
    """Its beginning, and where the rest is."""
    if len(schema) <= _SCHEMA:
        return schema
    from shlex import join

    command = plain(join(["llm", "mcp", "tools", offer.server, offer.tool, "--schema"]))
    return f"{schema[:_SCHEMA]}[… {_SCHEMA:,} of {len(schema):,} characters; to see all of it: {command}]"
