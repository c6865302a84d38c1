"""Sentences for the model, within what a provider takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

# Characters of a value, of one note, of the notes of a tool.
_VALUE = 80
_NOTE = 240
_NOTES = 400
# A sentence ends at one of these; in Chinese and Japanese without a blank.
_SENTENCE_END = re.compile(r"[.!?…](?=\s)|[。！？]|\n")  # noqa: RUF001


def shown(value: Any) -> str:
    """A value as JSON, bounded."""
    return shortened(json.dumps(value, ensure_ascii=False), _VALUE)


def listed(values: Iterable[Any]) -> str:
    return shortened(", ".join(map(shown, islice(values, _NOTE))), _NOTE - 40)


def shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def with_notes(description: str, notes: Iterable[str]) -> str:
    """The notes in parentheses behind the description of an argument."""
    told = "; ".join(shortened(note, _NOTE) for note in notes)
    if not told:
        return description
    return f"{description} ({told})" if description else told[0].upper() + told[1:]


def joined_notes(notes: Iterable[str]) -> str:
    """The notes of a tool as sentences."""
    told = " ".join(f"{shortened(note[0].upper() + note[1:], _NOTE)}." for note in notes if note)
    return shortened(told, _NOTES)


def fitted(text: str, limit: int) -> str:
    """At most `limit` characters: up to a sentence's end, else a word's, and then an ellipsis."""
    if len(text) <= limit:
        return text
    room = max(0, limit - 2)
    ends = [match.end() for match in _SENTENCE_END.finditer(text[: room + 1]) if match.end() <= room]
    if ends and ends[-1] >= room // 2:
        return text[: ends[-1]].rstrip() + " …"
    return (text[:room].rsplit(None, 1)[0] if " " in text[:room].strip() else text[:room]).rstrip() + " …"
