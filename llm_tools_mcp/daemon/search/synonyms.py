"""Words that stand for each other where people speak of tools: alternatives of one word of a question."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from .words import lines_of, stem


@cache
def phrases() -> Mapping[tuple[str, ...], str]:
    """Words that belong together → as one word: ("merge", "request") → "merge_request"."""
    found = {word for line in lines_of("synonyms.txt") for word in line if "_" in word}
    return {tuple(word.split("_")): word for word in found}


@cache
def synonyms() -> Mapping[str, tuple[str, ...]]:
    """By stem, the nearest first: the first word of each group stands for all the others, they for it."""
    found: dict[str, dict[str, None]] = {}
    for head, *others in lines_of("synonyms.txt"):
        for other in others:
            found.setdefault(_stem(head), {})[other] = None
            found.setdefault(_stem(other), {}).setdefault(head, None)
    return {word: tuple(others) for word, others in found.items()}


@cache
def translations() -> Mapping[str, str]:
    """From the languages in which people ask most, to English."""
    return dict(line for line in lines_of("translations.txt") if len(line) == 2)


def _stem(word: str) -> str:
    return word if "_" in word else stem(word)
