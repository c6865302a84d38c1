"""Tokens that lie open in an entry of mcp.json: where they stand, and the entry without them."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from llm_tools_mcp.config.secret_arguments import TELLING, holds_token, secret_args

Json = dict[str, Any]

_QUERY = re.compile(r"[?&]([^=&#]+)=([^&#]+)")
_PASSWORD = re.compile(r"://[^/?#:@]*:([^/?#@]+)@")
_SCHEME = re.compile(r"(?:Bearer|Basic|token)\s+(?=\S)", re.IGNORECASE)
# MAX_TOKENS=4000, AUTH=none, KEY_FILE=~/.ssh/id: told by names that announce secrets, and none.
_SETTING = re.compile(r"\d{1,7}|true|false|yes|no|on|off|none|null|auto|(?:~|\.{1,2})?/.*", re.IGNORECASE)
_OAUTH = ("clientSecret", "privateKey", "idpClientSecret", "idToken")


@dataclass(frozen=True, slots=True)
class Literal:
    """A secret. `place` leads to the text that holds it: `("env", "TOKEN")`, `("args", 3)`, `("url",)`."""

    place: tuple[str | int, ...]
    value: str = field(repr=False)
    variable: str

    @property
    def key(self) -> str:
        return ".".join(map(str, self.place)) if self.place[0] != "args" else "args"

    def within(self, entry: Any) -> Any:
        """The text that holds it. Raises LookupError, TypeError for an entry of another form."""
        for step in self.place:
            entry = entry[step]
        return entry

    def put(self, entry: Json, text: str) -> Json:
        """The entry with another text in that place."""
        changed = copy.deepcopy(entry)
        *way, last = self.place
        holder: Any = changed
        for step in way:
            holder = holder[step]
        holder[last] = text
        return changed

    def replaced(self, entry: Json, placeholder: str) -> Json:
        """The entry with the placeholder in the secret's stead."""
        return self.put(entry, self.within(entry).replace(self.value, placeholder))

    @property
    def advice(self) -> str:
        if self.place[0] in ("args", "url"):
            return f"a token stands in its {self.key}: better as ${{VAR}}"
        return f"{self.key} is a literal token: better as ${{{self.variable}}}"


def literals(entry: Json) -> list[Literal]:
    """In the order of the entry's keys. What holds a placeholder already is left alone."""
    return [one for one in _found(entry) if one.value and "${" not in one.value]


def same_but_for_tokens(entry: Json, kept: Any) -> bool:
    """Whether `kept` is the entry, with placeholders where tokens stood."""
    for literal in literals(entry):
        try:
            text = literal.within(kept)
        except (LookupError, TypeError):
            return False
        if isinstance(text, str) and "${" in text:
            entry = literal.put(entry, text)
    return bool(entry == kept)


def _found(entry: Json) -> Iterator[Literal]:
    for key in ("env", "headers"):
        for name, value in _texts(entry.get(key)).items():
            secret = _SCHEME.sub("", value, count=1) if key == "headers" else value
            if "${" not in value and _is_secret(name, secret):
                yield Literal((key, name), secret, _variable(name))
    yield from _in_args(entry.get("args"))
    for key in ("url", "serverUrl", "httpUrl"):
        if isinstance(entry.get(key), str):
            yield from _in_url(key, entry[key])
    oauth = _texts(entry.get("oauth"))
    yield from (Literal(("oauth", key), oauth[key], _variable(key)) for key in _OAUTH if key in oauth)


def _in_args(args: Any) -> Iterator[Literal]:
    words = [str(word) for word in args] if isinstance(args, list) else []
    for index, word in enumerate(words):
        before = words[index - 1 : index] if index else []
        for secret in list(secret_args([*before, word]))[len(list(secret_args(before))) :]:
            if isinstance(args[index], str) and "${" not in word and not _SETTING.fullmatch(secret):
                yield Literal(("args", index), secret, _variable(_announcing(word, "".join(before))))


def _announcing(word: str, before: str) -> str:
    """What says that it is a secret: `TOKEN=…`, `X-Key: …`, `--api-key` in front of it."""
    name = re.match(r"([\w-]{1,60})\s?[=:]", word)
    return name[1] if name else before if before.startswith("-") else ""


def _in_url(key: str, url: str) -> Iterator[Literal]:
    for found in _QUERY.finditer(url):
        if _is_secret(found[1], found[2]):
            yield Literal((key,), found[2], _variable(found[1]))
    for found in _PASSWORD.finditer(url):
        yield Literal((key,), found[1], "PASSWORD")


def _is_secret(name: str, value: str) -> bool:
    if holds_token(value):
        return True
    return bool(value and TELLING.search(name)) and not _SETTING.fullmatch(value)


def _variable(name: str) -> str:
    """As an environment variable would be called."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").upper()
    return "TOKEN" if words in ("", "AUTHORIZATION") else words


def _texts(value: Any) -> dict[str, str]:
    found = value.items() if isinstance(value, dict) else ()
    return {name: text for name, text in found if isinstance(text, str)}
