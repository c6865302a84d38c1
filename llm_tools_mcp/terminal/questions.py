"""What servers ask, put to the person at the terminal: forms, and pages to visit.

Nothing is asked where nobody can answer: then it is declined, and both the person and the model are told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llm_tools_mcp import v1
from llm_tools_mcp.login.browser import open_page
from llm_tools_mcp.text.plain import plain

from .choosing import Option, choose
from .fields import Field, Unfit, Wrong, fields_of, parse, shown
from .tty import EndOfInput, Gone, NoTerminal, Tty, terminal
from .urls import Address

if TYPE_CHECKING:
    from .progress import Display
    from .tty import Withdrawal

# `decline`: no question is asked, as where there is no terminal.
ANSWERS_VARIABLE = "LLM_MCP_ANSWERS"

# From this one on of one call, all that follow can be declined at once.
_MANY = 3
_MAX_NAME = 60

_Action = v1.AnswerRequest
_DECLINED = "decline"


class Scripted:
    """Answers that were given beforehand: `--answer key=value`, `--accept-defaults`."""

    def __init__(self, answers: Mapping[str, str] | None = None, *, accepts_defaults: bool = False) -> None:
        self._answers = dict(answers or {})
        self.accepts_defaults = accepts_defaults
        self.unused = dict.fromkeys(self._answers)

    @property
    def is_in_use(self) -> bool:
        return self.accepts_defaults or bool(self._answers)

    def fill(self, fields: Sequence[Field]) -> dict[str, Any]:
        """The values that are known already. Raises Wrong for an answer that does not fit."""
        values = {}
        for field in fields:
            if field.key in self._answers:
                self.unused.pop(field.key, None)
                try:
                    values[field.key] = parse(field, self._answers[field.key])
                except Wrong as why:
                    raise Wrong(f"--answer {field.name}: {why}") from None
            elif self.accepts_defaults and field.default is not None:
                values[field.key] = field.default
        return values

    def is_enough(self, fields: Sequence[Field], values: Mapping[str, Any]) -> bool:
        """Whether nobody needs to be asked."""
        is_given = self.accepts_defaults or any(field.key in self._answers for field in fields)
        return is_given and all(field.key in values for field in fields if field.is_required)


class Person:
    """Answers the questions of one call. `remarks` is what the model should know of them."""

    def __init__(self, display: Display, scripted: Scripted | None = None) -> None:
        self._display = display
        self._scripted = scripted or Scripted()
        self._count = 0
        self._wants_no_more = False
        self.remarks: list[str] = []

    def note(self, text: str) -> None:
        self._display.print(f"Warning: {text}")

    def ask(self, question: v1.Question, withdrawal: Withdrawal) -> v1.AnswerRequest:
        """The answer, without its id. Returns early when the question is withdrawn."""
        self._count += 1
        try:
            return self._answer(question, withdrawal)
        except (NoTerminal, Unfit, Wrong) as why:
            return self._declined(question, str(why))
        except EndOfInput:
            return _answer(_Action.CANCEL)

    def _answer(self, question: v1.Question, withdrawal: Withdrawal) -> v1.AnswerRequest:
        fields = fields_of(question.form) if question.WhichOneof("kind") == "form" else []
        values = self._scripted.fill(fields)
        if question.WhichOneof("kind") == "form" and self._scripted.is_enough(fields, values):
            return _answer(_Action.ACCEPT, values)
        if self._wants_no_more:
            return _answer(_Action.DECLINE)
        try:
            return self._asked(question, fields, values, withdrawal)
        except NoTerminal as why:
            missing = ", ".join(
                field.name for field in fields if field.is_required and field.key not in values
            )
            told = f"; --answer could have said: {missing}" if self._scripted.is_in_use and missing else ""
            raise NoTerminal(f"{why}{told}") from None

    def _asked(
        self, question: v1.Question, fields: list[Field], values: dict[str, Any], withdrawal: Withdrawal
    ) -> v1.AnswerRequest:
        check_wish()
        with self._display.paused(), terminal(withdrawal) as tty:
            try:
                return self._dialogue(tty, question, fields, values)
            except Gone as why:
                tty.print(f"\n(the question is withdrawn: {plain(str(why))})")
                return _answer(_Action.CANCEL)

    def _dialogue(
        self, tty: Tty, question: v1.Question, fields: list[Field], values: dict[str, Any]
    ) -> v1.AnswerRequest:
        self._introduce(tty, question)
        if question.WhichOneof("kind") == "url":
            return self._page(tty, question.url)
        return self._form(tty, question, fields, values)

    def _introduce(self, tty: Tty, question: v1.Question) -> None:
        what = "to open a page" if question.WhichOneof("kind") == "url" else "a question"
        tty.print()
        tty.print(
            f"The MCP server {named(question.server)} asks you {what}, for {named(question.subject)}:",
            bold=True,
        )
        tty.quote(question.message or "(it gives no reason)")

    def _declined(self, question: v1.Question, why: str) -> v1.AnswerRequest:
        what = " ".join(plain(question.message).split())[:200]
        text = f"MCP server {named(question.server)} asked: {what!r}. It was declined: {why}"
        self.note(text)
        self.remarks.append(text)
        return _answer(_Action.DECLINE)

    # --- forms --------------------------------------------------------------------------------------

    def _form(
        self, tty: Tty, question: v1.Question, fields: list[Field], values: dict[str, Any]
    ) -> v1.AnswerRequest:
        if not fields:
            choice = self._choice(tty, "Accept?", [_NO, Option("y", "yes", "you accept what it asks")])
            return _answer(_REFUSALS[choice]) if choice in _REFUSALS else _answer(_Action.ACCEPT, {})
        if (choice := self._choice(tty, "Answer it?", [_FILL_IN, _DECLINE])) in _REFUSALS:
            return _answer(_REFUSALS[choice])
        wanted = fields
        while True:
            for field in wanted:
                _fill(tty, field, values)
            tty.print(f"\nThis goes to {named(question.server)}:", bold=True)
            _summarize(tty, fields, values)
            choice = self._choice(tty, "Send it?", [_SEND, _EDIT, _DECLINE])
            if choice != "e":
                return _answer(_REFUSALS[choice]) if choice in _REFUSALS else _answer(_Action.ACCEPT, values)
            wanted = _to_edit(tty, fields)

    def _choice(self, tty: Tty, prompt: str, options: list[Option]) -> str:
        """A letter of the options, or of those that are always there. Enter alone means the first."""
        more = [_CANCEL, *([_DECLINE_ALL] if self._count >= _MANY else [])]
        choice = choose(tty, prompt, [*options, *more])
        self._wants_no_more = choice == "x"
        return choice

    # --- pages --------------------------------------------------------------------------------------

    def _page(self, tty: Tty, url: str) -> v1.AnswerRequest:
        address = Address(url)
        tty.print("The page is at the host:")
        tty.print(f"  {address.host}", bold=True)
        tty.print("Its whole address:")
        tty.print(f"  {address.whole}")
        for warning in address.warnings:
            tty.print(f"Careful: {warning}", bold=True)
        choice = self._choice(tty, "Open it?", [_NO, Option("y", "yes", "it is opened in your browser")])
        if choice in _REFUSALS:
            return _answer(_REFUSALS[choice])
        if not open_page(address.whole, os.environ):
            tty.print("There is no browser here: open the address above yourself.")
        return _answer(_Action.ACCEPT)


_NO = Option("n", "no", "the server is told that you do not want to")
_FILL_IN = Option("y", "yes", "you are asked for each field, and see the whole before it is sent")
_SEND = Option("y", "yes", "the server gets what stands above")
_EDIT = Option("e", "edit", "you are asked for a field again")
_DECLINE = Option("d", "decline", "the server is told that you do not want to answer")
_CANCEL = Option("c", "cancel", "the server is told that you left the question without an answer")
_DECLINE_ALL = Option("x", "decline all that still comes", "this question and all later ones of this call")
_REFUSALS = {"d": _Action.DECLINE, "x": _Action.DECLINE, "n": _Action.DECLINE, "c": _Action.CANCEL}


def check_wish() -> None:
    """Raises NoTerminal where the person wants no questions."""
    wish = os.environ.get(ANSWERS_VARIABLE)
    if wish == _DECLINED:
        raise NoTerminal(f"{ANSWERS_VARIABLE}=decline")
    if wish:
        raise NoTerminal(f"{ANSWERS_VARIABLE} is {plain(wish)!r}, where only 'decline' has a meaning")


def _answer(
    action: v1.AnswerRequest.Action.ValueType, values: Mapping[str, Any] | None = None
) -> v1.AnswerRequest:
    return v1.AnswerRequest(action=action, content="" if values is None else json.dumps(values))


def named(text: str) -> str:
    """Of a server or a tool, in a line of ours."""
    line = " ".join(plain(text).split())
    return repr(line if len(line) <= _MAX_NAME else f"{line[:_MAX_NAME]}...")


# --- one field --------------------------------------------------------------------------------------


def _fill(tty: Tty, field: Field, values: dict[str, Any]) -> None:
    """Ask until the field has a value that fits, or is left out."""
    tty.print()
    if field.help:
        tty.quote(field.help, most=8)
    for number, choice in enumerate(field.choices, 1):
        tty.quote(f"{number:>3}  {choice.shown[:200]}", most=2)
    if field.looks_secret:
        tty.print("Careful: this looks like a secret, which no server may ask for in a form.", bold=True)
    known = values.get(field.key, field.default)
    prompt = _prompt(field, known)
    while True:
        typed = tty.ask(prompt)
        if not typed and known is not None:
            values[field.key] = known
            return
        if not typed and not field.is_required:
            values.pop(field.key, None)
            return
        try:
            values[field.key] = parse(field, _needed(typed))
        except Wrong as why:
            tty.print(f"  {why}")
        else:
            return


def _needed(typed: str) -> str:
    if not typed:
        raise Wrong('it may not be left out (Ctrl-D cancels; "" is an empty text)')
    return typed


def _prompt(field: Field, known: Any) -> str:
    hints = [field.expects]
    if known is not None:
        hints.append(f"Enter: {_short(shown(field, known))}")
    elif not field.is_required:
        hints.append("Enter leaves it out")
    return f"{field.name} ({', '.join(hints)}): "


def _short(text: str) -> str:
    return text if len(text) <= _MAX_NAME else f"{text[:_MAX_NAME]}..."


def _summarize(tty: Tty, fields: Sequence[Field], values: Mapping[str, Any]) -> None:
    for field in fields:
        is_given = field.key in values
        tty.quote(f"{field.name}: {shown(field, values[field.key]) if is_given else '(left out)'}", most=6)


def _to_edit(tty: Tty, fields: list[Field]) -> list[Field]:
    names = ", ".join(field.name for field in fields)
    while len(fields) > 1:
        typed = tty.ask(f"Which field?  {names}  (Enter: all) > ")
        if not typed:
            return fields
        if found := [field for field in fields if typed in (field.key, field.name)]:
            return found
        tty.print(f"There is no field {plain(typed)!r}")
    return fields
