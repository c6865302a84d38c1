"""`enum` and `const`: Gemini takes them of texts alone, and no empty one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .values import distinct
from .wording import listed


class Choice(NamedTuple):
    """`part` without `const`, and with an `enum` of texts or none."""

    part: dict[str, Any]
    notes: list[str]
    changes: list[str]


def choose(part: Mapping[str, Any], kind: str) -> Choice:
    rest = {key: value for key, value in part.items() if key != "const"}
    changes = ["const"] if "const" in part else []
    given = [part["const"]] if "const" in part else part.get("enum")
    if not isinstance(given, list):
        rest.pop("enum", None)
        return Choice(rest, [], changes)
    values = distinct(one for one in given if one is not None)
    if kind == "string" and all(isinstance(one, str) for one in values):
        return _texts(rest, given, values, changes)
    rest.pop("enum", None)
    notes = [f"one of {listed(values)}" if len(values) > 1 else f"always {listed(values)}"] if values else []
    return Choice(rest, notes, [*changes, "an enum of other things than texts"])


def _texts(rest: dict[str, Any], given: list[Any], values: list[Any], changes: list[str]) -> Choice:
    texts = [one for one in values if one]
    notes = ["may be empty"] if len(texts) < len(values) else []
    if texts != given:
        changes = [*changes, "an enum with empty, double or null values"]
    if not texts:
        rest.pop("enum", None)
        return Choice(rest, notes, changes)
    return Choice({**rest, "enum": texts}, notes, changes)
