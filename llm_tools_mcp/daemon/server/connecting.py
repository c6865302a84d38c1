"""The way into a connection, and why there is none."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from pydantic import ValidationError

from llm_tools_mcp import __version__, v1
from llm_tools_mcp.config import Protocol, ServerDefinition, Transport
from llm_tools_mcp.daemon.failure import (
    TOO_MANY_FILES,
    UNREADABLE,
    HandshakeLost,
    Kind,
    ServerFailure,
    lacks_files,
    unexpected,
)

from . import elicitation, sdk
from .connection import Connection
from .error_words import words_of
from .handshake import shake_hands
from .roots import roots_of
from .subscription import OnChanged
from .tokens import Renewals
from .transport import Link, load_transport, open_transport

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hooks:
    """What flows upwards from a connection."""

    on_log: Callable[[str], None]  # a line of the server's stderr, or about it
    on_message: Callable[[v1.LogMessage], None]  # notifications/message
    on_changed: OnChanged  # a list of the server
    ask: elicitation.Ask = elicitation.nobody  # for what names no request that it belongs to


@asynccontextmanager
async def connect(
    definition: ServerDefinition, hooks: Hooks, owner: str, protocol: Protocol, renewals: Renewals
) -> AsyncIterator[Connection]:
    """Reach the server and shake hands. Raises ServerFailure, with the server's last words."""
    link = Link(hooks.on_log, definition.secrets)
    entered = False
    refusal: ServerFailure | None = None
    try:
        await load_transport(definition)
        async with (
            open_transport(definition, link, owner, renewals) as (read, write),
            _session(read, write, hooks, link, roots_of(definition)) as session,
        ):
            try:
                await shake_hands(session, protocol, link)
            except Exception as error:
                refusal = _failure(definition, link, error)  # now: that we leave would pass for the reason
                raise
            connection = Connection(session, link, roots_of(definition))
            async with anyio.create_task_group() as tasks:
                _begin_watching(tasks, connection, hooks, definition)
                entered = True
                try:
                    yield connection
                finally:
                    link.lose("the connection was ended")
                    tasks.cancel_scope.cancel()
    except ServerFailure:
        raise
    except Exception as error:  # noqa: BLE001 - raised as one of ours
        if entered:  # its calls have failed already; the session only needs to know that it is over
            _log.debug("the connection to %s broke", definition.name, exc_info=True)
            return
        try:
            raise refusal or _failure(definition, link, error) from error
        finally:
            refusal = None  # the frame that is in its traceback must not hold it: see ServerFailure.detach


def _session(
    read: Any, write: Any, hooks: Hooks, link: Link, roots: list[dict[str, Any]] | None
) -> sdk.ClientSession:
    async def on_message(message: object) -> None:
        if kind := sdk.LIST_NOTICES.get(type(message)):
            hooks.on_changed(kind)

    async def on_log(params: sdk.mcp_types.LoggingMessageNotificationParams) -> None:
        text = params.data if isinstance(params.data, str) else json.dumps(params.data, ensure_ascii=False)
        link.noticed(params.level, text)
        hooks.on_message(v1.LogMessage(level=params.level, text=link.cleaned(text)))

    async def on_elicitation(
        context: sdk.ClientRequestContext,  # noqa: ARG001 - the SDK's callback
        params: sdk.mcp_types.ElicitRequestParams,
    ) -> sdk.mcp_types.ElicitResult | sdk.mcp_types.ErrorData:
        return await _answered(params, link, elicitation.current_ask() or hooks.ask)

    async def on_list_roots(
        context: sdk.ClientRequestContext,  # noqa: ARG001 - the SDK's callback
    ) -> sdk.mcp_types.ListRootsResult | sdk.mcp_types.ErrorData:
        return sdk.mcp_types.ListRootsResult.model_validate({"roots": roots})

    session = sdk.ClientSession(
        read,
        write,
        message_handler=on_message,
        logging_callback=on_log,
        elicitation_callback=on_elicitation,
        list_roots_callback=None if roots is None else on_list_roots,
        log_level="warning",
        client_info=sdk.mcp_types.Implementation(name="llm-tools-mcp", version=__version__),
    )
    sdk.contain_faults(session, lambda error: link.log(f"a message is skipped: {type(error).__name__}"))
    return session


