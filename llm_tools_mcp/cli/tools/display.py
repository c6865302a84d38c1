"""Tools on the terminal and as JSON: in one line, or whole with their arguments and hints."""

from __future__ import annotations

import json
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp.terminal.screen import clean_line, is_terminal, print_json, styled
from llm_tools_mcp.text.plain import plain
from llm_tools_mcp.text.token_estimate import shown_tokens, tokens_of

if TYPE_CHECKING:
    from llm_tools_mcp import v1
    from llm_tools_mcp.cli.schema import Argument
    from llm_tools_mcp.client.tools import Listing, Offer

NEEDS_TASK = "can be called as a task alone, which is not done here: it is left out"

# Characters of a server's instructions that are shown.
_INSTRUCTIONS = 2048
# What a server may say of a tool, in words. A tool that says nothing may do anything.
_HINTS = {
    "readOnlyHint": "read-only",
    "destructiveHint": "destructive",
    "idempotentHint": "idempotent",
    "openWorldHint": "open world",
}


def hints(annotations: Mapping[str, Any]) -> list[str]:
    """What the server says to be so: `read-only`, `destructive`, … Its word only."""
    return [word for key, word in _HINTS.items() if annotations.get(key) is True]


def summary(known: v1.ServerTools) -> Iterator[str]:
    """What is known of a server: how many tools, what they say to do, its instructions."""
    said = Counter(word for tool in known.tools for word in hints(json.loads(tool.annotations or "{}")))
    words = "".join(f", {count} {word}" for word, count in said.items())
    cost = sum(tokens_of(tool.name, tool.description, tool.input_schema) for tool in known.tools)
    if known.tools:
        yield f"  {styled('tools', bold=True)}: {len(known.tools)}{words}; {shown_tokens(cost)} tokens"
    if known.instructions:
        yield f"  {styled('it says', bold=True)}:"
        yield from (f"    {line}" for line in plain(known.instructions[:_INSTRUCTIONS]).splitlines())


def print_as_json(listing: Listing, offers: Sequence[Offer]) -> None:
    failed = [{"server": failed.server, "error": failed.reason} for failed in listing.failed]
    left_out = [{"server": offer.server, "tool": offer.tool} for offer in listing.left_out]
    print_json(
        {
            "tools": [as_dict(offer) for offer in offers],
            "failed": failed,
            "left_out": left_out,
            "instructions": dict(listing.instructions),
        }
    )


def as_dict(offer: Offer) -> dict[str, Any]:
    return {
        "server": offer.server,
        "tool": offer.tool,
        "name": offer.name,
        "title": offer.wire.title,
        "description": offer.description,
        "input_schema": offer.input_schema,
        "output_schema": offer.output_schema,
        "annotations": offer.annotations,
        "meta": offer.meta,
        "tokens": offer.tokens,
    }


def print_missing(listing: Listing) -> None:
    """On stderr: servers that failed, and tools that cannot be called from here."""
    from llm_tools_mcp.client.tools import FEW

    is_many = len(listing.failed) > FEW
    for failed in listing.failed:
        reason = failed.short_reason if is_many else failed.reason
        text = failed.line if failed.login else f"Warning: {failed.server}: {reason}"
        click.echo(clean_line(text), err=True)
    if is_many:
        click.echo("see: llm mcp doctor", err=True)
    for offer in listing.left_out:
        click.echo(f"{clean_line(offer.server)}: {clean_line(offer.tool)} {NEEDS_TASK}", err=True)


def print_offers(
    offers: Sequence[Offer], *, is_single: bool, with_schema: bool, with_tokens: bool = False
) -> None:
    if not offers:
        click.echo("no tools", err=True)
    width = max((len(offer.tool) for offer in offers), default=0)
    sums: dict[str, int] = {}
    for offer in offers:
        sums[offer.server] = sums.get(offer.server, 0) + offer.tokens
    server = ""
    for offer in offers:
        if offer.server != server:
            cost = f"  {shown_tokens(sums[offer.server])} tokens" if with_tokens else ""
            click.echo(("\n" if server else "") + styled(clean_line(offer.server), bold=True) + cost)
            server = offer.server
        if is_single:
            _print_whole(offer)
        else:
            click.echo(_line(offer, min(width, 40), with_tokens=with_tokens))
        if with_schema:
            click.echo(json.dumps(offer.input_schema, indent=2, ensure_ascii=False))
    if with_tokens and len(sums) > 1:
        click.echo(f"\n{shown_tokens(sum(sums.values()))} tokens in every request")


def _line(offer: Offer, width: int, *, with_tokens: bool) -> str:
    """The name and the first sentence, within the terminal's width."""
    name = clean_line(offer.tool)
    cost = f"{shown_tokens(offer.tokens):>6} " if with_tokens else ""
    mark = "(read-only) " if offer.is_read_only else ""
    text = f"{cost}{_renamed(offer)} {mark}{_first_sentence(offer.description)}".strip()
    if is_terminal():
        room = shutil.get_terminal_size().columns - max(width, len(name)) - 4
        text = text if len(text) <= room else text[: max(0, room - 1)] + "…"
    return f"  {styled(f'{name:{width}}', fg='cyan')}  {styled(text, dim=True)}".rstrip()


def _renamed(offer: Offer) -> str:
    """Another name for the model, where several servers have this one or providers refuse it."""
    return "" if offer.name == offer.tool else f"(for the model: {offer.name})"


def _first_sentence(description: str) -> str:
    """A description for models may be pages long."""
    paragraph = plain(description).strip().split("\n\n", 1)[0]
    text = " ".join(paragraph.split())
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]


def _print_whole(offer: Offer) -> None:
    from llm_tools_mcp.cli.schema import arguments_of, nested_arguments, usage

    name = styled(clean_line(offer.tool), fg="cyan")
    facts = ", ".join([*hints(offer.annotations), f"{shown_tokens(offer.tokens)} tokens"])
    click.echo(f"  {name}  {styled(f'{_renamed(offer)} {facts}'.strip(), dim=True)}")
    for line in plain(offer.description).strip().splitlines():
        click.echo(f"  {line}")
    arguments = arguments_of(offer.input_schema)
    if arguments:
        click.echo(f"\n  {styled('Arguments', bold=True)}")
    for argument in arguments:
        _print_argument(argument, "    ")
        for inner in nested_arguments(offer.input_schema, argument.name):
            _print_argument(inner, "      ")
    words = shlex.join([clean_line(offer.server), clean_line(offer.tool)])
    click.echo(f"\n  llm mcp call {words} {usage(offer.input_schema)}".rstrip())
    several = next((argument.name for argument in arguments if argument.kind.startswith("array")), "")
    if several:
        example = f"{several}=A {several}=B, or as JSON: {several}='[…]'"
        click.echo(styled(f"  several values for {several}: {example}", dim=True))


def _print_argument(argument: Argument, margin: str) -> None:
    text = f"  {argument.description}" if argument.description else ""
    click.echo(f"{margin}{argument.name}  {styled(f'({_form(argument)})', dim=True)}{text}")


def _form(argument: Argument) -> str:
    needed = "" if argument.is_required else ", optional"
    default = f", default {argument.default}" if argument.default else ""
    return f"{argument.kind}{needed}{default}"
