"""JSON text → messages. What a server wrote wrongly costs as little as it can.

Half characters and bytes that are no UTF-8 are replaced, and the rest is taken. An answer that cannot be
read at all fails its request at once, which would otherwise wait for its timeout.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from llm_tools_mcp.daemon.failure import UNREADABLE
from llm_tools_mcp.daemon.server import sdk

from .link import Link, Verdict
from .prescan import answered, has_method, has_more_parts

# Bytes of a message from which on it is read in a thread, so that others get their turns meanwhile.
_LARGE = 256 * 1024
# Values in one message: a million of them takes 0.2 s to read, and 250 MB to hold, however few the bytes.
MAX_PARTS = 1_000_000
# Bytes and values of a notification, or of a request of the server's: nobody has asked for them.
MAX_UNASKED = 1024 * 1024
_MAX_UNASKED_PARTS = 50_000

# Half of a character beyond U+FFFF, as JavaScript writes it that has cut a text in two. Pydantic refuses it.
_PAIR = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONE_SURROGATE = re.compile(rb"(?<!\\)((?:\\\\)*)(?:(" + _PAIR + rb")|\\u[dD][89a-fA-F][0-9a-fA-F]{2})")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# Pydantic's words for text that is no JSON. They quote nothing.
_NO_JSON = re.compile(r"\A([a-z ]+ at line \d+ column \d+)")
# Where a message may begin behind a text without a line end.
_BEGIN = b'{"'
_MAX_GLUED = 64 * 1024
# Its words for what is read nevertheless: a text or a message behind one, a tab within a text.
_MENDABLE = ("trailing characters", "control character")
_LENIENT = json.JSONDecoder(strict=False)
# Bytes of what is no message that are looked at for secrets, and characters that the log quotes.
_LOOKED_AT, _QUOTED = 4096, 200


@dataclass(slots=True)
class Parsed:
    """`complaint`, for the log, says what was skipped or mended."""

    messages: list[sdk.SessionMessage] = field(default_factory=list)
    complaint: str = ""
    said: str = ""  # text instead of JSON, or in front of it


async def read(
    data: bytes, link: Link, what: str, *, asked: int | str | None = None
) -> list[sdk.SessionMessage]:
    """The messages in it, and a line in the log for what is none. `what` describes it there.

    `asked`: the request that a result without an id is for.
    """
    link.note_size(len(data))
    if len(data) < _LARGE:
        parsed = parse(data, link, asked)
    else:
        parsed = await asyncio.to_thread(_parse_large, data, link, asked)
    if parsed.complaint:
        link.log(f"{what} of {len(data)} bytes {parsed.complaint}")
    if parsed.said:
        link.blurted(parsed.said)
    return [message for message in parsed.messages if _is_admitted(message, link)]


def _parse_large(data: bytes, link: Link, asked: int | str | None) -> Parsed:
    """Bytes do not bound what a message costs: `[[],[],…]` takes 27 times its size."""
    if has_method(data):
        if len(data) > MAX_UNASKED or has_more_parts(data, _MAX_UNASKED_PARTS):
            return Parsed(complaint="that nobody has asked for is too large; skipped")
    elif has_more_parts(data, MAX_PARTS):
        why = f"its result has more than {MAX_PARTS:,} parts"
        return Parsed(_failed_answer(data, link, Verdict.TOO_LARGE, why), f"is skipped: {why}")
    return parse(data, link, asked)


def parse(data: bytes, link: Link, asked: int | str | None = None) -> Parsed:
    """Reads text of any size, at once."""
    try:
        return Parsed([_message(from_json(data))])
    except ValueError:
        pass
    data = mended(data)
    try:
        value = from_json(data)
    except ValueError as error:
        return _of_no_json(data, link, str(error), asked)
    return _of_json(data, value, link, asked)


def _message(value: Any) -> sdk.SessionMessage:
    # Not validate_json(): it makes objects for each kind of message that it tries, 5 times as slow.
    return sdk.SessionMessage(sdk.mcp_types.jsonrpc_message_adapter.validate_python(value, by_name=False))


def _of_json(data: bytes, value: Any, link: Link, asked: int | str | None) -> Parsed:
    """A message, or a list of them: a batch, as JSON-RPC has it and MCP had it for a while."""
    parsed = Parsed()
    for one in value if isinstance(value, list) else [value]:
        try:
            parsed.messages.append(_message(_completed(one, asked)))
        except ValueError:
            parsed.complaint = "is no JSON-RPC message; skipped"
    if parsed.complaint and not isinstance(value, list):
        parsed.messages = _failed_answer(data, link, Verdict.REFUSED, UNREADABLE)
    return parsed


def _completed(value: Any, asked: int | str | None) -> Any:
    """With what careless servers leave out, and without what PHP writes for an object: []."""
    if not isinstance(value, dict):
        return value
    value = {**value, "jsonrpc": "2.0"}
    for name in ("params", "result"):
        if value.get(name) == []:
            value[name] = {}
    if "result" in value and not isinstance(value["result"], dict) and value.get("error") is None:
        bare = value["result"]  # as of functions that return a text, a list, or nothing
        value["result"] = {} if bare is None else {"content": bare}
    if value.get("error") is None:
        value.pop("error", None)
    else:
        value.pop("result", None)
        value["error"] = _completed_error(value["error"])
    if isinstance(value.get("id"), float) and value["id"].is_integer():
        value["id"] = int(value["id"])  # of languages that know no other numbers
    if value.get("id") is None and ("result" in value or "error" in value):
        value["id"] = asked if "result" in value else None
    return value


def _completed_error(error: Any) -> dict[str, Any]:
    if not isinstance(error, dict):
        return {"code": 0, "message": error if isinstance(error, str) else json.dumps(error)}
    code, message = error.get("code"), error.get("message")
    return {
        **error,
        "code": code if isinstance(code, int) else 0,
        "message": message if isinstance(message, str) else json.dumps(message or error),
    }


def _of_no_json(data: bytes, link: Link, error: str, asked: int | str | None) -> Parsed:
    is_object = data.lstrip().startswith(b"{")
    begin = data.find(_BEGIN, 0, _MAX_GLUED)
    if begin >= 0 and (not is_object or error.startswith(_MENDABLE)):
        parsed = _glued(data[begin:], asked)
        if parsed.messages:
            said = _quoted(data[:begin], link) or _quoted(parsed.said.encode(), link)
            return Parsed(parsed.messages, "has a text beside its message", said)
    messages = _failed_answer(data, link, Verdict.REFUSED, _unreadable(error))
    text = _quoted(data, link)
    is_text = not text.startswith(("{", "["))
    return Parsed(messages, "is no JSON-RPC message; skipped", text if is_text else "")


def _glued(data: bytes, asked: int | str | None) -> Parsed:
    """A message, or several one behind the other; what stands behind them is a text of the server's."""
    try:
        return Parsed([_message(_completed(from_json(data), asked))])
    except ValueError:
        parsed, end = Parsed(), 0
    if len(data) > MAX_UNASKED:  # what follows takes ten times as long
        return parsed
    text = data.decode("utf-8", "replace")
    while (begin := text.find('{"', end)) >= 0:
        try:
            value, end = _LENIENT.raw_decode(text, begin)
            value = from_json(json.dumps(value))  # it takes nothing that is nested too deeply
            parsed.messages.append(_message(_completed(value, asked)))
        except (ValueError, RecursionError):
            break
    parsed.said = text[end:]
    return parsed