async def _answered(
    params: sdk.mcp_types.ElicitRequestParams, link: Link, ask: elicitation.Ask
) -> sdk.mcp_types.ElicitResult | sdk.mcp_types.ErrorData:
    """What a server is told that asks something, or why nobody was asked."""
    try:
        question = elicitation.question_of(params.model_dump(by_alias=True, exclude_none=True), link.redacted)
    except elicitation.Unaskable as why:
        return sdk.mcp_types.ErrorData(code=sdk.mcp_types.INVALID_PARAMS, message=str(why))
    return sdk.mcp_types.ElicitResult(**elicitation.result_of(await ask(question)))


def _begin_watching(
    tasks: TaskGroup, connection: Connection, hooks: Hooks, definition: ServerDefinition
) -> None:
    if connection.is_modern:
        tasks.start_soon(connection.watch_lists, hooks.on_changed)
    elif definition.transport is not Transport.STDIO:
        tasks.start_soon(connection.keep_in_touch)


# --- why it did not work ----------------------------------------------------------------------------


def _leaves(error: BaseException) -> list[BaseException]:
    """The SDK's connect errors arrive as nested groups (its task groups): the errors inside."""
    inner = getattr(error, "exceptions", None)
    return [leaf for one in inner for leaf in _leaves(one)] if inner else [error]


def _failure(definition: ServerDefinition, link: Link, error: Exception) -> ServerFailure:
    leaf = next((leaf for leaf in _leaves(error) if isinstance(leaf, ServerFailure)), _leaves(error)[0])
    text = _why(definition, link, leaf)
    has_left = link.ended and not link.is_no_server
    failure = HandshakeLost(text) if has_left else ServerFailure(_kind(link, leaf), text)
    failure.clean_with(link.redacted)
    return failure


def _kind(link: Link, leaf: BaseException) -> v1.Failure.Kind.ValueType:
    if isinstance(leaf, ServerFailure):
        return leaf.kind
    verdict = link.verdict(leaf.error.data) if isinstance(leaf, sdk.MCPError) else None
    return verdict.failure_kind if verdict is not None else Kind.START_FAILED


def _why(definition: ServerDefinition, link: Link, leaf: BaseException) -> str:
    if isinstance(leaf, ServerFailure):
        return leaf.text
    if link.lost_why:
        return link.with_last_words(link.lost_why) + _silent(definition, link)
    if isinstance(leaf, sdk.MCPError) and link.verdict(leaf.error.data):
        return link.cleaned(leaf.message)
    if definition.transport is not Transport.STDIO and _is_network_error(leaf):
        from .transport.http_client import unreachable  # loaded by now

        return unreachable(definition.target, leaf, link)
    return link.with_last_words(_described(leaf, link))


def _is_network_error(error: BaseException) -> bool:
    import httpx2  # loaded by now: see sdk

    return isinstance(error, httpx2.TransportError)


def _described(error: BaseException, link: Link) -> str:
    if lacks_files(error):
        return TOO_MANY_FILES
    if isinstance(error, ImportError):
        return unexpected(error)
    if isinstance(error, ValidationError):  # its text quotes the server, secrets cut in two included
        return f"{UNREADABLE} ({sdk.first_fault(error)})"
    if isinstance(error, sdk.MCPError):
        return link.cleaned(words_of(error.code, error.message, error.error.data, link.redacted))
    return link.cleaned(str(error)) or type(error).__name__


def _silent(definition: ServerDefinition, link: Link) -> str:
    """Of what has said nothing, in either way, there is nothing to quote."""
    is_mute = definition.transport is Transport.STDIO and not link.received and not link.last_lines
    return f", and had not said a word: is {definition.target} an MCP server?" if is_mute else ""
