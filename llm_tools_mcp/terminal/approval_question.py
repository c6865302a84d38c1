"""A person is asked whether a model may call a tool: once, from now on, for the whole server, or not."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_tools_mcp.text.plain import plain, visible, visible_name

from .choosing import Option, choose
from .questions import check_wish, named
from .tty import EndOfInput, NoTerminal, Tty, Withdrawal, terminal

ONCE, TOOL, SERVER, NO = "o", "t", "s", "n"
_ALL = "a"
_OPTIONS = (
    Option(NO, "no", "it is not called; you are asked why, which is told to the model"),
    Option(ONCE, "once", "this call alone (y and yes mean this, too)", ("y", "yes")),
    Option(TOOL, "tool from now on", "this tool is never asked about again until it changes", ("tool",)),
    Option(SERVER, "server from now on", "the same for all tools that this server has now", ("server",)),
)
_WHOLE = Option(_ALL, "all of the arguments", "they are shown whole, and you are asked again", ("all",))

# Characters of one argument; what is longer nobody reads on a terminal.
_MAX_VALUE = 20_000
# Lines of arguments that are shown unasked.
_SHOWN = 24
_MAX_REASON = 500

_HINTS = {
    ("readOnlyHint", True): "it only reads",
    ("readOnlyHint", False): "it may change things",
    ("destructiveHint", True): "it may delete or overwrite",
    ("destructiveHint", False): "it only adds",
    ("idempotentHint", True): "a second call changes nothing more",
    ("openWorldHint", True): "it reaches beyond this machine",
    ("openWorldHint", False): "it stays within its own data",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A call that waits. `before` and `now` are what the tool was when it was allowed, and what it is."""

    server: str
    tool: str
    arguments: Mapping[str, Any]
    annotations: Mapping[str, Any]
    before: str | None = None
    now: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """`choice` is one of ONCE, TOOL, SERVER and NO; `reason` is the person's, for the model."""

    choice: str
    reason: str = ""


def ask_for_approval(request: Request, withdrawal: Withdrawal | None = None) -> Decision:
    """Raises NoTerminal where nobody can be asked, Gone when it is withdrawn."""
    check_wish()
    with terminal(withdrawal) as tty:
        try:
            return _dialogue(tty, request)
        except EndOfInput:
            return Decision(NO)


def _dialogue(tty: Tty, request: Request) -> Decision:
    text = "\n".join(_arguments(request.arguments))
    tty.print()
    title = f"The model wants to call {named(request.tool)} of the MCP server {named(request.server)}"
    tty.print(f"{title}, with:" if text else f"{title}, without arguments.", bold=True)
    is_cut = bool(tty.quote(text, most=_SHOWN, is_list=True))
    tty.print(_words(request.annotations))
    if request.before is not None:
        _show_change(tty, request.before, request.now)
    options = (*_OPTIONS, _WHOLE) if is_cut else _OPTIONS
    while (choice := choose(tty, "Allow it?", options)) == _ALL:
        tty.quote(text, most=100_000, is_list=True)
    return Decision(choice, _reason(tty) if choice == NO else "")


def _reason(tty: Tty) -> str:
    """What was typed before the question came is meant for something else."""
    try:
        tty.forget_input()
        reason = tty.ask("Why not? It is told to the model (Enter: nothing) > ")
    except (NoTerminal, EndOfInput):
        return ""
    return plain(reason)[:_MAX_REASON]


def _arguments(arguments: Mapping[str, Any]) -> list[str]:
    """As a person can judge them: nothing is left out unsaid."""
    lines = []
    for name, value in arguments.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
        if len(text) > _MAX_VALUE:
            text = f"{text[:_MAX_VALUE]}\n({len(text) - _MAX_VALUE} more characters, which are not shown)"
        first, *more = map(visible, text.split("\n"))
        lines += [f"{visible_name(name)}: {first}", *(f"    {line}" for line in more)]
    return lines


def _words(annotations: Mapping[str, Any]) -> str:
    said = [words for (name, value), words in _HINTS.items() if annotations.get(name) is value]
    return f"Its server says: {'; '.join(said)}." if said else "Its server says nothing about what it does."


def _show_change(tty: Tty, before: str, now: str) -> None:
    tty.print("It has changed since you allowed it:", bold=True)
    for line in difflib.unified_diff(
        before.split("\n"), now.split("\n"), "when you allowed it", "now", lineterm="", n=1
    ):
        tty.quote(visible(line), most=40, is_list=True)
