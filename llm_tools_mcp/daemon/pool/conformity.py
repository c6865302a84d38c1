"""A value held against a JSON Schema that a stranger wrote: bounded, and nothing is ever fetched.

What could take for ever is not tried: patterns (`re` never gives up, and keeps all other threads waiting),
and comparing each of many items with each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from itertools import repeat
from typing import Any

import jsonschema
from jsonschema.validators import extend, validator_for
from referencing import Registry

# Keywords that are tried on values: a fifth of a second. References may multiply themselves.
_MAX_STEPS = 50_000
_UNTRIED = ("pattern", "patternProperties", "unevaluatedProperties", "uniqueItems", "format")
# Characters of what is told.
_MAX_PLACE, _MAX_WANTED = 200, 120

_Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]
_steps: ContextVar[Iterator[None]] = ContextVar("steps")


class _Exhausted(Exception):
    """More is not tried."""


def misfit(schema: str, value: Any) -> str:
    """Where in the schema (JSON text) it says what the value is not; empty where nothing was found.

    Nothing of the value is told, which may be confidential. A schema that is none finds nothing.
    """
    try:
        parsed = json.loads(schema)
        validator = _bounded(validator_for(parsed, default=jsonschema.Draft202012Validator))
        _steps.set(repeat(None, _MAX_STEPS))
        error = next(validator(_of_one_dialect(parsed), registry=Registry()).iter_errors(value), None)
    except Exception:  # noqa: BLE001 - whatever a wrong schema does to the library
        return ""
    return _told(error) if error is not None else ""


@cache
def _bounded(dialect: Any) -> Any:
    """The validator of a dialect, which gives up after so many steps."""
    keywords: dict[str, _Keyword] = {name: _counted(keyword) for name, keyword in dialect.VALIDATORS.items()}
    if "additionalProperties" in keywords:
        keywords["additionalProperties"] = _unless_patterns(keywords["additionalProperties"])
    return extend(dialect, {**keywords, **dict.fromkeys(_UNTRIED, _untried)})


def _counted(keyword: _Keyword) -> _Keyword:
    def counted(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[Any] | None:
        for _ in _steps.get():
            return keyword(validator, wanted, value, schema)
        raise _Exhausted

    return counted


def _unless_patterns(keyword: _Keyword) -> _Keyword:
    """Which keys are additional, patterns say, too."""

    def checked(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[Any] | None:
        return None if "patternProperties" in schema else keyword(validator, wanted, value, schema)

    return checked


def _untried(_validator: Any, _wanted: Any, _value: Any, _schema: Any) -> None:
    """Nothing is wrong."""


def _of_one_dialect(part: Any) -> Any:
    """Without `$schema`, at which the library would change to another validator, which counts nothing."""
    if isinstance(part, list):
        return [_of_one_dialect(inner) for inner in part]
    if not isinstance(part, Mapping):
        return part
    return {
        key: _of_one_dialect(inner)
        for key, inner in part.items()
        if key != "$schema" or not isinstance(inner, str)
    }


def _told(error: Any) -> str:
    """The way to the keyword, through references, and what stands there."""
    place = "/".join(map(str, error.absolute_schema_path))[:_MAX_PLACE]
    wanted = json.dumps(error.validator_value, ensure_ascii=False)
    return f"{place}: {wanted if len(wanted) <= _MAX_WANTED else f'{wanted[:_MAX_WANTED]}…'}"
