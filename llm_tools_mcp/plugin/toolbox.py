"""The toolbox `MCP` of llm: the tools of MCP servers, and wire results → llm.ToolOutput.

Imported by every `llm` command, so what costs time (grpc, protobuf) is loaded by the first use.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from inspect import Parameter, Signature, signature
from keyword import iskeyword
from types import FrameType, MethodType
from typing import TYPE_CHECKING, Any

import llm

from llm_tools_mcp.errors import McpError, ToolFailed
from llm_tools_mcp.plain import plain

from .person import LazyPerson

if TYPE_CHECKING:
    from llm_tools_mcp import v1
    from llm_tools_mcp.client.tools import Daemon, Failed, Listing, Offer
    from llm_tools_mcp.config import ConfigSource
    from llm_tools_mcp.terminal.progress import Display

_FULL_ERRORS = "LLM_TOOLS_MCP_FULL_ERRORS"

# Not the toolbox's own attribute: llm replaces that one by the name of the entry point.
_PLUGIN = "llm-tools-mcp"

_TOOLBOX = Parameter("toolbox", Parameter.POSITIONAL_ONLY)  # bound: nobody sees it

# What this process has warned of: `llm chat` asks for the tools at every turn.
_shown: set[str] = set()


class MCP(llm.Toolbox):  # type: ignore[no-untyped-call]  # its __init_subclass__
    """Tools of the MCP servers in ~/.llm-tools-mcp/mcp.json

    MCP                          all servers of the default config
    MCP("/path/mcp.json")        another config
    MCP("https://host/mcp")      one server by its URL
    MCP(servers="git,time", tools="read_*,list_*", prefix="fs_", mode="auto")

    servers: names; tools: globs; prefix: put in front of the tools' names;
    mode: which era of the protocol to speak: auto, legacy or modern.
    """

    # llm logs these arguments, and makes the toolbox anew from them for `llm -c`: the names are a
    # contract with its database, and no secret belongs in them.
    def __init__(
        self,
        config_path: str | None = None,
        servers: str | list[str] | None = None,
        tools: str | list[str] | None = None,
        prefix: str = "",
        mode: str | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:  # Python's own TypeError would be a traceback
            _refuse(unknown)
        self._config_path = config_path
        self._servers = servers
        self._globs = tools
        self._prefix = prefix
        self._mode = mode
        self._connection: Daemon | None = None
        self._screen: Display | None = None

    def tools(self) -> Iterable[llm.Tool]:
        """The tools as they are now. Asks the daemon, which starts servers that it does not know yet."""
        with _readable_errors():
            listing = self._list()
        for failed in listing.failed:
            # Not by its text: the reason of a server that backs off tells the seconds, too.
            _warn(_unavailable(failed), f"{listing.caller.config_path}\0{failed.server}")
        if self._globs and not listing.offers:
            _warn(f"Warning: no tool matches tools={self._globs!r}", str(self._globs))
        make = _coroutine if _is_for_async_model() else _function
        return [self._tool(offer, make(listing, offer)) for offer in listing.offers]

    def _list(self) -> Listing:
        from .arguments import text_or_none, words

        source = _source(text_or_none("config_path", self._config_path))
        servers, globs = words("servers", self._servers), ",".join(words("tools", self._globs))
        prefix, mode = text_or_none("prefix", self._prefix), text_or_none("mode", self._mode)
        for warning in source.warnings:
            _warn(f"Warning: {warning}", warning)
        with self._display().listing() as on_answer:
            return self._daemon().list_tools(source, servers, globs, prefix or "", mode, on_answer=on_answer)

    def _daemon(self) -> Daemon:
        if self._connection is None:
            from llm_tools_mcp.client.tools import Daemon  # grpc: 30 ms that only a prompt with MCP pays

            self._connection = Daemon()
        return self._connection

    def _display(self) -> Display:
        if self._screen is None:
            from llm_tools_mcp.terminal.progress import Display  # it knows the wire's messages

            self._screen = Display()
        return self._screen

    def _tool(self, offer: Offer, implementation: Callable[..., Any]) -> llm.Tool:
        from llm_tools_mcp.acceptable import acceptable_schema, described

        accepted = acceptable_schema(offer.input_schema)
        implementation.__signature__ = _signature(accepted.schema)  # type: ignore[attr-defined]
        return llm.Tool(
            name=_ToolName(offer.name),
            description=described(offer.description, accepted, f"\n[from MCP server: {plain(offer.server)}]"),
            input_schema=accepted.schema,
            plugin=_PLUGIN,
            # Bound: llm finds the toolbox by it, whose arguments it logs.
            implementation=MethodType(implementation, self),
        )


def _shown_signature() -> Signature:
    """For `llm tools`: postponed annotations without their quotes, and no `**unknown`."""
    *named, _ = signature(MCP, eval_str=True).parameters.values()
    return Signature(named)


MCP.__signature__ = _shown_signature()  # type: ignore[attr-defined]


def _source(path: str | None) -> ConfigSource:
    from llm_tools_mcp.config import config_for_url, read_config
    from llm_tools_mcp.consent.projects import read_config_here

    if path is None:
        return read_config_here()
    if path.startswith(("http://", "https://")):
        return config_for_url(path)
    if "://" in path:
        raise McpError(f"MCP({path!r}): a URL begins with http:// or https://")
    return read_config(path)


def _refuse(unknown: Iterable[str]) -> None:
    from .arguments import refuse_unknown

    with _readable_errors():
        refuse_unknown(unknown, signature(MCP).parameters)


class _ToolName(str):
    """A tool's name, from which llm takes its toolbox's name.

    To continue a conversation (`llm -c`) llm 0.36 makes anew the toolbox called
    `tool.name.split("_")[0]`. Our names are the servers' own, so the split answers with the toolbox.
    """

    __slots__ = ()

    def split(self, *_: Any, **__: Any) -> list[str]:
        return [MCP.__name__]


# --- calling ----------------------------------------------------------------------------------------


def _function(listing: Listing, offer: Offer) -> Callable[..., Any]:
    """For synchronous models: in the main thread, where Ctrl-C cancels the call at once."""

    def call(toolbox: MCP, /, **arguments: Any) -> str | llm.ToolOutput:
        person = LazyPerson(toolbox._display())  # noqa: SLF001
        with toolbox._display().call(offer.server, offer.tool) as on_event:  # noqa: SLF001
            result = toolbox._daemon().call(listing.call(offer, arguments), on_event, person)  # noqa: SLF001
        return _output(result, person.remarks)

    return call


def _coroutine(listing: Listing, offer: Offer) -> Callable[..., Any]:
    """For asynchronous models: llm runs the calls of a turn concurrently."""

    async def call(toolbox: MCP, /, **arguments: Any) -> str | llm.ToolOutput:
        person, request = LazyPerson(toolbox._display()), listing.call(offer, arguments)  # noqa: SLF001
        with toolbox._display().call(offer.server, offer.tool) as on_event:  # noqa: SLF001
            result = await toolbox._daemon().call_async(request, on_event, person)  # noqa: SLF001
        return _output(result, person.remarks)

    return call


def _signature(schema: Mapping[str, Any]) -> Signature:
    """What `llm tools MCP` shows: the schema's arguments, the required ones first.

    For show only: a call takes arguments of any name. One called `llm_tool_call` is left out, since llm
    would put the call itself in its place.
    """
    properties, required = schema.get("properties"), schema.get("required")
    needed = required if isinstance(required, list) else []
    arguments = properties if isinstance(properties, dict) else {}
    parameters = [
        Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=_default(argument, is_needed=name in needed))
        for name, argument in arguments.items()
        if name.isidentifier() and not iskeyword(name) and name not in ("llm_tool_call", _TOOLBOX.name)
    ]
    return Signature([_TOOLBOX, *sorted(parameters, key=lambda one: one.default is not Parameter.empty)])


def _default(argument: object, *, is_needed: bool) -> object:
    if is_needed:
        return Parameter.empty
    return argument.get("default") if isinstance(argument, dict) else None


def _is_for_async_model() -> bool:
    """Whether the tools are asked for by a prompt of an asynchronous model.

    llm asks in the same way for both, and a running loop proves nothing: notebooks have one around
    synchronous models too. So the prompt is looked up, on the stack.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        for name in ("model", "self"):
            candidate = frame.f_locals.get(name) if frame.f_globals.get("__name__") == "llm.models" else None
            if isinstance(
                candidate, (llm.AsyncModel, llm.AsyncKeyModel, llm.AsyncResponse, llm.AsyncConversation)
            ):
                return True
            if isinstance(candidate, (llm.Model, llm.KeyModel, llm.Response, llm.Conversation)):
                return False
        frame = frame.f_back
    return False


