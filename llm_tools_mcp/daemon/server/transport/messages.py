"""JSON text → message. What a server wrote wrongly costs as little as it can.

Half characters and bytes that are no UTF-8 are replaced, and the rest is taken. An answer that cannot be
read at all fails its request at once, which would otherwise wait for its timeout.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pydantic_core import from_json

from llm_tools_mcp.daemon.failure import UNREADABLE
from llm_tools_mcp.daemon.server import sdk

from .link import Link, Verdict

# Half of a character beyond U+FFFF, as JavaScript writes it that has cut a text in two. Pydantic refuses it.
_PAIR = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONE_SURROGATE = re.compile(rb"(?<!\\)((?:\\\\)*)(?:(" + _PAIR + rb")|\\u[dD][89a-fA-F][0-9a-fA-F]{2})")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# The end of a piece of JSON that the next piece may continue to a pair, or to half of one.
_UNFINISHED = re.compile(
    rb"(?<!\\)(?:\\\\)*"
    rb"(\\(?:u(?:[0-9a-fA-F]{0,3}|[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?))?)\Z"
)
_LONGEST_UNFINISHED = len(rb"\ud83d\ude0")

# What an object's outline is made of: strings, and where values begin and end. A string that does not end
# goes to the end of the text: else each quotation mark in it would be looked at as the beginning of another.
_OUTLINE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_COLON = re.compile(r"\s*:")
_ID = re.compile(r'\s*:\s*(-?\d{1,18}\b|"[^"\\]{0,100}")')
_ID_AT_THE_END = re.compile(r',\s*"id"(?P<end>)\s*:\s*[^:,{}]+\}\Z')
# Tokens that are looked at: a fifth of a second. Then only the end is, where the SDK for node puts the id.
_MAX_TOKENS = 1_000_000
# Pydantic's words for text that is no JSON, by themselves or in an error of validation. They quote nothing.
_NO_JSON = re.compile(r"(?:\A|Invalid JSON: )([a-z ]+ at line \d+ column \d+)")

# The SDK's words before pydantic's.
_UNREADABLE = re.compile("Failed to parse (JSON response|SSE message):")


def parse(data: bytes, link: Link, what: str) -> sdk.SessionMessage | None:
    """None, and a line in the log, for what is no message. `what` describes it there."""
    link.note_size(len(data))
    try:
        return _parsed(data)
    except ValueError:
        pass
    data = mended(data)
    try:
        return _parsed(data)
    except ValueError as error:
        link.log(f"{what} of {len(data)} bytes is no JSON-RPC message; skipped")
        return _failed_answer(data, _unreadable(str(error)), link)


def _parsed(data: bytes) -> sdk.SessionMessage:
    # In two steps: validate_json() makes objects for each kind of message that it tries, 5 times as slow.
    message = sdk.mcp_types.jsonrpc_message_adapter.validate_python(from_json(data), by_name=False)
    return sdk.SessionMessage(message)


def _failed_answer(data: bytes, why: str, link: Link) -> sdk.SessionMessage | None:
    request_id = _answered(data.strip())
    if request_id is None:
        return None
    return sdk.error_message(request_id, link.error(Verdict.REFUSED, why))


def without_quotes(error: str) -> str:
    """The text of an error of the SDK's; pydantic's within quotes the server, secrets cut in two included."""
    return _unreadable(error) if _UNREADABLE.match(error) else error


def _unreadable(error: str) -> str:
    found = _NO_JSON.search(error)
    return f"{UNREADABLE} ({found[1]})" if found else UNREADABLE


# --- half characters --------------------------------------------------------------------------------


def mended(data: bytes) -> bytes:
    """UTF-8, with a replacement character instead of each half one."""
    try:
        data.decode()
    except UnicodeDecodeError:
        data = data.decode("utf-8", "replace").encode()
    return without_lone_surrogates(data)


def without_lone_surrogates(data: bytes) -> bytes:
    if not _SURROGATE.search(data):
        return data
    return _LONE_SURROGATE.sub(lambda found: found[1] + (found[2] or rb"\ufffd"), data)


class Mender:
    """`without_lone_surrogates` for a stream of JSON that comes in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> bytes:
        """As much as is certain."""
        data = self._rest + piece
        end = _certain(data)
        self._rest = data[end:]
        return without_lone_surrogates(data[:end])

    def end(self) -> bytes:
        """What is left."""
        rest, self._rest = self._rest, b""
        return without_lone_surrogates(rest)


def _certain(data: bytes) -> int:
    """Where the part of `data` ends that no following piece can change."""
    begin = len(data) - _LONGEST_UNFINISHED
    while begin > 0 and data[begin - 1] == ord("\\"):  # whether a backslash counts depends on all before it
        begin -= 1
    unfinished = _UNFINISHED.search(data, max(0, begin))
    return unfinished.start(1) if unfinished else len(data)


# --- which request a damaged answer is for ----------------------------------------------------------


def _answered(data: bytes) -> int | str | None:
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
