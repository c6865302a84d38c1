"""`--answer` and `--accept-defaults`: what is answered where a server asks during a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp.terminal.screen import clean_line

if TYPE_CHECKING:
    from llm_tools_mcp.terminal.questions import Scripted

_ANSWERS, _DEFAULTS = "llm_tools_mcp.answers", "llm_tools_mcp.accept_defaults"


def _take_answers(context: click.Context, _: click.Parameter, words: tuple[str, ...]) -> None:
    pairs = [word.partition("=") for word in words]
    for word, (key, separator, _text) in zip(words, pairs, strict=True):
        if not (key and separator):
            raise click.BadParameter(f"{word!r} is not of the form KEY=VALUE")
    context.meta[_ANSWERS] = {key: text for key, _, text in pairs}


def _take_defaults(context: click.Context, _: click.Parameter, *, value: bool) -> None:
    context.meta[_DEFAULTS] = value


def answer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options, which `scripted` reads: the command itself has arguments enough."""
    defaults = click.option(
        "--accept-defaults",
        is_flag=True,
        expose_value=False,
        callback=lambda context, option, value: _take_defaults(context, option, value=value),
        help="Where a server asks, answer with the defaults if they are all that is needed.",
    )
    answers = click.option(
        "--answer",
        multiple=True,
        expose_value=False,
        callback=_take_answers,
        metavar="KEY=VALUE",
        help="What to answer where a server asks for KEY during the call; may be repeated.",
    )
    return answers(defaults(command))


def scripted(context: click.Context) -> Scripted:
    from llm_tools_mcp.terminal.questions import Scripted

    return Scripted(context.meta[_ANSWERS], accepts_defaults=context.meta[_DEFAULTS])


def warn_of_unused(answers: Scripted) -> None:
    for key in answers.unused:
        click.echo(f"Warning: --answer {clean_line(key)}: nothing was asked that is called so", err=True)
