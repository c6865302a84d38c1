"""`llm mcp help`: the same as --help, where a word is typed for it."""

from __future__ import annotations

import click

from llm_tools_mcp.cli.command import command


@command("help", "llm mcp help", "llm mcp help call")
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def help_command(context: click.Context, *, words: tuple[str, ...]) -> None:
    """Show the help of a COMMAND, or what commands there are."""
    shown = context.parent
    assert shown is not None
    for word in words:
        group = shown.command
        if not isinstance(group, click.Group):
            raise click.UsageError(f"{shown.info_name} has no commands of its own")
        name, found, _ = group.resolve_command(shown, [word])
        assert found is not None
        shown = click.Context(found, shown, name)
    click.echo(shown.get_help())
