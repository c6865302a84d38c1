"""manifest.json of an MCPB bundle (0.1 to 0.4), and the entry of mcp.json that it becomes."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_tools_mcp import paths
from llm_tools_mcp.config.expansion import Inexpressible, escaped
from llm_tools_mcp.errors import PublishedError

from .inputs import Input, Values
from .json_fields import Json, entries, flag, nested, text, texts

NAME = "manifest.json"

_VERSIONS = re.compile(r"0\.[1-4](\.\d+)?")
_SERVERS = ("node", "python", "binary", "uv")
_KINDS = {"string": "string", "number": "number", "boolean": "boolean", "directory": "folder", "file": "file"}
_VARIABLE = re.compile(r"(\$\{[^${}]+\})")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USER_CONFIG = "user_config."
_LARGEST = 1e300  # a bound may have 400 digits


@dataclass(frozen=True, slots=True)
class Manifest:
    """`command`, `args`, `env` are this platform's, as written; `runtimes` are versions by program."""

    name: str
    version: str
    description: str
    kind: str
    entry_point: str
    command: str
    args: tuple[str, ...]
    env: Mapping[str, str]
    inputs: tuple[Input, ...]
    platforms: tuple[str, ...] = ()
    runtimes: Mapping[str, str] = field(default_factory=dict)

    @property
    def programs(self) -> list[str]:
        """What has to be executable, if it is a file of the bundle."""
        written = [self.entry_point, self.command] if self.kind == "binary" else [self.command]
        return [_below(path) for path in written]

    def check_platform(self) -> None:
        """Raises PublishedError."""
        if self.platforms and sys.platform not in self.platforms:
            raise PublishedError(f"the bundle is for {', '.join(self.platforms)}, and this is {sys.platform}")

    def entry(self, folder: Path, files: Container[str], values: Values) -> dict[str, Any]:
        """For the bundle whose `files` lie, or will lie, in `folder`. Raises PublishedError."""
        try:
            known = _Known(folder, files, values)
            entry: dict[str, Any] = {"command": known.program(self.command, self.entry_point)}
            args = [word for arg in known.unfolded(self.args) for word in arg]
            env = {name: value for name, one in self.env.items() if (value := known.value(one)) is not None}
        except Inexpressible as error:
            raise PublishedError(f"the bundle's manifest cannot be written down: {error}") from None
        return entry | ({"args": args} if args else {}) | ({"env": env} if env else {})


