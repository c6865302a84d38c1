"""What stands in the parentheses of `-T 'MCP(…)'`: any JSON under any name, as llm takes it."""

from __future__ import annotations

from collections.abc import Iterable

from llm_tools_mcp.errors import McpError


def refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Raises McpError, with what was probably meant."""
    from difflib import get_close_matches

    names = list(known)
    for name in given:
        near = get_close_matches(name.lower(), names, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else "."
        raise McpError(f"MCP has no parameter {name!r}{meant} It has: {', '.join(names)}")


def text_or_none(name: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise McpError(f"MCP({name}=…) takes text")


def switch(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise McpError(f"MCP({name}=…) takes true or false")


def number_or_none(name: str, value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise McpError(f"MCP({name}=…) takes a whole number from 0")


def words(name: str, value: object) -> list[str]:
    found = value.split(",") if isinstance(value, str) else value
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise McpError(f"MCP({name}=…) takes text, with commas between several, or a list of texts")
    named = [word.strip() for word in found if word.strip()]
    if not named:  # perhaps a shell variable that is not set: that must not mean all of them
        raise McpError(f"MCP({name}=…) is empty; leave it out to have all of them")
    return named


def shown(name: str, value: object) -> object:
    """An argument as it may be shown."""
    from llm_tools_mcp.config.definition import public_url
    from llm_tools_mcp.config.secret_arguments import public_command

    if name == "config_path" and isinstance(value, str) and "://" in value:
        return public_url(value)
    return public_command(value) if name == "command" and isinstance(value, str) else value
