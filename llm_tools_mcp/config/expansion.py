"""${VAR} and ${VAR:-default} in the strings of a server, replaced by what the caller has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .problems import Problem, nested_key
from .variables import NAME

_VARIABLE = re.compile(rf"\$\{{({NAME})(?::-([^}}]*))?\}}")


class Expansion:
    """Expands the strings of one server, and collects what is wrong with them in `problems`."""

    def __init__(self, server: str, environment: Mapping[str, str]) -> None:
        self._server, self._environment = server, environment
        self.problems: list[Problem] = []
        self._unset: dict[str, None] = {}

    def complain(self, key: str, message: str) -> None:
        self.problems.append(Problem(message, self._server, key))

    @property
    def repair(self) -> str:
        """What to type about variables that are not set."""
        return "\n".join(f"export {name}=…" for name in self._unset)

    def text(self, key: str, value: str) -> str:
        return _VARIABLE.sub(lambda match: self._value(key, match[1], match[2]), value)

    def texts(self, key: str, values: Iterable[str]) -> tuple[str, ...]:
        return tuple(self.text(nested_key(key, index), value) for index, value in enumerate(values))

    def mapping(self, key: str, values: Mapping[str, str]) -> dict[str, str]:
        return {name: self.text(nested_key(key, name), value) for name, value in values.items()}

    def _value(self, key: str, name: str, default: str | None) -> str:
        value = self._environment.get(name)
        if default is not None:
            return value or default  # as in a shell, :- replaces an empty value too
        if value is None:
            self._unset[name] = None
            hint = f"export it, or give a default: ${{{name}:-}}"
            self.complain(key, f"the environment variable {name} is not set; {hint}")
        return value or ""
