"""Keys of an entry, for whoever types `llm mcp set`. Starts nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from click.shell_completion import CompletionItem

from llm_tools_mcp.cli.completers import fits, quietly, split_word
from llm_tools_mcp.cli.editing import config_file, servers_of

if TYPE_CHECKING:
    import click

TABLES = ("env", "headers")


def settable_keys(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """KEY= of what such an entry may hold, and env.NAME= of what is there; without what was typed already."""
    before: list[str] = list(context.params.get("changes") or ())
    if split_word(before, incomplete)[1] is not None:
        return []
    given = {word.partition("=")[0] for word in before}
    return [CompletionItem(f"{key}=") for key in _keys(context) if key not in given and fits(key, incomplete)]


def present_keys(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What can be taken out."""
    none: dict[str, Any] = {}
    entry = quietly(lambda: _entry(context), none)
    return [CompletionItem(key) for key in [*entry, *_in_tables(entry)] if fits(key, incomplete)]


def _keys(context: click.Context) -> list[str]:
    def find() -> list[str]:
        from llm_tools_mcp.config.model import usual_keys

        entry = _entry(context)
        keys = [key for key in usual_keys(entry) if key not in TABLES]
        return [*keys, *_in_tables(entry)]

    none: list[str] = []
    return quietly(find, none)


def _entry(context: click.Context) -> dict[str, Any]:
    # Behind an option without its value click assigns no argument (8.5): they are left over.
    name = context.params.get("name") or context.args[0]
    return dict(servers_of(config_file(context.params.get("config_path")))[name])


def _in_tables(entry: dict[str, Any]) -> Iterator[str]:
    for table in TABLES:
        held = entry.get(table)
        yield from (f"{table}.{name}" for name in held) if isinstance(held, dict) else ()
