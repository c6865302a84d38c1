"""A server's tool → the form in which every provider takes it: pure functions over JSON Schema.

OpenAI, Anthropic and Gemini each refuse a whole prompt for one schema, name or description that they do
not like; tests/acceptable/provider_rules.py has what each refuses, and who saw it. What is acceptable stays
as it is. The server gets the model's arguments as they came, whatever was changed here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from llm_tools_mcp.text.token_estimate import LONGEST_DESCRIPTION

from .alternatives import flattened
from .references import Inliner
from .strict import Rewriter
from .wording import fitted, joined_notes

__all__ = ["LONGEST_DESCRIPTION", "Accepted", "acceptable_schema", "described", "fitted"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """`schema` is an object schema that providers take.

    `notes` are what it does not say any more, in words for the model. `changes` name what was refused about
    it, `problems` what is lost for the model.
    """

    schema: dict[str, Any] = field(repr=False)
    notes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def acceptable_schema(given: Any) -> Accepted:
    """An input schema as the server sent it, which may be any JSON."""
    inliner = Inliner(given)
    flat = flattened(inliner.inlined())
    rewriter = Rewriter()
    schema, notes = rewriter.top(flat.schema)
    if schema == given:
        return Accepted(given)
    changes = {**inliner.changes, **flat.changes, **rewriter.changes}
    return Accepted(
        schema, (*flat.notes, *notes), tuple(changes), (*inliner.problems, *flat.problems, *rewriter.problems)
    )


def described(description: str, accepted: Accepted, suffix: str) -> str:
    """The description with the schema's notes and `suffix`, cut at a sentence where it is too long."""
    notes = joined_notes(accepted.notes)
    ending = (f"\n{notes}" if notes else "") + suffix
    return fitted(description, LONGEST_DESCRIPTION - len(ending)) + ending
