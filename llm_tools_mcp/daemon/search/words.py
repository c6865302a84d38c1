"""Text → words as they are compared: lower case, without accents, cut to their stems."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

# Letters of one kind, or digits: readFile2 is read, file, 2; HTTPServer is http, server.
_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_A-Za-z]+")
_WORDS = re.compile(r"[a-z]+\d+[a-z0-9]*|[a-z]+|\d+|[^\W\d_a-z]+")
_VOWEL = re.compile("[aeiouy]")


def lines_of(name: str) -> Iterator[list[str]]:
    """The words of each line of a file of the vocabulary."""
    text = Path(__file__).with_name("vocabulary").joinpath(name).read_text(encoding="utf-8")
    return (line.split() for line in text.splitlines() if line and not line.startswith("#"))


STOP_WORDS = frozenset(word for line in lines_of("stop_words.txt") for word in line)


def plain_letters(text: str) -> str:
    """Without accents."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(one for one in decomposed if not unicodedata.combining(one))


def words_of(text: str) -> list[str]:
    """Of prose, in lower case and in order; also the few that say nothing."""
    return _WORDS.findall(plain_letters(text).lower())


def words_of_name(text: str) -> list[str]:
    """Of an identifier: its parts."""
    return [part.lower() for part in _PARTS.findall(plain_letters(text))]


def stems(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        if word not in STOP_WORDS:
            yield stem(word)


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """What the forms of an English word have in common: a light version of Porter's steps."""
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    return _ending(_noun(_past(_plural(word))))


def _plural(word: str) -> str:
    if word.endswith("ies"):
        return f"{word[:-3]}y" if len(word) > 4 else word[:-1]
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _past(word: str) -> str:
    for suffix in ("ing", "ed"):
        root = word.removesuffix(suffix)
        if root != word and len(root) > 2 and _VOWEL.search(root):
            if root[-1] == root[-2] and root[-1] not in "lsz":
                return root[:-1]
            return root
    return word


# Longest first.
_NOUNS = (
    ("ization", "ize"), ("ational", "ate"), ("fulness", "ful"), ("ication", "ify"), ("ation", "ate"),
    ("ility", "le"), ("ment", ""), ("ness", ""), ("tion", "t"), ("sion", "s"), ("ance", ""), ("ence", ""),
    ("able", ""), ("ible", ""), ("ator", "ate"), ("ally", "al"), ("ly", ""),
)  # fmt: skip


def _noun(word: str) -> str:
    for suffix, instead in _NOUNS:
        if word.endswith(suffix) and len(word) - len(suffix) > 3:
            return word[: -len(suffix)] + instead
    return word


def _ending(word: str) -> str:
    if word.endswith("e") and len(word) > 4:
        return word[:-1]
    return f"{word[:-1]}i" if word.endswith("y") and len(word) > 3 and word[-2] not in "aeiou" else word
