"""The tools that a config offers now, as they are named for a model, and the servers that offer none."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llm_tools_mcp import naming, paths, v1
from llm_tools_mcp.config import ConfigSource, configured_names
from llm_tools_mcp.config.approval_mode import NEVER
from llm_tools_mcp.errors import LOGINS, SERVER_SAID, McpError, UnknownTool
from llm_tools_mcp.text.token_estimate import tokens_of

from .caller import make_call

# More servers than these that fail are told in a line each, of so many characters.
FEW = 3
_SHORT = 80

_PROTOCOLS = {
    None: v1.Protocol.PROTOCOL_UNSPECIFIED,
    "auto": v1.Protocol.PROTOCOL_AUTO,
    "legacy": v1.Protocol.PROTOCOL_LEGACY,
    "modern": v1.Protocol.PROTOCOL_MODERN,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as it is offered to a model: `name` is unique, `tool` is the server's own name of it."""

    name: str
    server: str
    tool: str
    description: str
    wire: v1.Tool = field(repr=False)

    @property
    def input_schema(self) -> dict[str, Any]:
        return _object(self.wire.input_schema)

    @property
    def output_schema(self) -> dict[str, Any]:
        return _object(self.wire.output_schema)

    @property
    def annotations(self) -> dict[str, Any]:
        """Hints, which are the server's word only."""
        return _object(self.wire.annotations)

    @property
    def meta(self) -> dict[str, Any]:
        return _object(self.wire.meta)

    @property
    def is_read_only(self) -> bool:
        return self.annotations.get("readOnlyHint") is True

    @property
    def needs_task(self) -> bool:
        """Whether it can be called as a task alone, which is not done here."""
        return v1.needs_task(self.wire)

    @property
    def tokens(self) -> int:
        """What its definition costs in every request, estimated."""
        return tokens_of(self.name, self.description, self.wire.input_schema)


@dataclass(frozen=True, slots=True)
class Failed:
    """A server whose tools are missing, and why. `login` is what to type where it needs a login."""

    server: str
    reason: str
    traceback: str = field(default="", repr=False)
    login: str = ""
    is_config: bool = False  # its entry is what is wrong

    @property
    def line(self) -> str:
        """Of one that needs a login, all there is to say."""
        if self.trouble:
            return f"{self.server!r} needs a login, and {self.trouble}"
        return f"{self.server!r} needs a login: {self.login}"

    @property
    def trouble(self) -> str:
        """Why nobody could log in: what is wrong with the store of logins, and what to type."""
        _, begin, rest = self.reason.partition(SERVER_SAID)[0].partition(f"; {LOGINS}")
        return f"{begin[2:]}{rest}"

    @property
    def words(self) -> str:
        """What the server itself said with its refusal, if it said anything."""
        return self.reason.partition(SERVER_SAID)[2]

    @property
    def short_reason(self) -> str:
        """Within a line, where there are many: without the config's path, which is the same for all."""
        reason = self.reason.partition(": ")[2].replace("\n  ", ": ", 1) if self.is_config else self.reason
        return _shortened(reason.strip().split("\n", 1)[0])


