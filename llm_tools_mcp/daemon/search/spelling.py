"""What a misspelt or shortened word was meant to be, among the words that there are."""

from __future__ import annotations

from collections.abc import Iterable

_MOST = 4
# How much farther than the nearest one another may be.
_MARGIN = 0.3


class Speller:
    """Knows the words that there are."""

    def __init__(self, *vocabularies: Iterable[str]) -> None:
        # Almost nobody mistypes the first letter, and it spares most of the comparisons.
        self._by_letter: dict[str, list[tuple[str, int]]] = {}
        for word in dict.fromkeys(word for words in vocabularies for word in words):
            if len(word) > 2 and word.isalpha():
                self._by_letter.setdefault(word[0], []).append((word, _letters(word)))

    def corrections(self, word: str) -> list[str]:
        """The likeliest first: what it begins, what is few edits away, what it shortens."""
        if len(word) < 2:
            return []
        letters = _letters(word)
        costs = {
            other: _cost(word, other, (letters ^ others).bit_count())
            for other, others in self._by_letter.get(word[0], ())
        }
        found = {other: cost for other, cost in costs.items() if cost is not None}
        ranked = sorted(found, key=lambda other: (found[other], len(other)))[:_MOST]
        return [other for other in ranked if found[other] <= found[ranked[0]] + _MARGIN]


def _letters(word: str) -> int:
    """Which letters are in it, a bit each: to compare these is a hundred times as fast as to count edits."""
    return sum({1 << ord(letter) % 61 for letter in word})


def _cost(word: str, other: str, unshared: int) -> float | None:
    """How far `other` is from what was typed; None where it cannot be meant.

    `unshared`: how many letters only one of them has.
    """
    if len(word) >= 3 and other.startswith(word):
        return 0.5 + 0.02 * (len(other) - len(word))
    if abs(len(word) - len(other)) <= 2 and len(word) >= 4:
        most = 1 if len(word) < 6 else 2
        edits = _edits(word, other, most) if unshared <= 2 * most else most + 1
        if edits <= most:
            return float(edits)
    if len(word) <= 5 and _is_abbreviation(word, other):
        return 1.5 + 0.05 * (len(other) - len(word))
    return None


def _is_abbreviation(word: str, other: str) -> bool:
    """Its letters in order, vowels left out: cmd, msg."""
    if any(letter in "aeiou" for letter in word[1:]):
        return False
    letters = iter(other)
    return all(letter in letters for letter in word) and len(other) <= 3 * len(word)


def _edits(first: str, second: str, most: int) -> int:
    """Insertions, deletions, changes and swaps of neighbours; more than `most` is not counted out."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, one in enumerate(first, 1):
        current = [i]
        for j, other in enumerate(second, 1):
            cost = min(row[j] + 1, current[j - 1] + 1, row[j - 1] + (one != other))
            if i > 1 and j > 1 and one == second[j - 2] and first[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        if min(current) > most:
            return most + 1
        before, row = row, current
    return row[-1]
