"""What text costs a model, estimated: no tokenizer is the same as another, and none is small."""

from __future__ import annotations

# Of the definitions of 730 tools of 34 servers: names, sentences and JSON.
_CHARACTERS_PER_TOKEN = 3.4


def tokens_of(*texts: str) -> int:
    """About as many tokens as models see in it; some take a third more."""
    return round(sum(map(len, texts)) / _CHARACTERS_PER_TOKEN)


def shown_tokens(count: int) -> str:
    """`~950`, `~4,200`, `~320k`."""
    if count >= 100_000:
        return f"~{count / 1000:.0f}k"
    return f"~{round(count, -2 if count >= 1000 else -1):,}"
