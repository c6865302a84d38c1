"""Packages and remote servers as a registry has them, and the entries of mcp.json that they become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from llm_tools_mcp.config.expansion import Inexpressible
from llm_tools_mcp.errors import PublishedError

from .command_lines import Fetched, arguments_of, pinned, without_values
from .declared_values import Declared, unique
from .inputs import Input, Values

Entry = dict[str, Any]


class Flag(NamedTuple):
    """An argument of a command line: `--name value`, or the value alone."""

    name: str
    value: Declared
    is_switch: bool = False  # named, and either there or not

    def words(self, values: Values) -> list[str]:
        filled = self.value.filled(values)
        if self.is_switch:
            return [self.name] if "true" in filled or self.value.parts == ("",) else []
        return [word for one in filled for word in ((self.name, one) if self.name else (one,))]


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is run. `kind`: npm, pypi, oci, nuget; `runner` is what fetches and runs it."""

    kind: str
    identifier: str
    version: str
    runner: str
    source: str  # where it comes from, if not from the usual place
    runtime: tuple[Flag, ...]
    arguments: tuple[Flag, ...]
    variables: dict[str, Declared]

    @property
    def label(self) -> str:
        return f"{self.kind}: {pinned(self.fetched)}"

    @property
    def fetched(self) -> Fetched:
        return Fetched(self.kind, self.identifier, self.version, self.runner, self.source)

    @property
    def inputs(self) -> tuple[Input, ...]:
        flags = [*self.runtime, *self.arguments]
        values = [*(one.value for one in flags), *self.variables.values()]
        return unique([one for value in values for one in value.inputs])

    def entry(self, values: Values) -> Entry:
        """Raises PublishedError."""
        try:
            env = {name: filled[0] for name, one in self.variables.items() if (filled := one.filled(values))}
            runtime = [word for one in self.runtime for word in one.words(values)]
            arguments = [word for one in self.arguments for word in one.words(values)]
        except Inexpressible as error:
            raise PublishedError(
                f"what is published of {self.identifier} cannot be written down: {error}"
            ) from None
        if self.kind == "oci":
            runtime, told = without_values(runtime)
            env = told | env
        args = arguments_of(self.fetched, runtime, arguments, list(env))
        entry: Entry = {"command": self.runner, "args": args}
        return {**entry, "env": env} if env else entry


@dataclass(frozen=True, slots=True)
class Bundle:
    """An MCPB bundle that has to be fetched first; what it wants to know stands in it."""

    url: str
    sha256: str
    kind: str = "mcpb"

    @property
    def label(self) -> str:
        return f"mcpb: {self.url}"


@dataclass(frozen=True, slots=True)
class Remote:
    """A server on the net. `transport`: http or sse."""

    transport: str
    url: Declared
    headers: dict[str, Declared]
    kind: str = "remote"

    @property
    def label(self) -> str:
        parts = (f"{{{part}}}" if index % 2 else part for index, part in enumerate(self.url.parts))
        return f"remote: {''.join(parts)}"

    @property
    def inputs(self) -> tuple[Input, ...]:
        return unique([one for value in (self.url, *self.headers.values()) for one in value.inputs])

    def entry(self, values: Values) -> Entry:
        """Raises PublishedError."""
        try:
            url = "".join(self.url.filled(values)[:1])
            headers = {
                name: filled[0] for name, one in self.headers.items() if (filled := one.filled(values))
            }
        except Inexpressible as error:
            raise PublishedError(f"the published address cannot be written down: {error}") from None
        if not url.startswith(("https://", "http://", "${")):
            raise PublishedError("the published address is no https:// url")
        entry: Entry = {"type": self.transport, "url": url}
        return {**entry, "headers": headers} if headers else entry


Offer = Package | Bundle | Remote
