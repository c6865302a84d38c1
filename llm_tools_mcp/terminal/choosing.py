"""A question with a few answers, each of which is one key, and each of which is explained when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .tty import Tty

_EXPLAIN = "?"


@dataclass(frozen=True, slots=True)
class Option:
    """`letter` and `word` are what is typed, `also` what else; `meaning` says what comes of it."""

    letter: str
    word: str
    meaning: str
    also: tuple[str, ...] = ()

    def shown(self, *, is_first: bool) -> str:
        """`[y]es`; the letter is a capital where Enter means it."""
        letter = self.letter.upper() if is_first else self.letter
        rest = self.word[1:] if self.word.startswith(self.letter) else f" {self.word}"
        return f"[{letter}]{rest}"

    def is_meant(self, typed: str) -> bool:
        return typed in (self.letter, self.word, *self.also)


def choose(tty: Tty, prompt: str, options: Sequence[Option]) -> str:
    """The letter of one of them. Enter means the first; Ctrl-D raises EndOfInput."""
    listed = ", ".join(option.shown(is_first=option is options[0]) for option in options)
    while True:
        typed = tty.ask(f"{prompt} {listed}, [{_EXPLAIN}] > ").lower()
        if not typed:
            return options[0].letter
        for option in options:
            if option.is_meant(typed):
                return option.letter
        if typed == _EXPLAIN:
            _explain(tty, options)
        else:
            tty.print(f"Type one of: {', '.join(option.letter for option in options)}; ? explains them")


def _explain(tty: Tty, options: Sequence[Option]) -> None:
    for option in options:
        tty.print(f"  {option.letter}  {option.meaning}")
    tty.print(f"  Enter alone means {options[0].letter}; Ctrl-D gives the question up.")