def parsed(content: bytes) -> Manifest:
    """Raises PublishedError."""
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise PublishedError(f"the bundle's {NAME} is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise PublishedError(f"the bundle's {NAME} has to be an object")
    version = text(document, "manifest_version") or text(document, "dxt_version")
    if not _VERSIONS.fullmatch(version):
        raise PublishedError(f"the bundle's {NAME} is of the version {version!a}; 0.1 to 0.4 are known")
    return _manifest(document, nested(document, "server"))


def _manifest(document: Json, server: Json) -> Manifest:
    kind, entry_point = text(server, "type"), text(server, "entry_point")
    if kind not in _SERVERS:
        raise PublishedError(f"the bundle's server is of the type {kind!a}; there are {', '.join(_SERVERS)}")
    config = _of_platform(nested(server, "mcp_config"))
    if not config and kind == "uv" and entry_point:
        config = {"command": "uv", "args": ["run", "--directory", "${__dirname}", entry_point]}
    if not text(config, "command"):
        raise PublishedError(f"the bundle's {NAME} names no command (server.mcp_config.command)")
    if not text(document, "name") or not text(document, "version"):
        raise PublishedError(f"the bundle's {NAME} has no name or no version")
    compatibility = nested(document, "compatibility")
    runtimes = nested(compatibility, "runtimes")
    return Manifest(
        name=text(document, "name"),
        version=text(document, "version"),
        description=text(document, "description"),
        kind=kind,
        entry_point=entry_point,
        command=text(config, "command"),
        args=_words(config.get("args")),
        env=_environment(nested(config, "env")),
        inputs=tuple(_input(key, one) for key, one in entries(document, "user_config").items()),
        platforms=tuple(texts(compatibility, "platforms")),
        runtimes={name: text(runtimes, name) for name in ("node", "python") if text(runtimes, name)},
    )


def _of_platform(config: Json) -> Json:
    override = nested(nested(config, "platform_overrides"), sys.platform)
    return {key: override.get(key) or config.get(key) for key in ("command", "args", "env")} if config else {}


def _words(args: object) -> tuple[str, ...]:
    words = args if isinstance(args, list) else [] if args is None else [None]
    if not all(isinstance(word, str | int | float) for word in words):
        raise PublishedError(f"the bundle's {NAME} has arguments that are no texts (server.mcp_config.args)")
    return tuple(map(str, words))


def _environment(env: Json) -> dict[str, str]:
    for name in env:
        if not _ENVIRONMENT_NAME.fullmatch(name):
            raise PublishedError(f"the bundle sets a variable {name!a}")
    return {name: str(value) for name, value in env.items() if isinstance(value, str | int | float)}


def _input(key: str, document: Json) -> Input:
    default = document.get("default")
    defaults = default if isinstance(default, list) else [] if default is None else [default]
    title, description = text(document, "title"), text(document, "description")
    return Input(
        key=key,
        description="\n".join(filter(None, (title, description))),
        kind=_KINDS.get(text(document, "type"), "string"),
        is_required=flag(document, "required"),
        is_secret=flag(document, "sensitive"),
        is_repeated=flag(document, "multiple"),
        defaults=tuple(typed for one in defaults if (typed := _typed(one))),
        least=_number(document.get("min")),
        most=_number(document.get("max")),
    )


def _typed(default: object) -> str:
    """As a person would type it, the folders that it may name put in."""
    if isinstance(default, bool):
        return "true" if default else "false"
    folders = paths.user_folders()
    return re.sub(r"\$\{(\w+)\}", lambda found: folders.get(found[1], found[0]), str(default))


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < _LARGEST:
        return None
    return float(value)


def _below(path: str) -> str:
    """Below the bundle's folder, as far as it is."""
    return path.removeprefix("${__dirname}").removeprefix("/").removeprefix("./")


class _Known:
    """What the variables of a manifest stand for."""

    def __init__(self, folder: Path, files: Container[str], values: Values) -> None:
        self._folder, self._files, self._values = folder, files, values
        places = {"__dirname": str(folder), "pathSeparator": "/", "/": "/", **paths.user_folders()}
        self._places = {name: escaped(place) for name, place in places.items()}

    def program(self, command: str, entry_point: str) -> str:
        is_own = "/" in command or command == entry_point
        if is_own and not command.startswith(("/", "~", "${")):
            return self._own(command) or escaped(command)
        if command == "python" and not shutil.which("python") and shutil.which("python3"):
            return "python3"  # Debian has no other
        return self.value(command) or ""

    def unfolded(self, args: tuple[str, ...]) -> Iterator[list[str]]:
        """Each argument as none, one, or as many as there are values."""
        for before, arg in zip(("", *args), args, strict=False):
            key = arg[2:-1].removeprefix(_USER_CONFIG)
            if arg == f"${{{_USER_CONFIG}{key}}}":
                found = list(self._values.get(key, ()))
                yield found or ([""] if before.startswith("-") and "=" not in before else [])
            else:
                yield [self._own(arg) or self.value(arg) or ""]

    def value(self, written: str) -> str | None:
        """The text; None where it is nothing but an answer that was not given."""
        if written.startswith(f"${{{_USER_CONFIG}") and written.endswith("}") and written.count("}") == 1:
            values = self._values.get(written[2:-1].removeprefix(_USER_CONFIG), ())
            return ",".join(values) if values else None
        return "".join(map(self._piece, _VARIABLE.split(written)))

    def _piece(self, piece: str) -> str:
        name = piece[2:-1] if piece.startswith("${") and piece.endswith("}") else ""
        if name in self._places:
            return self._places[name]
        if name.startswith(_USER_CONFIG):
            return ",".join(self._values.get(name.removeprefix(_USER_CONFIG), ()))
        return escaped(piece)

    def _own(self, path: str) -> str:
        """The whole path of a file of the bundle: servers run where the caller is. Empty for what is none."""
        path = path.removeprefix("./")
        return escaped(str(self._folder / path)) if path in self._files else ""
