"""What a published server wants to be told before it can be used, and whether an answer fits."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_tools_mcp import paths
from llm_tools_mcp.config.expansion import Inexpressible, escaped
from llm_tools_mcp.config.variables import is_utf8

# What was answered, as it is to stand in mcp.json: several texts where an input may be repeated.
Values = Mapping[str, tuple[str, ...]]

_YES, _NO = ("y", "yes", "true", "1", "on"), ("n", "no", "false", "0", "off")
_NUMBER = re.compile(r"[+-]?(\d{1,300}(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
# Longer answers are no lines that a person types.
_MAX_ANSWER = 4000


class Misfit(ValueError):
    """An answer that does not fit; the text says why, and does not repeat it."""


@dataclass(frozen=True, slots=True)
class Input:
    """One question. `kind`: string, number, boolean, path, or file and folder, which have to exist.

    `defaults` are answers as they would be typed; `least` and `most` bound a number.
    """

    key: str
    description: str = ""
    kind: str = "string"
    is_required: bool = False
    is_secret: bool = False
    is_repeated: bool = False
    defaults: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    @property
    def expects(self) -> str:
        """In words, for whoever is asked."""
        what = ", ".join(self.choices) or {"string": "text", "boolean": "yes or no"}.get(self.kind, self.kind)
        facts = (
            what,
            self._bounds,
            "secret" if self.is_secret else "",
            "" if self.is_required else "optional",
        )
        return "; ".join(filter(None, facts))

    @property
    def _bounds(self) -> str:
        low = "" if self.least is None else f"at least {self.least:g}"
        high = "" if self.most is None else f"at most {self.most:g}"
        return ", ".join(filter(None, (low, high)))

    def answer(self, typed: str) -> str:
        """As it is to stand in mcp.json; `${VAR}` and its kin stay as they were typed. Raises Misfit."""
        if len(typed) > _MAX_ANSWER or "\0" in typed or not is_utf8(typed):
            raise Misfit(f"no text (UTF-8) of at most {_MAX_ANSWER} characters")
        return typed if "${" in typed else self._checked(typed)

    @property
    def default_answers(self) -> tuple[str, ...]:
        """The publisher's own, in which nothing is replaced; none where they do not fit."""
        try:
            return tuple(escaped(self._checked(one, must_exist=False)) for one in self.defaults)
        except (Misfit, Inexpressible):
            return ()

    def _checked(self, typed: str, *, must_exist: bool = True) -> str:
        if self.choices and typed not in self.choices:
            raise Misfit(f"none of {', '.join(self.choices)}")
        if self.kind == "number":
            self._check_number(typed)
        if self.kind in ("file", "folder", "path"):
            return _absolute(typed, _EXISTS.get(self.kind) if must_exist else None)
        return _truth(typed) if self.kind == "boolean" else typed

    def _check_number(self, typed: str) -> None:
        value = float(typed) if _NUMBER.fullmatch(typed) else math.nan
        if not math.isfinite(value):
            raise Misfit("no number, such as 12 or 0.5")
        if (self.least is not None and value < self.least) or (self.most is not None and value > self.most):
            raise Misfit(f"out of bounds: {self._bounds}")


def _truth(typed: str) -> str:
    if typed.lower() not in (*_YES, *_NO):
        raise Misfit("neither yes nor no")
    return "true" if typed.lower() in _YES else "false"


def _absolute(typed: str, exists: Callable[[str], bool] | None) -> str:
    """Servers run in the folder of whoever prompts, so a relative path would mean another place each time."""
    path = str(Path(paths.current_folder(), os.path.expanduser(typed)))  # noqa: PTH111 - leaves ~nobody alone
    if not typed or paths.sendable(path) != path:
        raise Misfit("no possible path")
    if exists is not None and not exists(path):
        raise Misfit("no such folder" if exists is os.path.isdir else "no such file")
    return path


_EXISTS: Mapping[str, Callable[[Any], bool]] = {"file": os.path.isfile, "folder": os.path.isdir}
