"""A ranking of tools for a question in words: BM25 over fields, each word by its best alternative.

A question's word is worth the best of what it may stand for: itself, a synonym, a correction of its
spelling, what it begins, never their sum. Where the words of a question are found (a tool's name says more
than the description of an argument), how many of them are found, and how much of the name they cover decides.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .spelling import Speller
from .synonyms import phrases, synonyms, translations
from .words import STOP_WORDS, stem, stems, words_of, words_of_name

# How much a word counts, by where it stands; `lead` is the first sentence of the description.
_FIELDS = {
    "name": 3.2,
    "title": 1.6,
    "lead": 1.6,
    "description": 0.8,
    "arguments": 0.7,
    "details": 0.3,
    "server": 1.6,
}
# Which share of a field's length damps it, and from where on more of the same word adds little (BM25).
_B = {
    "name": 0.3,
    "title": 0.3,
    "lead": 0.5,
    "description": 0.6,
    "arguments": 0.6,
    "details": 0.7,
    "server": 0.0,
}
_K1 = 1.2
# Alternatives of a word.
_SYNONYM, _FAR_SYNONYM, _SPELLING = 0.72, 0.6, 0.7
_NEAR = 4  # so many of a word's synonyms
# How much it counts that all of the question is found, and that all of the name is meant.
_COVERAGE, _NAME = 0.55, 0.35
# Characters: nobody asks longer questions, and each word costs.
_LONGEST_QUERY = 500


class Entry(NamedTuple):
    """A tool as it is searched for; `schema` is JSON text."""

    server: str
    tool: str
    title: str
    description: str
    schema: str


class Found(NamedTuple):
    server: str
    tool: str
    score: float


@dataclass
class _Match:
    """How far a tool fits: the words' worth, how much of the question they are, which its name has."""

    score: float = 0.0
    found: float = 0.0
    named: set[str] = field(default_factory=set)


