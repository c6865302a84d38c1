"""Whom a call's questions are put to. What asks is loaded by the first question: most calls have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_tools_mcp import v1
    from llm_tools_mcp.client.call_questions import Withdrawal
    from llm_tools_mcp.terminal.progress import Display
    from llm_tools_mcp.terminal.questions import Person


class LazyPerson:
    """The person at the terminal, for one call."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._made: Person | None = None

    def _person(self) -> Person:
        if self._made is None:
            from llm_tools_mcp.terminal.questions import Person

            self._made = Person(self._display)
        return self._made

    def ask(self, question: v1.Question, withdrawal: Withdrawal) -> v1.AnswerRequest:
        return self._person().ask(question, withdrawal)

    def note(self, text: str) -> None:
        self._person().note(text)

    @property
    def remarks(self) -> str:
        """What the model should know beside the result: a line each; mostly nothing."""
        return "".join(f"\n[{remark}]" for remark in self._made.remarks) if self._made is not None else ""
