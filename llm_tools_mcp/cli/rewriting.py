"""A JSON text changed in place: what is not changed keeps its comments, its order and its layout.

As in VS Code's jsonc-parser: two documents are compared, and each difference is an edit of the text. The
text has been read before: here it is known to be JSON, with comments and trailing commas at most.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

_TOKEN = re.compile(r'\s+|//[^\r\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|[{}\[\],:]|[^\s{}\[\],:"/]+', re.DOTALL)
# What follows a member in its line and belongs to it.
_REST_OF_LINE = re.compile(r"[ \t]*(?:/\*(?:[^*\n]|\*(?!/))*\*/[ \t]*)*(?://[^\r\n]*)?(?=\r?\n)")
_BLANK = re.compile(r"[ \t]*")
# Characters of an array or object that is written in one line, if the one before it was.
_LINE = 80


class _Member(NamedTuple):
    key: str
    start: int
    key_end: int
    value: int
    end: int
    comma: int  # behind it, or 0


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Object:
    members: list[_Member]
    start: int
    close: int  # of its closing brace

    def renamed(self, old: str, new: str) -> _Object:
        members = [one._replace(key=new) if one.key == old else one for one in self.members]
        return replace(self, members=members)


def rewritten(text: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    """The text of `before`, changed into one of `after`."""
    if not text.strip() or not _has_layout(text):
        return _dumped(after, _indent(text), "") + "\n"
    line_end = "\r\n" if "\r\n" in text else "\n"
    edits = _Rewriting(text, _indent(text)).edits(_opening(text), before, after)
    parts: list[str] = []
    position = 0
    for start, end, replacement in sorted(edits, key=lambda edit: edit[:2]):
        parts += text[position:start], replacement.replace("\n", line_end)
        position = end
    return "".join([*parts, text[position:]])


def repeated_keys(text: str) -> list[str]:
    """Keys that stand twice in one object: JSON allows it, and every reader keeps the last one only."""
    repeated: list[str] = []
    inside: list[set[str]] = []
    last = ""
    for token in _tokens(text):
        word = token[0]
        if word in ("{", "["):
            inside.append(set())
        elif word in ("}", "]"):
            inside.pop()
        elif word == ":":
            if last in inside[-1]:
                repeated.append(str(json.loads(last)))
            inside[-1].add(last)
        last = word
    return repeated


class _Rewriting:
    def __init__(self, text: str, indent: str) -> None:
        self._text, self._indent = text, indent

    def edits(self, start: int, before: dict[str, Any], after: dict[str, Any]) -> Iterator[_Edit]:
        """Those of the object that begins there."""
        found = _object(self._text, start)
        if list(before) != list(after) and (names := _renamed(before, after)):
            member = next(member for member in found.members if member.key == names[0])
            yield _Edit(member.start, member.key_end, _json(names[1]))
            before = {names[1] if key == names[0] else key: value for key, value in before.items()}
            found = found.renamed(*names)
        added = {key: value for key, value in after.items() if key not in before}
        inside = self._text[start : found.close]
        if (not after and not _has_comments(inside)) or (added and not _has_layout(inside)):
            yield _Edit(start, found.close + 1, self._whole(start, after))
            return
        kept = [member for member in found.members if member.key in after]
        for member in found.members:
            if member.key not in after:
                yield self._without(member)
        for member in kept:
            yield from self._changed(member, before[member.key], after[member.key])
        yield from self._appended(found, kept, added)

    def _changed(self, member: _Member, before: Any, after: Any) -> Iterator[_Edit]:
        if _json(before) == _json(after):
            return
        if isinstance(before, dict) and isinstance(after, dict):
            yield from self.edits(member.value, before, after)
            return
        is_inline = "\n" not in self._text[member.value : member.end]
        text = self._whole(member.start, after) if is_inline else self._spread(member.start, after)
        are_lists = isinstance(before, list) and isinstance(after, list)
        if are_lists and after and _ends_with_comma(self._text[member.value : member.end - 1]):
            text = f"{text[:-1].rstrip()},{text[len(text[:-1].rstrip()) :]}"
        yield _Edit(member.value, member.end, text)

    def _whole(self, start: int, value: Any) -> str:
        """In one line, as what it replaces, unless it is long or holds objects."""
        inline = _json(value)
        return inline if len(inline) <= _LINE and "{" not in inline[1:] else self._spread(start, value)

    def _spread(self, start: int, value: Any) -> str:
        return _dumped(value, self._indent, self._margin(start))

    def _without(self, member: _Member) -> _Edit:
        """Its line goes with it where nothing else stands there."""
        end = member.comma or member.end
        line = self._text.rfind("\n", 0, member.start) + 1
        rest = _BLANK.match(self._text, end)
        assert rest is not None
        newline = re.compile(r"\r?\n").match(self._text, rest.end())
        if newline and not self._text[line : member.start].strip():
            return _Edit(line, newline.end(), "")
        return _Edit(member.start, rest.end(), "")

    def _appended(self, found: _Object, kept: list[_Member], added: dict[str, Any]) -> Iterator[_Edit]:
        last = kept[-1] if kept else None
        if last is not None and added and not last.comma:
            yield _Edit(last.end, last.end, ",")
        ends_with_comma = bool(found.members and found.members[-1].comma)  # as its writer likes it
        if last is not None and last.comma and not added and not ends_with_comma:
            yield _Edit(last.comma - 1, last.comma, "")
        if added and last and "\n" not in self._text[found.start : found.close]:
            text = ", ".join(f"{_json(key)}: {_json(value)}" for key, value in added.items())
            place = last.comma or last.end
            yield _Edit(place, place, f" {text}," if ends_with_comma else f" {text}")
        elif added:
            margin = self._margin(last.start) if last else self._margin(found.start) + self._indent
            lines = [
                f"{margin}{_json(key)}: {_dumped(value, self._indent, margin)}"
                for key, value in added.items()
            ]
            text = ",\n".join(lines)
            yield self._inserted(found, last, f"{text}," if ends_with_comma else text)

    def _inserted(self, found: _Object, last: _Member | None, text: str) -> _Edit:
        """Behind the last member and the rest of its line, or behind what an empty object holds."""
        if last is None:
            line = self._text.rfind("\n", 0, found.close) + 1
            if not self._text[line : found.close].strip():
                return _Edit(line, line, f"{text}\n")
            return _Edit(found.close, found.close, f"\n{text}\n{self._margin(found.start)}")
        end = last.comma or last.end
        rest = _REST_OF_LINE.match(self._text, end)
        place = rest.end() if rest else end
        return _Edit(place, place, f"\n{text}")

    def _margin(self, position: int) -> str:
        """The white space at the beginning of the line."""
        line = self._text.rfind("\n", 0, position) + 1
        blank = _BLANK.match(self._text, line)
        return blank[0] if blank else ""


def _renamed(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, str] | None:
    """The old and the new name, where that is the only difference."""
    pairs = [(old, new) for old, new in zip(before, after, strict=False) if old != new]
    if len(before) != len(after) or len(pairs) != 1:
        return None
    old, new = pairs[0]
    return (old, new) if _json(before[old]) == _json(after[new]) else None


# --- the text ---------------------------------------------------------------------------------------


def _tokens(text: str, start: int = 0) -> Iterator[re.Match[str]]:
    """Without white space and comments."""
    return (token for token in _TOKEN.finditer(text, start) if not re.match(r"\s|/[/*]", token[0]))


def _opening(text: str) -> int:
    return next(_tokens(text)).start()


def _object(text: str, start: int) -> _Object:
    members: list[_Member] = []
    tokens = _tokens(text, start)
    next(tokens)
    for token in tokens:
        if token[0] == "}":
            return _Object(members, start, token.start())
        if token[0] == ",":
            members[-1] = members[-1]._replace(comma=token.end())
            continue
        next(tokens)  # the colon
        first = next(tokens)
        end = _value_end(tokens, first)
        members.append(_Member(json.loads(token[0]), token.start(), token.end(), first.start(), end, 0))
    raise AssertionError("unreachable")


def _value_end(tokens: Iterator[re.Match[str]], first: re.Match[str]) -> int:
    depth, token = 0, first
    while True:
        depth += (token[0] in ("{", "[")) - (token[0] in ("}", "]"))
        if depth == 0:
            return token.end()
        token = next(tokens)


def _has_layout(text: str) -> bool:
    """Whether there is something to keep: lines, comments, or commas at ends."""
    if "\n" in text.strip() or _has_comments(text):
        return True
    words = [token[0] for token in _tokens(text)]
    return _ends_with_comma(text) or any(
        word == "," and after in ("}", "]") for word, after in itertools.pairwise(words)
    )


def _has_comments(text: str) -> bool:
    return any(token[0].startswith(("//", "/*")) for token in _TOKEN.finditer(text))


def _ends_with_comma(text: str) -> bool:
    """Of an array or object without its closing bracket."""
    return [*_tokens(text)][-1][0] == ","


def _indent(text: str) -> str:
    """As the text has it: the first line that is indented tells."""
    found = re.search(r"^([ \t]+)[^\s/*]", text, re.MULTILINE)
    if found is None:
        return "  "
    return "\t" if found[1].startswith("\t") else found[1]


def _dumped(value: Any, indent: str, margin: str) -> str:
    """In several lines, of which all but the first have the margin in front."""
    return _json(value, indent).replace("\n", f"\n{margin}")


def _json(value: Any, indent: str | None = None) -> str:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # JSON can write half of a pair, \\ud800, and UTF-8 cannot
        return json.dumps(value, indent=indent)
    return text
