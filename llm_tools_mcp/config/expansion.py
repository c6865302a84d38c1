"""${VAR} and its kin in the strings of a server, replaced by what the caller has.

`${VAR}`, `${env:VAR}`, each with `:-default`, which may hold others; `${workspaceFolder}` and its kin
(context.py); `${file:PATH}` and what else is confided (secret_lookup.py); `$${…}` stands for `${…}` itself.
What looks like another client's fails its server: it must never be sent as it stands. What only a shell
understands (`${1}`, `${A-b}`) is left to it, but in url and headers, which no shell sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .problems import Problem, nested_key
from .secret_arguments import is_announced
from .variables import NAME, NOTHING_CONFIDED, Confided, is_inherited

_VARIABLE = re.compile(rf"(?:env:)?({NAME})(?::-(.*))?", re.DOTALL)
# ${input:x}, ${vault:shop/token}, ${secrets.X}, ${{ secrets.X }}; not ${A:+b}, ${A:0:3} and so on of shells.
_FOREIGN = re.compile(rf"{NAME}:(?![-+=?\d])|{NAME}(?:\.\w+)+\s*$|\{{")
_SPACED = re.compile(rf"\s*{NAME}\s*")
_KIND = re.compile(rf"{NAME}(?=[:.])")
# As opencode writes them.
_BARE = re.compile(rf"(?<!\$)\{{(env:{NAME}|file:[^{{}}]+)\}}")
_CONFIDED = ("file:", "llm:", "keyring:")
_SENT = re.compile(r"url|headers\b")  # keys of what goes over the network as it stands
_EDGE = re.compile(r"\$\{|\}")
_MAX_DEPTH = 16


class Unresolvable(Exception):
    """The server's `Expansion` holds the problems."""


class Expansion:
    """Expands the strings of one server, and collects what is wrong with them in `problems`."""

    def __init__(
        self, server: str, environment: Mapping[str, str], confided: Confided = NOTHING_CONFIDED
    ) -> None:
        self._server, self._environment, self._confided = server, environment, confided
        self.used: set[str] = set()
        """Values of what was confided, and of variables that hold a secret: no message may repeat them."""
        self.problems: list[Problem] = []
        self._unset: dict[str, None] = {}

    def complain(self, key: str, message: str) -> None:
        self.problems.append(Problem(message, self._server, key))

    def check(self) -> None:
        """Raises Unresolvable if anything was wrong so far."""
        if self.problems:
            raise Unresolvable

    def within(self, environment: Mapping[str, str]) -> Expansion:
        """The same with other variables."""
        other = Expansion(self._server, environment, self._confided)
        other.problems, other.used, other._unset = self.problems, self.used, self._unset
        return other

    @property
    def repair(self) -> str:
        """What to type about variables that are not set."""
        return "\n".join(f"export {name}=…" for name in self._unset)

    def text(self, key: str, value: str) -> str:
        for bare in _BARE.findall(value):
            self.complain(key, f"{{{bare}}} is how opencode writes it; here it is ${{{bare}}}")
        return self._expanded(key, value)

    def texts(self, key: str, values: Iterable[str]) -> tuple[str, ...]:
        return tuple(self.text(nested_key(key, index), value) for index, value in enumerate(values))

    def mapping(self, key: str, values: Mapping[str, str]) -> dict[str, str]:
        return {name: self.text(nested_key(key, name), value) for name, value in values.items()}

    def _expanded(self, key: str, text: str) -> str:
        parts: list[str] = []
        position = 0
        while (start := text.find("${", position)) >= 0:
            end = _end(text, start)
            if end < 0:  # never closed: no placeholder
                break
            parts.append(text[position:start])
            inner = text[start + 2 : end]
            if text[position:start].endswith("$"):
                parts[-1] = parts[-1][:-1]
                parts.append(f"${{{inner}}}")
            elif (value := self._value(key, inner)) is not None:
                parts.append(value)
            else:
                parts.append("${")
                end = start + 1  # what it holds may be one
            position = end + 1
        return "".join([*parts, text[position:]])

    def _value(self, key: str, inner: str) -> str | None:
        """What stands for ${inner}; None where it stays as it is."""
        if found := _VARIABLE.fullmatch(inner):
            return self._variable(key, found[1], found[2])
        if inner.startswith(_CONFIDED):
            return self.confided(key, inner)
        if inner == "/":  # ${pathSeparator}, in short
            return inner
        is_refused = _SENT.match(key) or _FOREIGN.match(inner) or _SPACED.fullmatch(inner)
        if is_refused:
            self._refuse(key, inner)
        return "" if is_refused else None

    def confided(self, key: str, inner: str) -> str:
        """What was looked up for the caller."""
        value = self._confided.values.get(inner)
        if value is None:
            kind = _KIND.match(inner)
            unseen = f"no placeholder is replaced within ${{{kind[0] if kind else ''}:…}}: write it as it is"
            self.complain(key, self._confided.missing.get(inner, unseen))
            return ""
        self.used.add(value)
        return value

    def _variable(self, key: str, name: str, default: str | None) -> str:
        value = self._environment.get(name)
        if default is not None:
            value = value or self._expanded(key, default)  # as in a shell, :- replaces an empty value too
        if value and not is_inherited(name) and is_announced(name, value):
            self.used.add(value)
        if value is None:
            self._unset[name] = None
            hint = f"export it, or give a default: ${{{name}:-}}"
            self.complain(key, f"the environment variable {name} is not set; {hint}")
        return value or ""

    def _refuse(self, key: str, inner: str) -> None:
        """Names its kind alone: what follows may be a default, and that a secret."""
        kind = _KIND.match(inner)
        if _SPACED.fullmatch(inner):
            self.complain(key, f"the placeholder ${{{inner.strip()}}} is written without spaces")
            return
        shown = f"{inner[: kind.end() + 1]}…" if kind else ("{…" if inner.startswith("{") else "…")
        self.complain(
            key,
            f"the placeholder ${{{shown}}} is of a kind that is not known here; there are ${{VAR}}, "
            "${VAR:-default}, ${env:…}, ${file:…}, ${llm:…}, ${keyring:…} (and $${…} for the characters "
            "themselves)",
        )


class Inexpressible(ValueError):
    """A text that would mean something else beside others."""


def escaped(text: str) -> str:
    """The text as it has to be written so that nothing in it is replaced, whatever stands beside it.

    Raises Inexpressible: an open end could be closed by what follows, and read what the text names.
    """
    parts: list[str] = []
    position = 0
    while (start := text.find("${", position)) >= 0:
        end = _end(text, start)
        if end < 0:
            break
        parts += [text[position:start], "$", text[start : end + 1]]
        position = end + 1
    rest = text[position:]
    if "${" in rest or rest.endswith("$"):
        raise Inexpressible("it holds a ${ that is never closed, or ends with $")
    return "".join([*parts, rest])


def _end(text: str, start: int) -> int:
    """Where the placeholder that begins there ends; -1 where it does not."""
    depth = 0
    for edge in _EDGE.finditer(text, start):
        depth += 1 if edge[0] == "${" else -1
        if depth == 0:
            return edge.start()
        if depth > _MAX_DEPTH:
            break
    return -1
