"""A server's whole lists, page by page; that of its tools without what does not follow the protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Any

from pydantic import ValidationError

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from llm_tools_mcp.text import strict_json

from . import sdk
from .methods import LISTS
from .to_wire import tool_to_wire

# A server that never stops paging must not hang a listing.
_MAX_PAGES = 1000
# Bytes of a whole list: it is one message of the wire, with some words around it.
_MAX_BYTES = v1.MAX_MESSAGE_BYTES - 2**20
# Nobody picks from more.
_MAX_ITEMS = 100_000
_IN_A_CIRCLE = "leads back to a page of before: what came so far is the list"

OnLog = Callable[[str], None]
OnLeftOut = Callable[[str, str], None]
Page = dict[str, Any]


async def all_tools(session: sdk.ClientSession, on_log: OnLog, on_left_out: OnLeftOut) -> list[v1.Tool]:
    """In the server's order. Raises the SDK's errors, and ServerFailure for a list that is too long.

    `on_left_out` is told the name of each tool that is no part of it, and why.
    """
    tools: list[v1.Tool] = []
    count = 0  # of pages
    try:
        async with aclosing(_pages(session, "tools/list", "its tool list", on_log)) as pages:
            async for page in pages:
                count += 1
                is_whole = count == 1 and page.get("nextCursor") is None
                tools += _tools_of(page, session, on_left_out, is_whole=is_whole)
    except sdk.MCPError as error:
        if count and error.code == sdk.mcp_types.INVALID_PARAMS:  # what came so far is good
            on_left_out(f"all behind page {count}", f"it refuses its own cursor: {error.message}")
        elif not is_unknown_method(error):  # as a server of prompts or resources says
            raise
    return tools


def _tools_of(
    page: Page, session: sdk.ClientSession, on_left_out: OnLeftOut, *, is_whole: bool
) -> Iterable[v1.Tool]:
    """A tool that does not follow the protocol costs itself only."""
    good = list(_valid(_listed(page.get("tools", page.get("content"))), on_left_out))
    kept = sdk.absorbed(session, good, is_whole=is_whole)
    names = {tool.name for tool in kept}
    for tool in good:
        if tool.name not in names:
            on_left_out(tool.name, "its x-mcp-header cannot be used")
    return map(tool_to_wire, kept)


async def _pages(
    session: sdk.ClientSession, method: str, what: str, on_log: OnLog
) -> AsyncGenerator[Page, None]:
    """As they come. Raises the SDK's errors, and ServerFailure for a list that is too long."""
    cursor: str | None = None
    seen: set[str | None] = set()
    size, before = 0, ""
    for _ in range(_MAX_PAGES):
        seen.add(cursor)
        page = await sdk.send_raw(session, method, {} if cursor is None else {"cursor": cursor})
        text = strict_json.dumps({**page, "nextCursor": None, "_meta": None})
        if text == before and page.get(LISTS.get(method, "tools")):
            on_log(f"{what} {_IN_A_CIRCLE}")  # with another cursor each time
            return
        before = text
        size += len(text)
        if size > _MAX_BYTES:
            why = f"{what} of {size / 2**20:.0f} MiB exceeds the limit of {_MAX_BYTES / 2**20:.0f} MiB"
            raise ServerFailure(Kind.TOO_LARGE, why)
        yield page
        cursor = _cursor(page.get("nextCursor"), session)
        if cursor is None:
            return
        if cursor in seen:
            on_log(f"{what} {_IN_A_CIRCLE}")
            return
    raise ServerFailure(Kind.REJECTED, f"{what} has more than {_MAX_PAGES} pages")


def _cursor(following: Any, session: sdk.ClientSession) -> str | None:
    """Since 2026-07-28 "" is a cursor like any other; before, servers end a list with it."""
    if type(following) is int:
        return str(following)  # of a server that reads it as a number again
    if not isinstance(following, str) or (not following and not sdk.is_modern(session)):
        return None
    return following


def _listed(tools: Any) -> list[Any]:
    """Also of tools by name; a result that is a bare list is its content."""
    if isinstance(tools, dict):
        return [{"name": name, **tool} for name, tool in tools.items() if isinstance(tool, dict)]
    return tools if isinstance(tools, list) else []


def _valid(tools: Iterable[Any], on_left_out: OnLeftOut) -> Iterable[sdk.mcp_types.Tool]:
    for tool in tools:
        try:
            yield _validated(_with_schema(tool))
        except ValidationError as error:
            name = tool.get("name") if isinstance(tool, dict) else None
            on_left_out(str(name), sdk.first_fault(error))


def _validated(tool: Any) -> sdk.mcp_types.Tool:
    """What is wrong about something that a tool need not have costs that alone."""
    try:
        return sdk.mcp_types.Tool.model_validate(tool, by_name=False)
    except ValidationError as error:
        if not isinstance(tool, dict):
            raise
        places = {tuple(fault["loc"][:2]) for fault in error.errors()}
        try:
            return sdk.mcp_types.Tool.model_validate(_without(tool, places), by_name=False)
        except ValidationError:
            raise error from None


def _without(tool: dict[str, Any], places: Iterable[tuple[int | str, ...]]) -> dict[str, Any]:
    """Without a field, or without what stands in it; a description is kept as text."""
    rest = dict(tool)
    for field, *below in places:
        value = rest.pop(str(field), None)
        if field == "description":
            rest["description"] = strict_json.dumps(value)
        elif isinstance(value, dict) and below and below[0] in value:
            rest[str(field)] = {key: one for key, one in value.items() if key != below[0]}
    return rest


def _with_schema(tool: Any) -> Any:
    """A tool without arguments is often said to have no schema."""
    if isinstance(tool, dict) and not isinstance(tool.get("inputSchema"), dict):
        return {**tool, "inputSchema": {"type": "object"}}
    return tool


async def whole_list(session: sdk.ClientSession, method: str, on_log: OnLog) -> dict[str, Any]:
    """One result that holds the items of all pages. Raises the SDK's errors, and ServerFailure."""
    key = LISTS[method]
    items: list[Any] = []
    whole: dict[str, Any] = {}
    try:
        async with aclosing(_pages(session, method, f"its list of {key}", on_log)) as pages:
            async for page in pages:
                found = page.get(key)
                items += found if isinstance(found, list) else []
                if len(items) > _MAX_ITEMS:
                    raise ServerFailure(Kind.TOO_LARGE, f"its list has more than {_MAX_ITEMS} {key}")
                whole = {**page, **whole, key: items}
    except sdk.MCPError as error:
        if is_unknown_method(error) and method == "resources/templates/list":
            return {key: []}  # many a server of resources has no templates
        raise
    whole.pop("nextCursor", None)
    return whole


def is_unknown_method(error: BaseException | None) -> bool:
    return isinstance(error, sdk.MCPError) and error.code == sdk.mcp_types.METHOD_NOT_FOUND
