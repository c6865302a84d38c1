"""What a person reads. Names of servers and tools are anybody's, and a terminal obeys what it is sent."""

from __future__ import annotations


def plain(text: str) -> str:
    """Text that cannot drive a terminal: without controls and marks of direction; newlines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(character for character in text if character.isprintable() or character in "\n\t")
