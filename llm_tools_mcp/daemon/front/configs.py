"""Configs as their callers sent them → parsed and expanded; the same bytes are parsed once."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from dataclasses import replace

from llm_tools_mcp import config, v1
from llm_tools_mcp.config import Config, ServerDefinition
from llm_tools_mcp.errors import ConfigError

_MAX_PARSED = 128
# Characters of a config from which on it is parsed in a thread: thousands of entries take seconds.
_LARGE = 20_000

# Of a caller that tells none: what its servers make is for this user alone.
_OWN_UMASK = 0o077

_PROTOCOLS = {
    v1.Protocol.PROTOCOL_AUTO: config.Protocol.AUTO,
    v1.Protocol.PROTOCOL_LEGACY: config.Protocol.LEGACY,
    v1.Protocol.PROTOCOL_MODERN: config.Protocol.MODERN,
}


class ParsedConfigs:
    """The least recently used ones are forgotten."""

    def __init__(self) -> None:
        self._parsed: OrderedDict[bytes, Config] = OrderedDict()

    async def found(
        self, caller: v1.Caller, protocol: v1.Protocol.ValueType, server: str | None = None
    ) -> Config:
        """As `get`, without keeping others waiting for a large one. Raises ConfigError."""
        if len(caller.config) + len(caller.project_config) < _LARGE:
            return self.get(caller, protocol, server)
        key = _key(caller, protocol)
        known = self._parsed.get(key)  # here, as what is remembered is: a thread has no business with it
        return self._remembered(key, *await asyncio.to_thread(_current, known, caller, protocol, server))

    def get(self, caller: v1.Caller, protocol: v1.Protocol.ValueType, server: str | None = None) -> Config:
        """Raises ConfigError. Where only one `server` is asked for, the others may be out of date."""
        key = _key(caller, protocol)
        return self._remembered(key, *_current(self._parsed.get(key), caller, protocol, server))

    def _remembered(self, key: bytes, parsed: Config, is_settled: bool) -> Config:  # noqa: FBT001 - of a pair
        if not is_settled:
            return parsed
        self._parsed[key] = parsed
        self._parsed.move_to_end(key)
        if len(self._parsed) > _MAX_PARSED:
            self._parsed.popitem(last=False)
        return parsed


def _key(caller: v1.Caller, protocol: v1.Protocol.ValueType) -> bytes:
    return caller.SerializeToString(deterministic=True) + str(protocol).encode()


def _current(
    known: Config | None, caller: v1.Caller, protocol: v1.Protocol.ValueType, server: str | None
) -> tuple[Config, bool]:
    """The known one, where it still is true, or a new one; and whether it is to be remembered."""
    if known is not None and _is_current(known, server):
        return known, True
    parsed = _parse(caller, protocol)
    return parsed, _is_settled(parsed)


def _parse(caller: v1.Caller, protocol: v1.Protocol.ValueType) -> Config:
    context, era = _context(caller), _PROTOCOLS.get(protocol)
    own = config.parse(caller.config_path, caller.config, context, era)
    if not caller.project_config:
        return own
    folder = os.fsdecode(caller.project_folder)
    confided = config.Confided(dict(caller.project_confided), dict(caller.project_missing))
    there = replace(context, cwd=folder, approve=own.approve, is_project=True, confided=confided)
    return own.joined(config.parse(caller.project_path, caller.project_config, there, era))


def _context(caller: v1.Caller) -> config.Context:
    """Raises ConfigError for a caller that does not say where it is: servers would run somewhere else."""
    cwd = os.fsdecode(caller.raw_cwd) or caller.cwd
    if not cwd.startswith("/") or "\0" in cwd:
        raise ConfigError(caller.config_path, "the request does not name the folder that it comes from (cwd)")
    umask = caller.umask & 0o777 if caller.HasField("umask") else _OWN_UMASK
    confided = config.Confided(dict(caller.confided), dict(caller.missing))
    return config.Context(cwd=cwd, environment=dict(caller.environment), umask=umask, confided=confided)


def _is_settled(parsed: Config) -> bool:
    """Whether parsing again would give the same: a command that was not found may be installed any time."""
    return all(definition.command.startswith("/") or not definition.command for definition in usable(parsed))


def _is_current(parsed: Config, server: str | None) -> bool:
    """Whether folders and programs on disk are those that it was parsed with."""
    return all(one.is_current for one in usable(parsed) if server in (None, one.name))


def usable(parsed: Config) -> list[ServerDefinition]:
    return [definition for definition in parsed.servers.values() if isinstance(definition, ServerDefinition)]