class Index:
    """Of some tools; made anew when one of them changes."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._names = [frozenset(stems(words_of_name(entry.tool))) for entry in entries]
        # word → tool → its weight there.
        self._postings: dict[str, dict[int, float]] = {}
        self._fill()
        self._speller = Speller(self._postings, synonyms())
        self._idf = {
            word: math.log(1 + (len(entries) - len(tools) + 0.5) / (len(tools) + 0.5))
            for word, tools in self._postings.items()
        }

    def _fill(self) -> None:
        documents = [dict(_fields(entry)) for entry in self._entries]
        averages = {
            place: max(1.0, sum(len(document[place]) for document in documents) / max(1, len(documents)))
            for place in _FIELDS
        }
        for number, document in enumerate(documents):
            weights: dict[str, float] = {}
            for place, words in document.items():
                damping = 1 - _B[place] + _B[place] * len(words) / averages[place]
                for word, count in Counter(words).items():
                    weights[word] = weights.get(word, 0.0) + _FIELDS[place] * count / damping
            for word, weight in weights.items():
                self._postings.setdefault(word, {})[number] = weight / (_K1 + weight)

    def search(self, query: str, limit: int, servers: Iterable[str] = ()) -> list[Found]:
        """The best ones, the best first; of these servers, or of all."""
        matches: dict[int, _Match] = {}
        whole = 0.0
        for alternatives in self._terms(query[:_LONGEST_QUERY]):
            importance = max(share * self._idf[word] for word, share in alternatives.items())
            whole += importance
            for number, (score, word) in self._best(alternatives).items():
                match = matches.setdefault(number, _Match())
                match.score += score
                match.found += importance
                if word in self._names[number]:
                    match.named.add(word)
        wanted = set(servers)
        ranked = sorted(
            (-self._final(number, match, whole), number)
            for number, match in matches.items()
            if not wanted or self._entries[number].server in wanted
        )
        return [
            Found(self._entries[number].server, self._entries[number].tool, -score)
            for score, number in ranked[:limit]
        ]

    def _best(self, alternatives: Mapping[str, float]) -> dict[int, tuple[float, str]]:
        """For each tool the alternative that says most there."""
        best: dict[int, tuple[float, str]] = {}
        for word, share in alternatives.items():
            worth = share * self._idf[word]
            for number, weight in self._postings[word].items():
                score = worth * weight
                if number not in best or score > best[number][0]:
                    best[number] = (score, word)
        return best

    def _final(self, number: int, match: _Match, whole: float) -> float:
        coverage = match.found / whole if whole else 0.0
        of_name = len(match.named) / max(1, len(self._names[number]))
        return match.score * (1 - _COVERAGE + _COVERAGE * coverage) * (1 + _NAME * of_name)

    # --- the question -------------------------------------------------------------------------------

    def _terms(self, query: str) -> list[dict[str, float]]:
        """For each word that says something what it may stand for, each with its share."""
        found = []
        for word in _joined(words_of(query)):
            alternatives = self._alternatives(word)
            if alternatives:
                found.append(alternatives)
        return found

    def _alternatives(self, word: str) -> dict[str, float]:
        word = translations().get(word, word)
        found: dict[str, float] = {}
        own = word if "_" in word else stem(word)
        self._add(found, own, 1.0)
        for part in word.split("_") if "_" in word else ():
            self._add(found, stem(part), 0.8)
        for place, other in enumerate(synonyms().get(own, ())):
            share = _SYNONYM if place < _NEAR else _FAR_SYNONYM
            parts = other.split("_")
            self._add(found, other, share)
            for part in parts:
                self._add(found, stem(part), share if len(parts) == 1 else share * 0.8)
        if own not in self._postings and "_" not in word:
            for other in self._speller.corrections(own):
                self._add(found, other, _SPELLING)
                for synonym in synonyms().get(other, ())[:_NEAR]:
                    self._add(found, stem(synonym), _SPELLING * _SYNONYM)
        return found

    def _add(self, found: dict[str, float], word: str, share: float) -> None:
        if word in self._postings:
            found[word] = max(share, found.get(word, 0.0))


def _joined(words: Sequence[str]) -> Iterator[str]:
    """Words that belong together as one; without those that say nothing."""
    place = 0
    while place < len(words):
        for length in (3, 2):
            whole = phrases().get(tuple(words[place : place + length]))
            if whole:
                yield whole
                place += length
                break
        else:
            if words[place] not in STOP_WORDS:
                yield words[place]
            place += 1


# --- a tool's words ---------------------------------------------------------------------------------


def _fields(entry: Entry) -> Iterator[tuple[str, list[str]]]:
    lead, rest = _split(entry.description)
    names, details = _argument_words(entry.schema)
    yield "name", _with_phrases(words_of_name(entry.tool))
    yield "title", list(stems(words_of(entry.title)))
    yield "lead", _with_phrases(words_of(lead))
    yield "description", list(stems(words_of(rest)))
    yield "arguments", list(stems(names))
    yield "details", list(stems(details))
    yield "server", list(stems(words_of_name(entry.server)))


def _with_phrases(words: list[str]) -> list[str]:
    return [*stems(words), *(word for word in _joined(words) if "_" in word)]


def _split(description: str) -> tuple[str, str]:
    """The first sentence, and the rest as far as it is worth reading."""
    text = description.strip()[:4000]
    ends = [end for mark in (". ", "\n", "; ") if (end := text.find(mark, 20)) >= 0]
    end = min([*ends, 240])
    return text[:end], text[end:]


def _argument_words(schema: str) -> tuple[list[str], list[str]]:
    names: list[str] = []
    details: list[str] = []
    try:
        parsed = json.loads(schema or "{}")
    except (ValueError, RecursionError):  # nested too deeply: found by its name and description
        return names, details
    _walk(parsed, names, details, 0)
    return names[:200], details[:600]


def _walk(part: Any, names: list[str], details: list[str], depth: int) -> None:
    if not isinstance(part, Mapping) or depth > 4:
        return
    properties = part.get("properties")
    for name, one in properties.items() if isinstance(properties, Mapping) else ():
        names += words_of_name(str(name))
        if isinstance(one, Mapping):
            details += words_of(str(one.get("description") or "")[:300])
            details += _choices(one)
            _walk(one, names, details, depth + 1)
            _walk(one.get("items"), names, details, depth + 1)


def _choices(part: Mapping[str, Any]) -> list[str]:
    values = part.get("enum")
    texts = [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
    return [word for text in texts[:50] for word in words_of_name(text)]
