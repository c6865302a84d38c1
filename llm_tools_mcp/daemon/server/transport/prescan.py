"""What can be told of a message without parsing it: what kind it is, for which request, of how many parts.

It may be nested too deeply to be parsed, or hold so much that it should not be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

# What an object's outline is made of: strings, and where values begin and end. A string that does not end
# goes to the end of the text: else each quotation mark in it would be looked at as the beginning of another.
_OUTLINE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_COLON = re.compile(r"\s*:")
_ID = re.compile(r'\s*:\s*(-?\d{1,18}\b|"[^"\\]{0,100}")')
_ID_AT_THE_END = re.compile(r',\s*"id"(?P<end>)\s*:\s*[^:,{}]+\}\Z')
# Tokens that are looked at: a fifth of a second. Then only the end is, where the SDK for node puts the id.
_MAX_TOKENS = 1_000_000
# Around a method's name stands little: at the front, where all SDKs write it, or at the end. A value begins
# with no blank: else a row of blanks could be shared out in as many ways as its length squared.
_SHORT_VALUE = rb'(?:"[^"]{0,100}"|[^",{}\s][^",{}]{0,29})'
_METHOD_AT_THE_FRONT = re.compile(
    rb'\s*\{\s*(?:"(?:jsonrpc|id)"\s*:\s*' + _SHORT_VALUE + rb'\s*,\s*){0,2}"method"\s*:'
)
_METHOD_AT_THE_END = re.compile(
    rb'[,{]\s*"method"\s*:\s*"[^"]{0,100}"\s*'
    rb'(?:,\s*"(?:jsonrpc|id)"\s*:\s*' + _SHORT_VALUE + rb"\s*){0,2}\}\s*\Z"
)
_END = 1000
# What stands before each value but the first; and bytes of it that are looked at in one step, of 0.3 ms. In
# between other threads get their turn.
_SEPARATORS = (b",", b"[", b"{")
_STEP = 256 * 1024


def has_method(data: bytes) -> bool:
    """Whether it is a notification or a request; of a large one, as far as its ends tell."""
    return bool(_METHOD_AT_THE_FRONT.match(data) or _METHOD_AT_THE_END.search(data[-_END:]))


def has_more_parts(data: bytes, limit: int) -> bool:
    """Whether the JSON text has more values than that, of which each costs some hundred bytes to hold."""
    if not _has_more_separators(data, limit):  # also those within strings, which are no parts
        return False
    count = 0
    is_within = False  # a string
    for piece in _pieces(data):
        # Without what is escaped each quotation mark begins or ends a string.
        texts = piece.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        count += _separators(b"".join(texts[is_within::2]))
        is_within ^= len(texts) % 2 == 0
        if count > limit:
            return True
    return False


def _has_more_separators(data: bytes, limit: int) -> bool:
    count = 0
    for begin in range(0, len(data), _STEP):
        count += _separators(data[begin : begin + _STEP])
        if count > limit:
            return True
    return False


def _pieces(data: bytes) -> Iterator[bytes]:
    """None of them ends within an escape."""
    begin = 0
    while begin < len(data):
        end = begin + _STEP
        while data[end - 1 : end] == b"\\":
            end += 1
        yield data[begin:end]
        begin = end


def _separators(data: bytes) -> int:
    """Not by `count`, three times as slow before Python 3.13. To see that there are none is almost free."""
    if not any(one in data for one in _SEPARATORS):
        return 0
    return len(data) - len(data.translate(None, b"".join(_SEPARATORS)))


def answered(data: bytes) -> int | str | None:
    """The id of the answer that `data` is, found without parsing it: it may be nested too deeply for that."""
    if not (data.startswith(b"{") and data.endswith(b"}")):
        return None
    text = data.decode("utf-8", "replace")
    request_id: int | str | None = None
    is_answer = False
    for key, end in _keys(text):
        if key == '"method"':
            return None
        if key == '"id"':
            request_id = _id(_ID.match(text, end))
        is_answer = is_answer or key in ('"result"', '"error"')
        if is_answer and request_id is not None:
            break
    return request_id


def _keys(text: str) -> Iterator[tuple[str, int]]:
    """The keys of the outermost object, and where each ends; `id` may be missing of a long one."""
    depth = 0
    for number, token in enumerate(_OUTLINE.finditer(text)):
        if number == _MAX_TOKENS:
            if last := _ID_AT_THE_END.search(text, len(text) - 200):
                yield '"id"', last.start("end")
            return
        word = token[0]
        if word in "[{":
            depth += 1
        elif word in "]}":
            depth -= 1
        elif depth == 1 and _COLON.match(text, token.end()):
            yield word, token.end()


def _id(found: re.Match[str] | None) -> int | str | None:
    return json.loads(found[1]) if found else None
