"""Types of media as servers write them: anything, until it is looked at."""

from __future__ import annotations

import re

# RFC 2045, without quoted values: what else stands there is no type, and may be a line of its own.
_TYPE = r"(?a)[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}(?:;[ ]?[\w!#$&^.+-]{1,60}=[\w!#$&^.+-]{1,100}){0,5}"

_TEXTUAL = re.compile(
    r"text/.+|application/(?:.+\+)?(?:json|xml|yaml|toml|javascript|x-yaml|x-sh|sql|graphql)", re.IGNORECASE
)

UNKNOWN = "application/octet-stream"


def media_type(value: object) -> str:
    """Empty where it is none."""
    text = value.strip() if isinstance(value, str) else ""
    return text if re.fullmatch(_TYPE, text) else ""


def is_textual(media_type: str) -> bool:
    """Whether what is of this type can be read as it is."""
    return _TEXTUAL.fullmatch(media_type.partition(";")[0]) is not None
