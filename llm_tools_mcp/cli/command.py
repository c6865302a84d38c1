"""What our commands have beyond click's: examples in their help, and suggestions for what is misspelt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click


class _WithExamples(click.Command):
    """A command whose help ends with examples: lines to type."""

    examples: tuple[str, ...] = ()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class Group(_WithExamples, click.Group):
    """Commands under one word."""


class Command(_WithExamples):
    # What is added where an option is unknown.
    hint = ""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise click.UsageError(f"{error.format_message()}{self.hint}", ctx) from None


def command(
    name: str, *examples: str, hint: str = "", **attributes: Any
) -> Callable[[Callable[..., Any]], Command]:
    """As click.command, with examples."""

    def decorate(function: Callable[..., Any]) -> Command:
        made = click.command(name, cls=Command, **attributes)(function)
        made.examples, made.hint = examples, hint
        return made

    return decorate


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`; did you mean 'status'?`, or nothing where nothing is near."""
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    near = get_close_matches(given.lower(), names, n=1, cutoff=0.6)
    # list_dir → list_directory: far by letters, near by meaning.
    near = near or [name for name in names if len(given) > 2 and name.startswith(given.lower())][:1]
    return f"; did you mean {names[near[0]]!r}?" if near else ""


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(),
    metavar="PATH",
    help="Another config than ~/.llm-tools-mcp/mcp.json.",
)
