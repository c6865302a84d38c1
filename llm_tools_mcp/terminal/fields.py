"""The fields of a form: a flat JSON Schema (MCP's elicitation), and what is typed into it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llm_tools_mcp.text.plain import plain

from .constraints import between, choices_problem, in_range, number_problem, text_problem, unmatched

# Longer input is no line that a person types.
_MAX_INPUT = 4000
_MAX_FIELDS = 64
_MAX_CHOICES = 200

_YES, _NO = ("y", "yes", "true", "1", "on"), ("n", "no", "false", "0", "off")
_INTEGER = re.compile(r"[+-]?\d{1,300}")
_NUMBER = re.compile(r"[+-]?(\d{1,300}(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_SECRET = re.compile(
    r"passw|passphrase|passcode|secret|(api|access|private|auth)[ _-]?key|token|credential"
    r"|credit[ _-]?card|card[ _-]?number|\b(cvv|cvc|pin|ssn|otp|iban)\b",
    re.IGNORECASE,
)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_. -]{1,40}")


class Wrong(ValueError):
    """What was typed does not fit; the text says why."""


class Unfit(ValueError):
    """The form cannot be shown; the text says why."""


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    title: str

    @property
    def shown(self) -> str:
        return plain(self.value if self.title in ("", self.value) else f"{self.title} ({self.value})")


@dataclass(frozen=True, slots=True)
class Field:
    """One question of a form. `kind`: text, integer, number, boolean, choice, or choices for several."""

    key: str
    kind: str
    schema: Mapping[str, Any]
    is_required: bool
    choices: tuple[Choice, ...] = ()
    default: Any = None  # None also for one that does not fit

    @property
    def name(self) -> str:
        """As it may be shown in a line of ours."""
        return self.key if _PLAIN_NAME.fullmatch(self.key) else json.dumps(self.key)[:42]

    @property
    def help(self) -> str:
        texts = [self.schema.get(word) for word in ("title", "description")]
        return "\n".join(dict.fromkeys(text for text in texts if isinstance(text, str) and text))

    @property
    def looks_secret(self) -> bool:
        is_text = self.kind in ("text", "integer")  # a description may say that no secret is meant
        return is_text and bool(_SECRET.search(f"{self.key} {self.schema.get('title', '')}"))

    def problem(self, value: Any) -> str:
        """Why the value does not fit, or nothing; but for the pattern of a text."""
        values = [choice.value for choice in self.choices]
        if self.kind == "text":
            return text_problem(self.schema, value)
        if self.kind in ("integer", "number"):
            return number_problem(self.schema, value)
        if self.kind == "boolean":
            return "" if isinstance(value, bool) else "yes or no is needed"
        if self.kind == "choice":
            return "" if value in values else "it is none of the choices"
        return choices_problem(self.schema, values, value)

    @property
    def expects(self) -> str:
        """In words, for the prompt."""
        return _EXPECTS[self.kind](self)


def fields_of(form: str) -> list[Field]:
    """The fields in their order. Raises Unfit."""
    try:
        schema = json.loads(form)
    except (ValueError, RecursionError):  # also for a number of more digits than Python reads
        raise Unfit("the form is no JSON that can be read") from None
    properties, required = schema.get("properties") or {}, schema.get("required") or []
    if not isinstance(properties, dict):
        raise Unfit("the form has no fields that could be read")
    if len(properties) > _MAX_FIELDS:
        raise Unfit(f"the form has more than {_MAX_FIELDS} fields")
    names = required if isinstance(required, list) else []
    return _with_defaults([_field(key, value, is_required=key in names) for key, value in properties.items()])


def _with_defaults(fields: list[Field]) -> list[Field]:
    """Those that fit; the patterns of all are tried together."""
    values = [field.schema.get("default") for field in fields]
    fitting = [
        index
        for index, (field, value) in enumerate(zip(fields, values, strict=True))
        if value is not None and not field.problem(value)
    ]
    texts = [index for index in fitting if fields[index].kind == "text"]
    problems = dict(
        zip(texts, unmatched([(fields[index].schema, values[index]) for index in texts]), strict=True)
    )
    return [
        replace(field, default=values[index]) if index in fitting and not problems.get(index) else field
        for index, field in enumerate(fields)
    ]


def _field(key: str, written: object, *, is_required: bool) -> Field:
    schema = _without_null(written if isinstance(written, dict) else {})
    if schema.get("type") == "array":
        items = schema.get("items")
        found = _choices(items if isinstance(items, dict) else {})
        if not found:
            raise Unfit(f"the field {key!a} is a list of anything, which a form cannot have")
        return Field(key, "choices", schema, is_required, found)
    if found := _choices(schema):
        return Field(key, "choice", schema, is_required, found)
    kind = schema.get("type", "string")
    if kind not in ("string", "integer", "number", "boolean"):
        raise Unfit(f"the field {key!a} is of the type {plain(str(kind))!a}, which a form cannot have")
    return Field(key, "text" if kind == "string" else kind, schema, is_required)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """`T | None`, as Python's servers write it, is a field that may be left out."""
    for word in ("anyOf", "oneOf"):
        options = schema.get(word)
        if isinstance(options, list) and {"type": "null"} in options:
            rest = [option for option in options if isinstance(option, dict) and option != {"type": "null"}]
            if len(rest) == 1:
                return {**rest[0], **{key: value for key, value in schema.items() if key != word}}
    return schema


