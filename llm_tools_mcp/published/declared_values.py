"""Values as server.json declares them: fixed, with {variables} in them, or what somebody is to say."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from llm_tools_mcp.config.expansion import escaped

from .inputs import Input, Values
from .json_fields import Json, entries, flag, text, texts

_VARIABLE = re.compile(r"(\{[^{}]+\})")
_KINDS = {"number": "number", "boolean": "boolean", "filepath": "path"}


@dataclass(frozen=True, slots=True)
class Declared:
    """`parts` alternate: fixed text, the key of an input, fixed text, …"""

    parts: tuple[str, ...]
    inputs: tuple[Input, ...] = ()

    def filled(self, values: Values) -> tuple[str, ...]:
        """The texts for mcp.json: none where an answer is missing, several of several answers."""
        keys = self.parts[1::2]
        if not all(map(values.get, keys)):
            return ()
        count = max((len(values[key]) for key in keys), default=1)
        return tuple(
            "".join(self._part(values, index, round_) for index in range(len(self.parts)))
            for round_ in range(count)
        )

    def _part(self, values: Values, index: int, round_: int) -> str:
        part = self.parts[index]
        if index % 2 == 0:
            return escaped(part)
        return values[part][min(round_, len(values[part]) - 1)]


def fixed(value: str) -> Declared:
    return Declared((value,))


def declared(document: Json, key: str, *, variables: Json | None = None) -> Declared:
    """`document` is an Input of server.json: it has a `value`, or is asked for by the name of `key`."""
    own = _input(key, document)
    if not isinstance(document.get("value"), str):
        return Declared(("", key, ""), (own,))
    inputs = {
        name: _input(name, one)
        for name, one in entries({"variables": variables or document.get("variables")}, "variables").items()
    }
    return _with_variables(text(document, "value"), inputs, own)


def _with_variables(value: str, known: dict[str, Input], whole: Input) -> Declared:
    parts = [""]
    used: dict[str, Input] = {}
    for piece in _VARIABLE.split(value):
        name = piece[1:-1]
        if piece.startswith("{") and name in known:
            parts += [name, ""]
            used[name] = _part_of(known[name], whole)
        else:
            parts[-1] += piece
    return Declared(tuple(parts), tuple(used.values()))


def _part_of(variable: Input, whole: Input) -> Input:
    is_required = variable.is_required or (whole.is_required and not variable.defaults)
    return replace(
        variable,
        is_required=is_required,
        is_secret=variable.is_secret or whole.is_secret,
        is_repeated=whole.is_repeated,
        description=variable.description or whole.description,
    )


def _input(key: str, document: Json) -> Input:
    default = document.get("default")
    if isinstance(default, bool):
        default = "true" if default else "false"
    hint = text(document, "placeholder")
    description = text(document, "description")
    return Input(
        key=key,
        description=f"{description} (such as {hint})".strip() if hint else description,
        kind=_KINDS.get(text(document, "format"), "string"),
        is_required=flag(document, "isRequired"),
        is_secret=flag(document, "isSecret"),
        is_repeated=flag(document, "isRepeated"),
        defaults=(str(default),) if isinstance(default, str | int | float) and default != "" else (),
        choices=tuple(texts(document, "choices")),
    )


def unique(inputs: list[Input]) -> tuple[Input, ...]:
    """One question for each key, in their order; what any of them says of need and secrecy counts."""
    found: dict[str, Input] = {}
    for one in inputs:
        former = found.get(one.key)
        found[one.key] = (
            one
            if former is None
            else replace(
                former,
                is_required=former.is_required or one.is_required,
                is_secret=former.is_secret or one.is_secret,
                defaults=former.defaults or one.defaults,
            )
        )
    return tuple(found.values())
