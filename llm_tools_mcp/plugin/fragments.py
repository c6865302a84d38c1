"""`llm -f mcp:SERVER/URI`: resources of MCP servers as fragments and attachments of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import llm

from llm_tools_mcp.errors import McpError
from llm_tools_mcp.text.plain import plain

from .tool_output import DEFAULT_LIMIT

if TYPE_CHECKING:
    from llm_tools_mcp.client.requests import Contents, Requests
    from llm_tools_mcp.config import ConfigSource

Piece = llm.Fragment | llm.Attachment

PREFIX = "mcp"

# What a template has brought along for its prompt (see `templates`), by the fragment that stands for it.
_brought: dict[str, Piece] = {}


def bring(address: str, piece: Piece) -> str:
    """Keep a piece for the fragment that is returned: llm resolves it later in this process."""
    fragment = f"{PREFIX}:{address}"
    _brought[fragment] = piece
    return fragment


def load_fragment(address: str) -> list[Piece]:
    """SERVER/URI, SERVER/NAME of a resource, or SERVER/TEMPLATE?key=value. Raises McpError."""
    if (brought := _brought.pop(f"{PREFIX}:{address}", None)) is not None:
        return [brought]
    from shlex import quote

    from llm_tools_mcp.client.requests import split_address
    from llm_tools_mcp.config import enabled_names

    from .default_servers import config_source, requests_of

    source = config_source()
    server, uri = split_address(address, enabled_names(source))
    if not uri:
        raise McpError(f"which resource? to see what there is: llm mcp resources {quote(server)}")
    requests = requests_of(source)
    contents = [one.readable() for one in requests.read(server, _resolved(requests, server, uri))]
    if not contents:
        raise McpError(f"server {server!r} has nothing in {uri!r}")
    limit = _limit(source, server)
    return [piece_of(f"{server}/{one.uri or uri}", _checked(one, server, uri, limit)) for one in contents]


def piece_of(address: str, contents: Contents) -> Piece:
    """`address` is where it comes from, which `llm logs` shows."""
    contents = contents.readable()
    if contents.text is not None:
        source = " ".join(plain(f"{PREFIX}:{address}").split())  # shown on terminals by `llm logs`
        return llm.Fragment(contents.text, source)  # type: ignore[no-untyped-call]
    return llm.Attachment(type=contents.mime_type, content=contents.data)


def _resolved(requests: Requests, server: str, uri: str) -> str:
    """The URI of what may be a template with arguments, or a name."""
    from llm_tools_mcp.client.templates import expanded, is_template, split_arguments

    if is_template(uri):
        return expanded(*split_arguments(uri))
    if ":" in uri:
        return uri
    resources, failed = requests.resources([server])
    if failed:
        raise McpError(failed[0].reason)
    named = [one.uri for one in resources if uri in (one.name, one.uri)]
    if not named:
        raise McpError(f"server {server!r} has no resource {uri!r}; it has: {_some(resources)}")
    return named[0]


def _some(resources: Sequence[object]) -> str:
    uris = [str(getattr(one, "uri", "")) for one in resources]
    return ", ".join(uris[:5]) + (f" and {len(uris) - 5} more" if len(uris) > 5 else "") or "none"


def _limit(source: ConfigSource, server: str) -> int:
    from llm_tools_mcp.config import named_entries

    project = source.project.text if source.project is not None else ""
    entry = (named_entries(source.text) | named_entries(project)).get(server)
    limit = entry.get("outputLimit", DEFAULT_LIMIT) if isinstance(entry, dict) else DEFAULT_LIMIT
    return limit if isinstance(limit, int) and limit >= 0 else DEFAULT_LIMIT


def _checked(contents: Contents, server: str, uri: str, limit: int) -> Contents:
    """Raises McpError for a text that would fill the model's context by itself."""
    size = len(contents.text or "")
    if not limit or size <= limit:
        return contents
    from shlex import quote

    save = f"llm mcp read {quote(server)} {quote(uri)} --output FILE"
    raise McpError(
        f"it has {size:,} characters, and outputLimit of {server!r} is {limit:,}; "
        f"to save it: {save}; to use it all: raise outputLimit in the config"
    )
