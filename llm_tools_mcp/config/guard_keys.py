"""Keys that keep a model from something. One that is misspelt would guard nothing, and nobody would know."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from .problems import Problem

GUARDS = ("approve", "disabled", "disabledTools", "enabledTools", "excludeTools", "includeTools")
# How alike they are, from 0 to 1: one letter more, less or other. Keys of other clients are farther away.
_LIKENESS = 0.85


def misspelt_guards(
    keys: Iterable[str], known: Container[str], guards: Iterable[str] = GUARDS, server: str | None = None
) -> Iterator[Problem]:
    """A problem for each key that is none of the `known` ones and looks like a guard."""
    unknown = [key for key in keys if key not in known]
    if not unknown:
        return
    from difflib import get_close_matches  # 2 ms that only a config with such keys pays

    for key in unknown:
        if meant := get_close_matches(key, list(guards), n=1, cutoff=_LIKENESS):
            yield Problem(
                f"is unknown; did you mean {meant[0]!r}? As it stands it guards nothing", server, key
            )
