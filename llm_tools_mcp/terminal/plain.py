"""What a person reads. Names of servers and tools are anybody's, and a terminal obeys what it is sent."""

from __future__ import annotations

import re

# Compiled when they are first needed: names are printable.
_ESCAPES = r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|\[[0-?]*[ -/]*[@-~]|[@-Z\\^_])"
# Controls other than tab and newline, and marks of direction.
_CONTROLS = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"


def plain(text: str) -> str:
    """Text that cannot drive a terminal: without escape sequences, controls and marks of direction.

    Half characters (U+D800 to U+DFFF) cannot be written anywhere, and become question marks.
    """
    if text.isprintable():
        return text
    return re.sub(_CONTROLS, "", re.sub(_ESCAPES, "", text)).encode("utf-8", "replace").decode()
