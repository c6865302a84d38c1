"""What a published server wants to be told: from the command line, from the person, or by default."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

import click

from llm_tools_mcp.cli.command import did_you_mean
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.published.inputs import Input, Misfit
from llm_tools_mcp.terminal.screen import clean_line, has_terminal
from llm_tools_mcp.terminal.tty import EndOfInput, NoTerminal, Tty, terminal

_MAX_LINES = 6


def told(words: Iterable[str]) -> dict[str, list[str]]:
    """KEY=VALUE of the command line; a key that comes again has several values."""
    answers: dict[str, list[str]] = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not separator or not key:  # not repeated: it may be a secret
            raise click.UsageError("what the server wants to be told is written KEY=VALUE")
        answers.setdefault(key, []).append(value)
    return answers


def answered(inputs: Sequence[Input], given: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """An answer to each input that has one. Raises McpError, which lists all that is missing."""
    answers = _given(inputs, given)
    open_ones = [one for one in inputs if one.key not in answers]
    if open_ones and has_terminal():
        answers |= _asked(open_ones)
    else:
        answers |= {one.key: one.default_answers for one in open_ones if one.default_answers}
    missing = [one for one in inputs if one.is_required and not answers.get(one.key)]
    if missing:
        raise McpError("\n".join(["it wants to be told more:", *map(_line, missing), _example(missing)]))
    return answers


def _given(inputs: Sequence[Input], given: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    known = {one.key: one for one in inputs}
    folded = {key.casefold(): key for key in known}
    answers: dict[str, tuple[str, ...]] = {}
    for key, values in given.items():
        meant = key if key in known else folded.get(key.casefold(), "")
        if not meant:
            listed = ", ".join(map(clean_line, known)) or "nothing"
            raise McpError(f"it does not ask for {key!r}; it asks for: {listed}{did_you_mean(key, known)}")
        if len(values) > 1 and not known[meant].is_repeated:
            raise McpError(f"{meant!r} is given {len(values)} times, and takes one value")
        try:
            answers[meant] = tuple(map(known[meant].answer, values))
        except Misfit as why:
            raise McpError(f"{meant}=…: {clean_line(str(why))}") from None
    return answers


def _line(one: Input) -> str:
    return f"  {clean_line(one.key)}=…  ({clean_line(one.expects)})  {clean_line(one.description)}".rstrip()


def _example(missing: Sequence[Input]) -> str:
    key = clean_line(missing[0].key)
    value = f"'${{{key}}}'" if missing[0].is_secret else "…"
    return f"on a terminal you are asked; else add it at the end of the command: {shlex.quote(key)}={value}"


# --- asking -----------------------------------------------------------------------------------------


def _asked(inputs: Sequence[Input]) -> dict[str, tuple[str, ...]]:
    """Raises McpError where nobody answers."""
    try:
        with terminal() as tty:
            tty.print("The server wants to be told (${VAR} takes a value from your environment each time):")
            return {one.key: answers for one in inputs if (answers := _answers(tty, one))}
    except NoTerminal as why:
        raise McpError(f"{why}; give what it asks for as KEY=VALUE") from None
    except EndOfInput:
        raise McpError("nothing was added") from None


def _answers(tty: Tty, one: Input) -> tuple[str, ...]:
    """One, or of what may be repeated all up to an empty line."""
    tty.print()
    tty.print(f"{clean_line(one.key)} ({clean_line(one.expects)})", bold=True)
    if one.description:
        tty.quote(one.description, _MAX_LINES)
    first = _answer(tty, one, one.default_answers)
    answers = list(first)
    while one.is_repeated and first and first != one.default_answers:
        more = _answer(tty, one, (), is_first=False)
        if not more:
            break
        answers += more
    return tuple(answers)


def _answer(tty: Tty, one: Input, default: tuple[str, ...], *, is_first: bool = True) -> tuple[str, ...]:
    """Empty where it is left out."""
    shown = f" [{clean_line(' '.join(default))}]" if default and not one.is_secret else ""
    ask = tty.ask_secret if one.is_secret else tty.ask
    while True:
        typed = ask(f"{'' if is_first else 'another, or Enter'}{shown}> ")
        if not typed and (default or not one.is_required or not is_first):
            return default
        try:
            if typed:
                return (one.answer(typed),)
            tty.print("It is needed; Ctrl-C ends this, and nothing is added.")
        except Misfit as why:
            tty.print(f"That is {clean_line(str(why))}.")
