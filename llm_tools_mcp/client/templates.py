"""Resource templates (RFC 6570): the arguments of one, and the URI that they make of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from uritemplate import URITemplate

from llm_tools_mcp.errors import McpError

# `{…}` and, behind a question mark, what looks like the arguments for it.
_WITH_ARGUMENTS = re.compile(r"(.*\}[^?]*)\?([^?{}]*)", re.DOTALL)
# Expressions that are left out where there is nothing for them: queries.
_OPTIONAL = "?&"


def is_template(uri: str) -> bool:
    return "{" in uri


def variables(template: str) -> dict[str, bool]:
    """By name: whether the URI is none without it."""
    found: dict[str, bool] = {}
    for expression in URITemplate(template).variables:
        is_needed = not expression.original.startswith(tuple(_OPTIONAL))
        found |= dict.fromkeys(expression.variable_names, is_needed)
    return found


def split_arguments(uri: str) -> tuple[str, dict[str, str]]:
    """`TEMPLATE?key=value&…` in its two parts; what is no argument of the template stays a part of it."""
    match = _WITH_ARGUMENTS.fullmatch(uri)
    if match is None:
        return uri, {}
    arguments = dict(parse_qsl(match[2], keep_blank_values=True))
    if arguments and set(arguments) <= set(variables(match[1])):
        return match[1], arguments
    return uri, {}


def expanded(template: str, arguments: Mapping[str, str]) -> str:
    """The URI. Raises McpError that lists what is missing or unknown."""
    known = variables(template)
    unknown = [name for name in arguments if name not in known]
    missing = [name for name, is_needed in known.items() if is_needed and name not in arguments]
    if unknown or missing:
        complaints = [f"has no argument {name!r}" for name in unknown]
        complaints += [f"needs a value for {name!r}" for name in missing]
        form = " ".join(f"{name}=…" if needed else f"[{name}=…]" for name, needed in known.items())
        raise McpError(f"the template {template} {' and '.join(complaints)}; it takes: {form or 'nothing'}")
    return URITemplate(template).expand(dict(arguments))