def _quoted(data: bytes, link: Link) -> str:
    """Without secrets, which nobody knows again once they are cut in two."""
    return link.redacted(data[:_LOOKED_AT].decode("utf-8", "replace").strip())[:_QUOTED]


def _failed_answer(data: bytes, link: Link, verdict: Verdict, why: str) -> list[sdk.SessionMessage]:
    request_id = answered(data.strip())
    return [] if request_id is None else [sdk.error_message(request_id, link.error(verdict, why))]


def _unreadable(error: str) -> str:
    found = _NO_JSON.search(error)
    return f"{UNREADABLE} ({found[1]})" if found else UNREADABLE


# --- what is let through ----------------------------------------------------------------------------


def is_ours(item: sdk.SessionMessage) -> bool:
    """Whether it is a request that clients alone send: of a server it is an echo."""
    message = item.message
    if not isinstance(message, sdk.mcp_types.JSONRPCRequest):
        return False
    return message.method in ("initialize", "server/discover")


def _is_admitted(item: sdk.SessionMessage, link: Link) -> bool:
    message = item.message
    if not isinstance(message, sdk.mcp_types.JSONRPCNotification):
        return True
    if message.method == "notifications/message":
        return link.has_room_for_log()
    if message.method == "notifications/progress":
        return all(map(_is_number, _numbers(message.params or {})))
    return True


def _numbers(params: dict[str, Any]) -> Iterator[Any]:
    yield from (params[name] for name in ("progress", "total") if isinstance(params.get(name), int | float))


def _is_number(value: float) -> bool:
    """Whether the SDK can take it: an integer of 400 digits would end its loop, and all calls with it."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


# --- half characters --------------------------------------------------------------------------------


def mended(data: bytes) -> bytes:
    """UTF-8 without a mark of its order (BOM), with a replacement character instead of each half one."""
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        data.decode()
    except UnicodeDecodeError:
        data = data.decode("utf-8", "replace").encode()
    if not _SURROGATE.search(data):
        return data
    return _LONE_SURROGATE.sub(lambda found: found[1] + (found[2] or rb"\ufffd"), data)
