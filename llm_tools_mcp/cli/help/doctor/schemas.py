"""What `doctor` finds in the tools themselves: which reach models in another form, which cannot be mended."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from llm_tools_mcp.acceptable import LONGEST_DESCRIPTION, acceptable_schema
from llm_tools_mcp.cli.tools.display import NEEDS_TASK
from llm_tools_mcp.terminal.screen import clean_line

from .finding import NOTE, OK, Finding

if TYPE_CHECKING:
    from llm_tools_mcp.client.tools import Offer

# Names that are told of a server; the others are counted.
_SHOWN = 5


def look_at_schemas(offers: Iterable[Offer]) -> Iterator[Finding]:
    """In the order of the servers."""
    changed: dict[str, list[str]] = {}
    for offer in offers:
        accepted = acceptable_schema(offer.input_schema)
        if accepted.changes or len(offer.description) > LONGEST_DESCRIPTION or offer.name != offer.tool:
            changed.setdefault(offer.server, []).append(offer.tool)
        for problem in accepted.problems:
            words = shlex.join([clean_line(offer.server), clean_line(offer.tool)])
            whose = f"{clean_line(offer.server)}: {clean_line(offer.tool)}"
            text = f"{whose} cannot be used whole by models: {problem}"
            yield Finding(NOTE, text, f"llm mcp tools {words} --schema")
    for server, tools in changed.items():
        yield Finding(OK, f"{clean_line(server)}: {_told(tools)} so that every provider takes them")


def look_at_tasks(left_out: Iterable[Offer]) -> Iterator[Finding]:
    """Tools that can be called in a way alone which is not done here."""
    for offer in left_out:
        text = f"{clean_line(offer.server)}: {clean_line(offer.tool)} {NEEDS_TASK}"
        yield Finding(NOTE, text)


def _told(tools: list[str]) -> str:
    names = ", ".join(clean_line(tool) for tool in tools[:_SHOWN])
    more = f" and {len(tools) - _SHOWN} more" if len(tools) > _SHOWN else ""
    return f"{len(tools)} of its tools reach models in another form ({names}{more}),"
