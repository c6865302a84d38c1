"""What a server says in `WWW-Authenticate` when it refuses (RFC 6750, RFC 9728)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# RFC 9110, 11.2: name=value, where the value may be quoted. Tried at the beginning of a name alone: 60 kB of
# letters took a minute and a half, in which the daemon did nothing else.
_PARAMETER = re.compile(r'(?<![A-Za-z0-9_-])([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_BEARER = re.compile(r"(?:^|,)\s*Bearer(?:\s+|$)", re.IGNORECASE)
_LONGEST = 8192
_INSUFFICIENT = "insufficient_scope"


@dataclass(frozen=True, slots=True)
class Demand:
    error: str = ""
    scopes: tuple[str, ...] = ()
    metadata_url: str = ""

    @property
    def lacks_scope(self) -> bool:
        return self.error == _INSUFFICIENT


def demand_in(headers: Iterable[str]) -> Demand:
    """Of the values of `WWW-Authenticate`; an empty one where no Bearer challenge is among them."""
    for value in headers:
        if begin := _BEARER.search(value):
            found = parameters(value[begin.end() : begin.end() + _LONGEST])
            asked = filter(str.isprintable, found.get("scope", "").split())
            scopes = tuple(dict.fromkeys(asked))
            metadata_url = found.get("resource_metadata", "")
            return Demand(found.get("error", ""), scopes, metadata_url if metadata_url.isprintable() else "")
    return Demand()


def parameters(header: str) -> dict[str, str]:
    """Of all challenges in one value, by names in small letters; of a name that is repeated the first."""
    found: dict[str, str] = {}
    for name, quoted, token in _PARAMETER.findall(header):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or token)
    return found