@dataclass(frozen=True, slots=True)
class Policy:
    """Whether a person is asked before tools of a server are called: see config.approval."""

    consent_key: str = field(repr=False)
    approve: str
    always_allow: tuple[str, ...] = ()

    def allows(self, tool: str) -> bool:
        """Whether the config lets it through unasked."""
        return bool(self.always_allow) and naming.matches(",".join(self.always_allow), tool)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a config offers now. `offers` is in config order, then server order.

    `others` are the last known tools of servers that were not asked for: names depend on them.
    """

    caller: v1.Caller = field(repr=False)
    protocol: v1.Protocol.ValueType
    offers: tuple[Offer, ...]
    failed: tuple[Failed, ...]
    others: tuple[Offer, ...] = ()
    left_out: tuple[Offer, ...] = ()  # cannot be called from here
    instructions: Mapping[str, str] = field(default_factory=dict, repr=False)  # of servers that have some

    output_limits: Mapping[str, int] = field(default_factory=dict)  # of servers whose entry has one
    prefix: str = ""
    policies: Mapping[str, Policy] = field(default_factory=dict)  # of servers, for asking the person
    always_loaded: frozenset[str] = frozenset()  # servers whose tools are there where others are searched for

    def read_only(self) -> Listing:
        """The same, with the tools alone that say that they change nothing."""
        return replace(self, offers=tuple(offer for offer in self.offers if offer.is_read_only))

    def free_name(self, name: str, others: Iterable[str] = ()) -> str:
        """A name for a tool of our own that no tool of a server has, nor one of `others`; with the prefix."""
        taken = {offer.name for offer in (*self.offers, *self.others)} | set(others)
        found = f"{self.prefix}{name}"
        while found in taken:
            found = f"{self.prefix}mcp_{found.removeprefix(self.prefix)}"
        return found

    def call(self, offer: Offer, arguments: Mapping[str, Any]) -> v1.CallToolRequest:
        return make_call(self.caller, offer.server, offer.tool, arguments, self.protocol)


def protocol_of(mode: str | None) -> v1.Protocol.ValueType:
    """Raises McpError for a mode that there is not."""
    if mode not in _PROTOCOLS:
        raise McpError(f"unknown mode {mode!r}; there are: auto, legacy, modern")
    return _PROTOCOLS[mode]


def listing_of(
    answers: Sequence[v1.ServerTools],
    source: ConfigSource,
    caller: v1.Caller,
    protocol: v1.Protocol.ValueType,
    servers: Sequence[str] = (),
    globs: str = "",
    prefix: str = "",
) -> Listing:
    """Of the daemon's answers what is wanted: of `servers`, or of all. Raises UnknownTool."""
    _check_servers(answers, source)
    offers = _offers(answers, prefix)
    asked = [offer for offer in offers if not servers or offer.server in servers]
    wanted = [offer for offer in asked if naming.matches(globs, offer.tool, offer.name)]
    return Listing(
        caller,
        protocol,
        tuple(offer for offer in wanted if not offer.needs_task),
        tuple(_failed(answer, source) for answer in answers if answer.state == v1.ServerTools.FAILED),
        tuple(offer for offer in offers if servers and offer.server not in servers),
        tuple(offer for offer in wanted if offer.needs_task),
        {answer.server: answer.instructions for answer in answers if answer.instructions},
        {answer.server: answer.output_limit for answer in answers if answer.HasField("output_limit")},
        naming.fitted_prefix(prefix),
        {answer.server: _policy(answer) for answer in answers},
        frozenset(answer.server for answer in answers if answer.always_load),
    )


def _shortened(line: str) -> str:
    """As many of its sentences as fit, what was probably meant first; a long one is cut."""
    if len(line) <= _SHORT:
        return line
    sentences = re.split(r"(?<=[.;?!])\s+", line)
    sentences.sort(key=lambda sentence: not sentence.lower().startswith("did you mean"))
    first, *more = sentences
    shown = f"{first[0].upper()}{first[1:]}" if first != line[: len(first)] else first
    while more and len(f"{shown} {more[0]} …") <= _SHORT:
        shown = f"{shown} {more.pop(0)}"
    if len(shown) >= _SHORT - 1:
        return f"{shown[: _SHORT - 1]}…"
    return f"{shown.rstrip(';')} …"


def _check_servers(answers: Sequence[v1.ServerTools], source: ConfigSource) -> None:
    unknown = [a.server for a in answers if a.failure.kind == v1.Failure.UNKNOWN_SERVER]
    if unknown:
        if off := [name for name in configured_names(source) if name in unknown]:
            raise UnknownTool(_disabled(off[0], source))
        known = ", ".join(a.server for a in answers if a.server not in unknown) or "none"
        raise UnknownTool(f"no MCP server is called {', '.join(map(repr, unknown))}; the config has: {known}")


def _disabled(server: str, source: ConfigSource) -> str:
    enable = f"llm mcp enable{paths.config_option(source.path)} {shlex.quote(server)}"
    return f"{server!r} is disabled; to enable it: {enable}"


def _offers(answers: Sequence[v1.ServerTools], prefix: str) -> list[Offer]:
    """Named over all servers, so that one that is down or left out renames nothing."""
    names = naming.exposed_names({a.server: [tool.name for tool in a.tools] for a in answers}, prefix)
    offers: dict[tuple[str, str], Offer] = {}
    for answer in answers:
        if answer.state == v1.ServerTools.FAILED:
            continue
        for tool in answer.tools:
            key = (answer.server, tool.name)
            if key not in offers:
                description = tool.description or tool.title
                offers[key] = Offer(names[key], answer.server, tool.name, description, tool)
    return list(offers.values())


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


def _failed(answer: v1.ServerTools, source: ConfigSource) -> Failed:
    failure = answer.failure
    login = _login_command(answer.server, source) if failure.kind == v1.Failure.NEEDS_LOGIN else ""
    is_config = failure.kind == v1.Failure.CONFIG
    return Failed(answer.server, failure.message, failure.traceback, login, is_config)


def _login_command(server: str, source: ConfigSource) -> str:
    """What to type; one that is known by its url alone is named by it, without what is a secret there."""
    if not source.path:
        from llm_tools_mcp.config.definition import public_url

        server = public_url(json.loads(source.text)["mcpServers"][server]["url"])
    option = paths.config_option(source.path) if source.path else ""
    return f"llm mcp login{option} {shlex.quote(server)}"


def _policy(answer: v1.ServerTools) -> Policy:
    return Policy(answer.consent_key, answer.approve or NEVER, tuple(answer.always_allow))