# --- results ----------------------------------------------------------------------------------------


def _output(result: v1.ToolResult, remarks: str) -> str | llm.ToolOutput:
    """What the model sees. Raises ToolFailed for a result that is an error: llm logs it as one."""
    text = _text(result)
    if result.is_error:
        raise ToolFailed((text or "the tool reported an error and said nothing about it") + remarks)
    text += remarks
    attachments = [
        llm.Attachment(type=content.media.mime_type, content=content.media.data)
        for content in result.content
        if content.WhichOneof("kind") == "media"
    ]
    return llm.ToolOutput(output=text, attachments=attachments) if attachments else text


def _text(result: v1.ToolResult) -> str:
    lines = [line for content in result.content if (line := _line(content)) is not None]
    if result.structured_says_more or (not lines and result.structured_content):
        lines.append(result.structured_content)
    return "\n".join(lines)


def _line(content: v1.Content) -> str | None:
    kind = content.WhichOneof("kind")
    if kind == "text":
        return content.text
    if kind == "link":
        return _link(content.link)
    return None


def _link(link: v1.ResourceLink) -> str:
    details = ", ".join(part for part in (link.mime_type, link.description) if part)
    return f"{link.name or 'resource'}: {link.uri}" + (f" ({details})" if details else "")


# --- what a person sees -----------------------------------------------------------------------------


def _unavailable(failed: Failed) -> str:
    from shlex import quote

    name = failed.server
    more = f"run with {_FULL_ERRORS}=1, or see: llm mcp logs {quote(name)}"
    lines = [
        f"Warning: Failed to connect to the {name!r} MCP server: {failed.reason}",
        f"Tools from {name!r} will be unavailable ({more})",
    ]
    if failed.traceback and os.environ.get(_FULL_ERRORS):
        lines.append(failed.traceback)
    return "\n".join(lines)


def _warn(warning: str, subject: str) -> None:
    if subject not in _shown:
        _shown.add(subject)
        sys.stderr.write(f"{plain(warning)}\n")


@contextmanager
def _readable_errors() -> Iterator[None]:
    """Within a command of llm our errors are click's: `llm tools MCP` would show a traceback."""
    try:
        yield
    except (McpError, ImportError) as error:
        import click

        if click.get_current_context(silent=True) is None:
            raise
        raise click.ClickException(plain(_advised(error))) from error


def _advised(error: Exception) -> str:
    if isinstance(error, ImportError):  # something in this environment is missing, or too old
        from llm_tools_mcp.dependencies import explained

        return explained(error)
    return str(error)
