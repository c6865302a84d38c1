"""What text costs a model, estimated: no tokenizer is the same as another, and none is small."""

from __future__ import annotations

# Of the definitions of 730 tools of 34 servers: names, sentences and JSON.
_CHARACTERS_PER_TOKEN = 3.4
# Characters of a description that reach a model: OpenAI takes no more.
LONGEST_DESCRIPTION = 1024


def tokens_of(name: str, description: str, schema: str) -> int:
    """About as many tokens as models see in a tool's definition; some take a third more."""
    characters = len(name) + min(len(description), LONGEST_DESCRIPTION) + len(schema)
    return round(characters / _CHARACTERS_PER_TOKEN)


def shown_tokens(count: int) -> str:
    """`~950`, `~4,200`, `~320k`."""
    if count >= 100_000:
        return f"~{count / 1000:.0f}k"
    return f"~{round(count, -2 if count >= 1000 else -1):,}"
