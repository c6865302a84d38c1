"""What came of trying a server: its tools, or why there are none."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from llm_tools_mcp import paths
from llm_tools_mcp.client.logs import where_to_look
from llm_tools_mcp.terminal.screen import clean_line
from llm_tools_mcp.text.plain import plain

if TYPE_CHECKING:
    from llm_tools_mcp.client.tools import Listing

_SHOWN_TOOLS = 8
ADDED, LOGGED_IN, CONFIGURED = "added", "logged in", "configured"


def tell_offer(name: str, listing: Listing, done: str) -> bool:
    """Whether it can be used. `done` says what came before."""
    for failed in listing.failed:
        if failed.login and failed.trouble:
            click.echo(f"{name!r} is {done}. {plain(failed.line)}", err=True)
            return False
        if failed.login and done == LOGGED_IN:
            click.echo(f"{name!r} does not take that login; to try again: {failed.login}", err=True)
            return False
        if failed.login:
            click.echo(f"{name!r} is {done}. It needs a login: {failed.login}", err=True)
            return False
        click.echo(f"{name!r} is {done}, but it cannot be used yet: {plain(failed.reason)}", err=True)
        click.echo("   ".join(_ways_on(name, listing.caller.config_path, done)), err=True)
        return False
    names = [clean_line(offer.tool) for offer in listing.offers if offer.server == name]
    more = f" and {len(names) - _SHOWN_TOOLS} more" if len(names) > _SHOWN_TOOLS else ""
    count = f"{len(names)} tool{'' if len(names) == 1 else 's'}"
    click.echo(f"it offers {count}{': ' if names else ''}{', '.join(names[:_SHOWN_TOOLS])}{more}")
    _tell_renamed(listing)
    return True


def _ways_on(name: str, config_path: str, done: str) -> Iterator[str]:
    """What to type next."""
    word, option = shlex.quote(name), paths.config_option(config_path)
    yield f"more: {where_to_look(name, 'llm mcp doctor')}"
    yield f"to try again: llm mcp tools{option} {word} --refresh"
    if done == ADDED:
        yield f"to change it: llm mcp add{option} --force {word} …"
        yield f"to undo: llm mcp remove{option} {word}"


def _tell_renamed(listing: Listing) -> None:
    """Tools of the other servers are called otherwise now, too."""
    shared = sorted({offer.tool for offer in listing.offers} & {offer.tool for offer in listing.others})
    if not shared:
        return
    first, *others = shared
    names = [offer.name for offer in (*listing.others, *listing.offers) if offer.tool == first]
    click.echo(f"several servers have a tool {first!r}: for the model they are {', '.join(names)} now")
    if others:
        click.echo(f"and so on for {len(others)} more; to see them: llm mcp tools")