def _choices(schema: Mapping[str, Any]) -> tuple[Choice, ...]:
    values, names = schema.get("enum"), schema.get("enumNames")
    if isinstance(values, list):
        titles = names if isinstance(names, list) and len(names) == len(values) else values
        pairs = list(zip(values, titles, strict=True))
    else:
        options = schema.get("oneOf") or schema.get("anyOf")
        listed = options if isinstance(options, list) else []
        known = [option for option in listed if isinstance(option, dict) and "const" in option]
        pairs = [(option["const"], option.get("title", option["const"])) for option in known]
    if len(pairs) > _MAX_CHOICES:
        raise Unfit(f"a field has more than {_MAX_CHOICES} choices")
    return tuple(Choice(value, str(title)) for value, title in pairs if isinstance(value, str))


# --- what is typed ----------------------------------------------------------------------------------


def parse(field: Field, text: str) -> Any:
    """The value that was typed. Raises Wrong."""
    if len(text) > _MAX_INPUT:
        raise Wrong(f"longer than {_MAX_INPUT} characters")
    value = _PARSERS[field.kind](field, "" if text == '""' else text)
    why = field.problem(value)
    if not why and field.kind == "text":
        (why,) = unmatched([(field.schema, value)])
    if why:
        raise Wrong(why)
    return value


def _integer(_: Field, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise Wrong("a whole number is needed, such as 12")
    return int(text)


def _number(_: Field, text: str) -> float | int:
    if _INTEGER.fullmatch(text):
        return int(text)
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise Wrong("a number is needed, such as 12 or 0.5")
    return float(text)


def _boolean(_: Field, text: str) -> bool:
    if text.lower() not in (*_YES, *_NO):
        raise Wrong("yes or no is needed")
    return text.lower() in _YES


def _choice(field: Field, text: str) -> str:
    """By value, by title, or by its number: in this order, since values may be numbers."""
    wanted = text.casefold()
    for said in ([one.value for one in field.choices], [one.title for one in field.choices]):
        found = [index for index, word in enumerate(said) if word.casefold() == wanted]
        if len(found) == 1:
            return field.choices[found[0]].value
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= len(field.choices):
        return field.choices[int(text) - 1].value
    raise Wrong(f"{plain(text)!r} is none of the choices; type the number of one, 1 to {len(field.choices)}")


def _several(field: Field, text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    return list(dict.fromkeys(_choice(field, word) for word in words))


_PARSERS: dict[str, Callable[[Field, str], Any]] = {
    "text": lambda _, text: text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "choice": _choice,
    "choices": _several,
}


# --- in words ---------------------------------------------------------------------------------------


def shown(field: Field, value: Any) -> str:
    """A value as it is shown to a person."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(shown(field, one) for one in value) or "none"
    title = next((choice.shown for choice in field.choices if choice.value == value), None)
    text = " ".join(plain(title if title is not None else str(value)).split())
    return text or '""'


def _lengths(schema: Mapping[str, Any]) -> str:
    bounds = between(schema, "minLength", "maxLength")
    return f"{bounds} characters" if bounds else ""


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


_FORMAT_WORDS = {
    "email": "e-mail",
    "uri": "address",
    "date": "date, YYYY-MM-DD",
    "date-time": "date and time",
}


def _text_expects(field: Field) -> str:
    return _joined(_FORMAT_WORDS.get(str(field.schema.get("format")), "text"), _lengths(field.schema))


def _several_expects(field: Field) -> str:
    return _joined("numbers with commas", between(field.schema, "minItems", "maxItems"))


_EXPECTS: dict[str, Callable[[Field], str]] = {
    "text": _text_expects,
    "integer": lambda field: _joined("whole number", in_range(field.schema)),
    "number": lambda field: _joined("number", in_range(field.schema)),
    "boolean": lambda _: "yes or no",
    "choice": lambda field: f"1 to {len(field.choices)}",
    "choices": _several_expects,
}


def defaults(fields: Sequence[Field]) -> dict[str, Any]:
    return {field.key: field.default for field in fields if field.default is not None}
