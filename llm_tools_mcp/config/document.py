"""The JSON of a config as people write it, with comments and trailing commas, and what stands in it."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any, NoReturn

from llm_tools_mcp.errors import ConfigError

# Of rapidjson, in the words of Python's reader, which reads the plain JSON.
_WORDS = {
    "Invalid value": "Expecting value",
    "Missing a name for object member": "Expecting property name enclosed in double quotes",
    "Missing a colon after a name of object member": "Expecting ':' delimiter",
    "Missing a comma or '}' after an object member": "Expecting ',' delimiter",
    "Missing a comma or ']' after an array element": "Expecting ',' delimiter",
}
# Levels of a config; a schema in it has a dozen.
_MAX_DEPTH = 100


def decoded(path: str, text: str) -> Any:
    """Read JSON, or JSON with comments. Raises ConfigError, with the place of the mistake.

    The reader's own error is let go before: it holds the text, and with it the tokens in `env`.
    """
    if not text.strip():
        raise _refusal(path, "it is empty (line 1, column 1)")
    if "\0" in text:  # of which rapidjson would read what stands before it
        raise _refusal(path, "it holds NUL characters; if it is UTF-16, save it as UTF-8")
    line = 0
    try:
        return _within_depth(path, text, json.loads(text, parse_constant=_refuse_constant))
    except json.JSONDecodeError as error:
        line, reason = error.lineno, _placed(error.msg, error.lineno, error.colno, text[error.pos :])
    except RecursionError:
        reason = "nested too deeply"
    except ValueError as error:  # NaN and its kin, or a number of thousands of digits
        reason = "a number has too many digits" if "digits" in str(error) else str(error)
    if line:
        return _decoded_with_comments(path, text, line, reason)
    raise _refusal(path, reason)


def _within_depth(path: str, text: str, document: Any) -> Any:
    """What walks through it calls itself for each level, and Python lets it do so a thousand times."""
    if _looks_deep(text) and _is_deep(document):
        raise _refusal(path, "nested too deeply")
    return document


def _looks_deep(text: str) -> bool:
    """Brackets within strings count, too; to walk through thousands of entries takes far longer."""
    if text.count("[") + text.count("{") <= _MAX_DEPTH:
        return False
    steps = (1 if sign in "[{" else -1 for sign in re.findall(r"[][{}]", text))
    return max(accumulate(steps), default=0) > _MAX_DEPTH


def _is_deep(document: Any) -> bool:
    level = [document]
    for _ in range(_MAX_DEPTH):
        inner = (
            one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)
        )
        level = [value for values in inner for value in values]
    return bool(level)


def _refusal(path: str, reason: str) -> ConfigError:
    from .advice import about_language

    return ConfigError(path, f"not valid JSON: {reason}{about_language(path)}")


def named_entries(text: str) -> dict[str, Any]:
    """The servers by name as they are written, those that are not in use too; none where it is no config."""
    try:
        servers = decoded("", text)["mcpServers"]
    except (ConfigError, LookupError, TypeError):
        return {}
    return servers if isinstance(servers, dict) else {}


def wants_search(text: str) -> bool:
    """`"search": true` at the top: models search for tools instead of being given all of them."""
    if '"search"' not in text:
        return False
    try:
        top = decoded("", text)
    except ConfigError:
        return False
    return isinstance(top, dict) and top.get("search") is True


def is_disabled(entry: object) -> bool:
    """`disabled: true`, or `enabled: false`, as other clients write it."""
    return isinstance(entry, dict) and (entry.get("disabled") is True or entry.get("enabled") is False)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _decoded_with_comments(path: str, text: str, line: int, complaint: str) -> Any:
    """`line` and `complaint` are of the strict reader, and better where both stop at the same line."""
    import rapidjson  # most configs are plain JSON

    mode = rapidjson.PM_COMMENTS | rapidjson.PM_TRAILING_COMMAS
    try:  # NM_NATIVE refuses NaN; without NM_NAN the other modes refuse trailing commas too (1.25)
        document = rapidjson.loads(text, parse_mode=mode, number_mode=rapidjson.NM_NATIVE)
        return _within_depth(path, text, document)
    except RecursionError:
        reason = "nested too deeply"
    except ValueError as error:
        reason = _described(text, str(error), line) or complaint
    raise _refusal(path, reason)


def _described(text: str, message: str, strict_line: int) -> str:
    """`Parse error at offset 20: …`, which counts bytes, with the place as editors show it."""
    offset, _, complaint = message.removeprefix("Parse error at offset ").partition(": ")
    if not offset.isdigit():
        return ""
    before = text.encode("utf-8", "surrogatepass")[: int(offset)].decode("utf-8", "ignore")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    words = _WORDS.get(complaint.rstrip("."), complaint.rstrip("."))
    rest = text[len(before) :]
    return _placed(words, line, column, rest) if line > strict_line else ""


def _placed(complaint: str, line: int, column: int, rest: str) -> str:
    """With the place, and what looks like a quotation mark or a space there, and is none."""
    import unicodedata

    odd = unicodedata.name(rest[0], "") if rest[:1] > "\x7f" else ""
    seen = f": there is a {odd}" if odd else ""
    return f"{complaint}{seen} (line {line}, column {column})"
