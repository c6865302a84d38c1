"""The toolbox `MCP` of llm: which tools a prompt gets, and the one way by which all of them are called.

Imported by every `llm` command, so what costs time (grpc, protobuf) is loaded by the first use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Signature, signature
from typing import TYPE_CHECKING, Any

import llm

from llm_tools_mcp.text.plain import plain

from . import head_start
from .definitions import define, is_for_async_model, is_for_prompt, names_before
from .notices import read_only, readable_errors, warn, warn_of_failures, warn_of_no_servers
from .person import LazyPerson

if TYPE_CHECKING:
    from llm_tools_mcp.client.daemon import Daemon
    from llm_tools_mcp.client.tools import Listing, Offer
    from llm_tools_mcp.terminal.progress import Display

    from .approval_gate import ApprovalGate
    from .tool_output import Bound


# The constructor's arguments that are kept under another name: `tools` is a method.
_HELD_AS = {"tools": "globs"}


class MCP(llm.Toolbox):  # type: ignore[no-untyped-call]  # its __init_subclass__
    """Tools of the MCP servers in ~/.llm-tools-mcp/mcp.json

    MCP                          all servers of the default config
    MCP("/path/mcp.json")        another config
    MCP("https://host/mcp")      one server by its URL
    MCP(command="uvx mcp-server-time")    one server by its command
    MCP(servers="git,time", tools="read_*,list_*", prefix="fs_", mode="auto")
    MCP(readonly=true)           only tools that say that they change nothing
    MCP(approve="writes")        ask me before the others are called
    MCP(search=true)             the model searches for tools, instead of being given all of them

    servers: names; tools: globs; prefix: put in front of the tools' names;
    mode: which era of the protocol to speak: auto, legacy or modern;
    limit: characters of a result that the model gets, 0 for all of them;
    approve: whether you are asked before a tool is called: never, writes or always.
    """

    # llm logs these arguments, and makes the toolbox anew from them for `llm -c`: the names are a
    # contract with its database, and no secret belongs in them.
    def __init__(  # noqa: PLR0913, PLR0917 - what may stand in the parentheses
        self,
        config_path: str | None = None,
        servers: str | list[str] | None = None,
        tools: str | list[str] | None = None,
        prefix: str = "",
        mode: str | None = None,
        readonly: bool = False,  # noqa: FBT001, FBT002 - llm passes what stands in the parentheses
        limit: int | None = None,
        approve: str | None = None,
        command: str | None = None,
        search: bool | None = None,  # noqa: FBT001
        **unknown: Any,
    ) -> None:
        if unknown:  # Python's own TypeError would be a traceback
            _refuse(unknown)
        self._config_path = config_path
        self._servers = servers
        self._globs = tools
        self._prefix = prefix
        self._mode = mode
        self._readonly = readonly
        self._limit = limit
        self._approve = approve
        self._command = command
        self._search = search
        self._connection: Daemon | None = None
        self._screen: Display | None = None

    def __repr__(self) -> str:
        """Its arguments, without what may be a secret in a url or a command."""
        from .arguments import shown

        given = {
            name: getattr(self, f"_{_HELD_AS.get(name, name)}")
            for name, parameter in signature(MCP).parameters.items()
            if getattr(self, f"_{_HELD_AS.get(name, name)}") != parameter.default
        }
        return f"MCP({', '.join(f'{name}={shown(name, value)!r}' for name, value in given.items())})"

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to this process: a copy connects anew."""
        return {**self.__dict__, "_connection": None, "_screen": None}

    def tools(self) -> Iterable[llm.Tool]:
        """The tools as they are now. Asks the daemon, which starts servers that it does not know yet."""
        with readable_errors():
            listing, searches = self._list()
        warn_of_failures(listing)
        direct = self._direct(listing) if searches else listing.offers
        if self._globs and not direct:
            warn(f"Warning: no tool matches tools={self._globs!r}", str(self._globs))
        reader = listing.free_name("read_result")
        offered = self._searching_tools(listing, reader) if searches else []
        offered += [self._tool(listing, offer, reader) for offer in direct]
        offered += self._reading_tool(listing, reader)
        if is_for_prompt():
            from .cost import warn_of_cost

            warn_of_cost(offered)
        return offered

    def _list(self) -> tuple[Listing, bool]:
        """What there is, and whether the model is to search for it."""
        from llm_tools_mcp.config import wants_search

        from .arguments import number_or_none, switch, text_or_none, words
        from .sources import source_of

        source = source_of(
            text_or_none("config_path", self._config_path), text_or_none("command", self._command)
        )
        servers, globs = words("servers", self._servers), ",".join(words("tools", self._globs))
        prefix, mode = text_or_none("prefix", self._prefix), text_or_none("mode", self._mode)
        readonly = switch("readonly", self._readonly)
        number_or_none("limit", self._limit)
        self._gate()
        searches = wants_search(source.text) if self._search is None else switch("search", self._search)
        for warning in source.warnings:
            warn(f"Warning: {warning}", warning)
        daemon = self._daemon()  # first: it starts while the rest is loaded
        with self._display().listing() as on_answer:
            listing = daemon.list_tools(
                source,
                servers,
                "" if searches else globs,
                prefix or "",
                mode,
                will_search=searches,
                on_answer=on_answer,
            )
        warn_of_no_servers(listing, source)
        return read_only(listing) if readonly else listing, searches

    def _direct(self, listing: Listing) -> list[Offer]:
        """What is there besides the search: tools that were named, and those of servers with `alwaysLoad`."""
        from llm_tools_mcp.naming import matches

        from .arguments import words

        globs = ",".join(words("tools", self._globs))
        return [
            offer
            for offer in listing.offers
            if offer.server in listing.always_loaded or (globs and matches(globs, offer.tool, offer.name))
        ]

    def _daemon(self) -> Daemon:
        if self._connection is None:
            starting = head_start.take()  # a daemon that does not run starts meanwhile

            from llm_tools_mcp.client.daemon import Daemon  # grpc: 30 ms that only a prompt with MCP pays

            self._connection = Daemon(starting)
        return self._connection

    def _display(self) -> Display:
        if self._screen is None:
            from llm_tools_mcp.terminal.progress import Display  # it knows the wire's messages

            self._screen = Display()
        return self._screen

    def _gate(self) -> ApprovalGate:
        from .approval_gate import ApprovalGate, checked_approval
        from .arguments import switch

        readonly = switch("readonly", self._readonly)
        return ApprovalGate(checked_approval(self._approve), self._display(), self._daemon, readonly=readonly)

    # --- the tools ----------------------------------------------------------------------------------

    def _tool(self, listing: Listing, offer: Offer, reader: str) -> llm.Tool:
        from llm_tools_mcp.acceptable import acceptable_schema, described

        accepted = acceptable_schema(offer.input_schema)
        suffix = f"\n[from MCP server: {plain(offer.server)}]"
        make = _coroutine if is_for_async_model() else _function
        return define(
            self,
            offer.name,
            described(offer.description, accepted, suffix),
            accepted.schema,
            make(listing, offer, self._bound(listing, offer, reader)),
        )

    def _bound(self, listing: Listing, offer: Offer, reader: str) -> Bound:
        """How much of a result the model gets: as the toolbox says, else as entry and tool say."""
        from .tool_output import DEFAULT_LIMIT, MOST_RAISED, RAISED_BY, Bound

        if self._limit is not None:
            return Bound(self._limit, reader)
        limit = listing.output_limits.get(offer.server, DEFAULT_LIMIT)
        raised = offer.meta.get(RAISED_BY)
        if limit and isinstance(raised, int):
            limit = max(limit, min(raised, MOST_RAISED))
        return Bound(limit, reader)

    def _searching_tools(self, listing: Listing, reader: str) -> list[llm.Tool]:
        from llm_tools_mcp.client.tool_search import Ranking, search

        from .tools_on_demand import searching_tools

        def find(query: str, servers: Sequence[str]) -> Ranking:
            return search(self._daemon(), listing, query, servers)

        def call(offer: Offer, arguments: dict[str, Any]) -> Any:
            return self._call(listing, offer, arguments, self._bound(listing, offer, reader))

        async def call_async(offer: Offer, arguments: dict[str, Any]) -> Any:
            return await self._call_async(listing, offer, arguments, self._bound(listing, offer, reader))

        if not listing.offers:
            return []
        return searching_tools(self, listing, find, call_async if is_for_async_model() else call)

    def _reading_tool(self, listing: Listing, name: str) -> list[llm.Tool]:
        """To read on in results that were cut: one for all toolboxes of a prompt."""
        from .read_result import reading_tool

        if self._limit == 0 or not listing.offers or name in names_before():
            return []
        return [reading_tool(self, name, self._limit)]

    # --- calling: every call of a server's tool goes through one of these two -------------------------

    def _call(
        self, listing: Listing, offer: Offer, arguments: Mapping[str, Any], bound: Bound
    ) -> str | llm.ToolOutput:
        """For synchronous models: in the main thread, where Ctrl-C cancels the call at once."""
        from .tool_output import bound_call, output_of

        self._display().note_text()
        self._gate().pass_or_raise(listing, offer, arguments)
        person = LazyPerson(self._display())
        with self._display().call(offer.server, offer.tool) as on_event:
            request = bound_call(listing.call(offer, arguments), bound)
            result = self._daemon().call(request, on_event, person)
        return output_of(result, bound, person.remarks)

    async def _call_async(
        self, listing: Listing, offer: Offer, arguments: Mapping[str, Any], bound: Bound
    ) -> str | llm.ToolOutput:
        """For asynchronous models: llm runs the calls of a turn concurrently."""
        from .tool_output import bound_call, output_of

        self._display().note_text()
        await self._gate().pass_or_raise_async(listing, offer, arguments)
        person = LazyPerson(self._display())
        with self._display().call(offer.server, offer.tool) as on_event:
            request = bound_call(listing.call(offer, arguments), bound)
            result = await self._daemon().call_async(request, on_event, person)
        return output_of(result, bound, person.remarks)


def _function(listing: Listing, offer: Offer, bound: Bound) -> Callable[..., Any]:
    def call(toolbox: MCP, /, **arguments: Any) -> str | llm.ToolOutput:
        return toolbox._call(listing, offer, arguments, bound)  # noqa: SLF001

    return call


def _coroutine(listing: Listing, offer: Offer, bound: Bound) -> Callable[..., Any]:
    async def call(toolbox: MCP, /, **arguments: Any) -> str | llm.ToolOutput:
        return await toolbox._call_async(listing, offer, arguments, bound)  # noqa: SLF001

    return call


def _shown_signature() -> Signature:
    """For `llm tools`: postponed annotations without their quotes, and no `**unknown`."""
    *named, _ = signature(MCP, eval_str=True).parameters.values()
    return Signature(named)


MCP.__signature__ = _shown_signature()  # type: ignore[attr-defined]


def _refuse(unknown: Iterable[str]) -> None:
    from .arguments import refuse_unknown

    with readable_errors():
        refuse_unknown(unknown, signature(MCP).parameters)
