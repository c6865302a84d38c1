"""SearchTools: what is known of the tools of a config → the best ones for a query."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from llm_tools_mcp import v1
from llm_tools_mcp.config import Config, ServerDefinition
from llm_tools_mcp.daemon.pool.pool import Pool
from llm_tools_mcp.daemon.pool.tool_cache import ToolList
from llm_tools_mcp.daemon.search.index import Entry, Index
from llm_tools_mcp.errors import ConfigError

_USUAL = 5
_MAX_FOUND = 200
# Configs whose tools stay indexed: a megabyte for a hundred tools.
_MAX_INDEXES = 4

# Which lists an index is of, and what of each is offered.
_Key = tuple[tuple[str, int, tuple[str, ...], tuple[str, ...]], ...]


class ToolSearch:
    """An index for each of the configs that were searched last, made anew when a list of theirs changes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._indexes: OrderedDict[_Key, tuple[list[ToolList], asyncio.Future[Index]]] = OrderedDict()

    def prepare(self, parsed: Config) -> None:
        """Begin what the first search would have to wait for."""
        self._begin(parsed, self._lists(parsed))

    async def answer(self, parsed: Config, request: v1.SearchToolsRequest) -> v1.SearchToolsResponse:
        known = self._lists(parsed)
        # Shielded: it serves others, too.
        index = await asyncio.shield(self._begin(parsed, known))
        limit = min(request.limit or _USUAL, _MAX_FOUND)
        return v1.SearchToolsResponse(
            found=[
                v1.SearchToolsResponse.Found(server=one.server, tool=one.tool, score=one.score)
                for one in index.search(request.query, limit, request.servers)
            ],
            servers=[
                v1.SearchToolsResponse.Server(
                    server=name,
                    tools=len(_offered(definition, known[name])) if name in known else 0,
                    trouble=self._trouble(definition, is_known=name in known),
                )
                for name, definition in parsed.servers.items()
            ],
        )

    def _lists(self, parsed: Config) -> dict[str, ToolList]:
        """Of the servers whose tools are known."""
        found = {}
        for name, definition in parsed.servers.items():
            known = None if isinstance(definition, ConfigError) else self._pool.known_tools(definition)
            if known is not None:
                found[name] = known
        return found

    def _trouble(self, definition: ServerDefinition | ConfigError, *, is_known: bool) -> str:
        if isinstance(definition, ConfigError):
            return definition.reason
        trouble = self._pool.sessions.registry.trouble_of(definition)
        return trouble or ("" if is_known else "its tools are not known yet")

    def _begin(self, parsed: Config, known: dict[str, ToolList]) -> asyncio.Future[Index]:
        """The index of these lists, which may be under way."""
        key = _key(parsed, known)
        if key not in self._indexes:
            entries = [
                Entry(name, tool.name, tool.title, tool.description, tool.input_schema)
                for name, tools in known.items()
                for tool in _offered(parsed.servers[name], tools)
            ]
            # In a thread: a thousand tools take a quarter of a second, in which calls go on.
            made = asyncio.ensure_future(asyncio.to_thread(Index, entries))
            # The lists are held as long as their ids stand for them.
            self._indexes[key] = (list(known.values()), made)
        self._indexes.move_to_end(key)
        if len(self._indexes) > _MAX_INDEXES:
            self._indexes.popitem(last=False)
        return self._indexes[key][1]


def _key(parsed: Config, known: dict[str, ToolList]) -> _Key:
    return tuple(
        (name, id(known[name]), definition.include, definition.exclude)
        for name, definition in parsed.servers.items()
        if name in known and isinstance(definition, ServerDefinition)
    )


def _offered(definition: ServerDefinition | ConfigError, known: ToolList) -> list[v1.Tool]:
    """Of what is known what can be called."""
    if not isinstance(definition, ServerDefinition):
        return []
    return [tool for tool in known.tools if definition.offers(tool.name) and not v1.needs_task(tool)]
