"""What may be shown of a text that is anybody's: a terminal obeys what it is sent, and so does a model.

Names of servers and tools, their descriptions and messages are cleaned here, for daemon and clients.
"""

from __future__ import annotations

import re
from functools import cache

# Escape sequences of ECMA-48 (colours, cursor), and of OSC (titles, links).
_ESCAPES = r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|\[[0-?]*[ -/]*[@-~]|[@-Z\\^_])"
# C0 and C1 controls other than tab and newline.
_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
# Unicode's Default_Ignorable_Code_Point: marks of direction, zero width, fillers, tags. Nobody sees them,
# and a model reads them. With the marks of annotations, and the blank of Braille.
_INVISIBLE = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    r"\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# How a character is to be drawn, as with emoji: once is a wish, a row of them is a message.
_VARIATIONS = r"(?<=[\ufe0e\ufe0f])[\ufe0e\ufe0f]+"
# The separators of lines and paragraphs, which end a line for str.splitlines as "\n" does.
_SEPARATORS = str.maketrans("\u2028\u2029", "\n\n")
# Names that cannot be taken for more than a name.
_SIMPLE = r"(?a)[\w.$@/-]+"


def plain(text: str) -> str:
    """Text without escape sequences, controls and what nobody sees; newlines and tabs stay.

    U+2028 and U+2029 become newlines: no other character ends a line. Half characters (U+D800 to U+DFFF)
    cannot be written anywhere, and become question marks.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = _unwanted().sub("", text.replace("\r\n", "\n")).translate(_SEPARATORS)
    return kept.encode("utf-8", "replace").decode()


def visible(text: str) -> str:
    """For a decision: one line, with all that `plain` would leave out, or that ends lines, as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return _unseen().sub(lambda found: ascii(found[0])[1:-1], text)


def visible_name(name: str) -> str:
    """The same of a name, in quotes where it could be taken for more: `"a: 1, b"`."""
    return name if re.fullmatch(_SIMPLE, name) else f'"{visible(name)}"'


@cache
def _unwanted() -> re.Pattern[str]:
    """Compiled when it is first needed: names are ASCII."""
    return re.compile(f"{_ESCAPES}|[{_CONTROLS}{_INVISIBLE}]|{_VARIATIONS}")


@cache
def _unseen() -> re.Pattern[str]:
    return re.compile(rf"{_ESCAPES}|[\n\u2028\u2029\ud800-\udfff{_CONTROLS}{_INVISIBLE}]|{_VARIATIONS}")
