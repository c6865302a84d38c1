"""What `doctor` finds in the values of a server: what a shell would have replaced, what a page left open."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llm_tools_mcp.config.problems import nested_key
from llm_tools_mcp.terminal.screen import clean_line

from .finding import NOTE, Finding

if TYPE_CHECKING:
    from llm_tools_mcp.config import ServerDefinition

# Behind what may stand in front of a token: `Bearer $TOKEN`, `--token=$TOKEN`.
_BEFORE = r"(?:(?:Bearer|Basic|token) |--?[\w-]+=)?"
_BARE_VARIABLE = re.compile(rf"{_BEFORE}\$([A-Za-z_]\w*)(?:/.*)?", re.IGNORECASE)
_OF_WINDOWS = re.compile(rf"{_BEFORE}%([A-Za-z_]\w*)%.*", re.IGNORECASE)
# <your-token>, YOUR_API_KEY, sk-xxxxxxxx, {{TOKEN}}: what pages put where a secret belongs.
_LEFT_OPEN = re.compile(
    rf"{_BEFORE}(?:<[\w .:-]+>|\{{\{{ ?\w[\w -]*\}}\}}|\[[\w .-]*key[\w .-]*\]|[\w-]*your[-_ ][\w -]+"
    r"|[\w-]*x{6,}|\.{3}|…)",
    re.IGNORECASE,
)
# A call of more than three hours is seldom what was meant.
_PROBABLY_MILLISECONDS = 10_000


def look_at_values(name: str, definition: ServerDefinition) -> Iterator[Finding]:
    """None of the values is shown: what looks like a variable may be a password."""
    yield from _texts(clean_line(name), _places(definition))
    yield from _times(clean_line(name), definition)


def look_at_written_values(name: str, entry: Any) -> Iterator[Finding]:
    """The same of an entry that cannot be used as it is: then there is nothing but what is written."""
    yield from _texts(clean_line(name), dict(_written(entry)))


def _texts(shown: str, places: Mapping[str, str]) -> Iterator[Finding]:
    for key, value in places.items():
        place = f"server {shown!r}: "
        if value == "~" or value.startswith("~/"):
            text = f"{place}the ~ in key {key!r} is passed as it stands: no shell is there to replace it"
            yield Finding(NOTE, text, "write ${HOME} instead")
        elif _names_variable(value):
            text = (
                f"{place}the variable in key {key!r} is passed as it stands: no shell is there to replace it"
            )
            yield Finding(NOTE, text, "write ${NAME} instead, with its name")
        elif _LEFT_OPEN.fullmatch(value):
            text = f"{place}key {key!r} holds what stands on a page in the place of a value of your own"
            yield Finding(NOTE, text, "put your own there, or ${NAME} for a variable")


def _names_variable(value: str) -> bool:
    found = _BARE_VARIABLE.fullmatch(value) or _OF_WINDOWS.fullmatch(value)
    return found is not None and (found[1].isupper() or found[1] in os.environ)


def _places(definition: ServerDefinition) -> dict[str, str]:
    places = {"command": definition.command_as_written}
    places |= {f"args[{index}]": arg for index, arg in enumerate(definition.args)}
    places |= {f"env.{variable}": definition.env[variable] for variable in sorted(definition.own_env)}
    return places | {f"headers.{header}": value for header, value in definition.headers.items()}


def _written(entry: Any) -> Iterator[tuple[str, str]]:
    for key in ("args", "env", "headers") if isinstance(entry, dict) else ():
        values = entry.get(key)
        pairs = values.items() if isinstance(values, dict) else enumerate(values or ())
        if isinstance(values, dict if key != "args" else list):
            yield from ((nested_key(key, inner), text) for inner, text in pairs if isinstance(text, str))


def _times(shown: str, definition: ServerDefinition) -> Iterator[Finding]:
    times = {"timeout": definition.timeout, "connectTimeout": definition.connect_timeout}
    for key, value in times.items():
        if value >= _PROBABLY_MILLISECONDS:
            text = f"server {shown!r}: {key!r} is {value:g} seconds ({value / 3600:.1f} hours)"
            yield Finding(NOTE, text, f"if milliseconds were meant, write {value / 1000:g}")
