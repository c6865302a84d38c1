"""How a tool is defined for llm: its name, its signature, and for which kind of model it is made."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, Signature, isawaitable, iscoroutinefunction
from keyword import iskeyword
from types import FrameType, MethodType
from typing import Any

import llm

from llm_tools_mcp.errors import McpError

# Not the toolbox's own attribute: llm replaces that one by the name of the entry point.
_PLUGIN = "llm-tools-mcp"

_TOOLBOX = Parameter("toolbox", Parameter.POSITIONAL_ONLY)  # bound: nobody sees it


class ToolName(str):
    """A tool's name, from which llm takes its toolbox's name.

    To continue a conversation (`llm -c`) llm 0.36 makes anew the toolbox called
    `tool.name.split("_")[0]`. Our names are the servers' own, so the split answers with the toolbox.
    """

    __slots__ = ()

    def split(self, *_: Any, **__: Any) -> list[str]:
        return ["MCP"]


class _Tool(llm.Tool):
    """Pickled and copied as its toolbox and its name: connection and environment of the caller stay here."""

    def __reduce__(self) -> tuple[Any, ...]:
        implementation: Any = self.implementation
        how = _found_again_async if iscoroutinefunction(implementation) else _found_again
        return _restored, (implementation.__self__, str(self.name), self.description, self.input_schema, how)


def _restored(
    toolbox: llm.Toolbox, name: str, description: str, schema: dict[str, Any], how: Callable[..., Any]
) -> llm.Tool:
    return define(toolbox, name, description, schema, how(name))


def _found_again(name: str) -> Callable[..., Any]:
    def call(toolbox: llm.Toolbox, /, **arguments: Any) -> Any:
        return _implementation_of(toolbox, name)(**arguments)

    return call


def _found_again_async(name: str) -> Callable[..., Any]:
    async def call(toolbox: llm.Toolbox, /, **arguments: Any) -> Any:
        result = _implementation_of(toolbox, name)(**arguments)
        return await result if isawaitable(result) else result

    return call


def _implementation_of(toolbox: llm.Toolbox, name: str) -> Callable[..., Any]:
    """As the toolbox has it now. Raises McpError where it has it no more."""
    found = next((tool for tool in toolbox.tools() if tool.name == name), None)
    if found is None or found.implementation is None:
        raise McpError(f"{toolbox!r} has no tool {name!r} any more")
    return found.implementation


def define(
    toolbox: llm.Toolbox,
    name: str,
    description: str,
    schema: dict[str, Any],
    implementation: Callable[..., Any],
) -> llm.Tool:
    """`implementation` takes the toolbox, and the arguments by name."""
    implementation.__signature__ = shown_signature(schema)  # type: ignore[attr-defined]
    return _Tool(
        name=ToolName(name),
        description=description,
        input_schema=schema,
        plugin=_PLUGIN,
        # Bound: llm finds the toolbox by it, whose arguments it logs.
        implementation=MethodType(implementation, toolbox),
    )


def shown_signature(schema: Mapping[str, Any]) -> Signature:
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


# --- who asks ---------------------------------------------------------------------------------------


def is_for_async_model() -> bool:
    """Whether the tools are asked for by a prompt of an asynchronous model.

    llm asks in the same way for both, and a running loop proves nothing: notebooks have one around
    synchronous models too. So the prompt is looked up, on the stack.
    """
    for frame in _frames_of_llm():
        for name in ("model", "self"):
            candidate = frame.f_locals.get(name)
            if isinstance(
                candidate, (llm.AsyncModel, llm.AsyncKeyModel, llm.AsyncResponse, llm.AsyncConversation)
            ):
                return True
            if isinstance(candidate, (llm.Model, llm.KeyModel, llm.Response, llm.Conversation)):
                return False
    return False


def is_for_prompt() -> bool:
    """Whether a model will see the tools: `llm tools` only shows them."""
    return next(_frames_of_llm(), None) is not None


def names_before() -> frozenset[str]:
    """Names of the tools that other toolboxes of the same prompt have brought already.

    Providers refuse a prompt with two tools of one name, and llm does not tell a toolbox of the others.
    """
    for frame in _frames_of_llm():
        before = frame.f_locals.get("wrapped_tools")  # of llm.models._wrap_tools, llm 0.36
        if isinstance(before, list):
            return frozenset(str(tool.name) for tool in before if isinstance(tool, llm.Tool))
    return frozenset()


def _frames_of_llm() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        if frame.f_globals.get("__name__") == "llm.models":
            yield frame
        frame = frame.f_back
