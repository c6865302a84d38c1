"""Which era of the protocol a server speaks, and the handshake of the older one.

`server/discover` (2026-07-28) is asked first. Servers that do not know it answer with an error, leave, or
say nothing: mcp for Python up to 1.8.1. So nothing but an answer decides, and `initialize` follows soon.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import ValidationError

from llm_tools_mcp.config import Protocol
from llm_tools_mcp.daemon.failure import UNREADABLE, Kind, ServerFailure, retrieve

from . import sdk
from .probe_noise import ProbeNoise
from .transport import Link

# Seconds for the answer to the probe, before the older handshake is tried beside it.
_PROBE_SECONDS = 2.0
# Seconds for which stderr may still complain of it.
_NOISE_SECONDS = 2.0


async def shake_hands(session: sdk.ClientSession, protocol: Protocol, link: Link) -> None:
    """Raises ServerFailure for an answer that cannot be used, and the SDK's errors."""
    if protocol is Protocol.LEGACY:
        await _greet(session)
        return
    noise = ProbeNoise(link.said)
    link.is_noise = noise.has
    try:
        if protocol is Protocol.MODERN:
            await session.discover()
        else:
            await sdk.negotiate_auto(session, _Negotiation(session))
    except BaseException:
        noise.give_back()  # the failure quotes it
        raise
    finally:
        asyncio.get_running_loop().call_later(_NOISE_SECONDS, noise.end)


class _Negotiation:
    """A session for the SDK's policy, with a probe that is waited for differently.

    A slow start is no evidence of an era: a probe that is late goes on beside `initialize`, and the first
    answer counts. A server takes them in order, so that of one that knows both it is the probe's.
    """

    def __init__(self, session: sdk.ClientSession) -> None:
        self._session = session
        self._late: asyncio.Task[dict[str, Any]] | None = None
        self._offered: list[str] = []  # versions, of a server that knows the probe

    async def send_discover(self, version: str) -> dict[str, Any]:
        probe = asyncio.ensure_future(self._session.send_discover(version))
        try:
            done, _ = await asyncio.wait([probe], timeout=_PROBE_SECONDS)
        except BaseException:
            probe.cancel()
            raise
        if done:
            try:
                result = mended_discovery(probe.result())
                self._offered = result.get("supportedVersions") or []
                return result
            finally:
                del probe, done  # what it raises holds this frame
        self._late = probe
        raise sdk.MCPError(sdk.mcp_types.REQUEST_TIMEOUT, "no answer yet")

    async def initialize(self) -> None:
        probe, self._late = self._late, None
        if probe is None:
            try:
                await _greet(self._session)
            except sdk.MCPError as error:
                if self._offered:
                    raise ServerFailure(Kind.START_FAILED, sdk.unknown_version(self._offered)) from error
                raise
            return
        greeting = asyncio.ensure_future(_greet(self._session))
        try:
            await asyncio.wait([probe, greeting], return_when=asyncio.FIRST_COMPLETED)
            if not probe.done() and _is_unknown(greeting):
                await asyncio.wait([probe])  # over http answers overtake each other
            if not probe.done() or not self._is_adopted(probe):
                await greeting
        finally:
            for task in (probe, greeting):
                task.add_done_callback(retrieve)
                task.cancel()

    def _is_adopted(self, probe: asyncio.Task[dict[str, Any]]) -> bool:
        try:
            found = mended_discovery(probe.result())
            self.adopt(sdk.mcp_types.DiscoverResult.model_validate(found))
        except (sdk.MCPError, ValidationError, RuntimeError):
            return False
        return True

    def adopt(self, result: sdk.mcp_types.DiscoverResult) -> None:
        self._session.adopt(result)


def _is_unknown(greeting: asyncio.Task[None]) -> bool:
    """Whether `initialize` is nothing that the server knows, as of one that has the newer handshake alone."""
    error = greeting.exception() if greeting.done() else None
    codes = (sdk.mcp_types.METHOD_NOT_FOUND, sdk.mcp_types.UNSUPPORTED_PROTOCOL_VERSION)
    return isinstance(error, sdk.MCPError) and error.code in codes


async def _greet(session: sdk.ClientSession) -> None:
    try:
        await sdk.initialize(session, mended_greeting)
    except ValidationError as error:
        text = f"{UNREADABLE} (`initialize`, {sdk.first_fault(error)})"
        raise ServerFailure(Kind.START_FAILED, text) from error


def mended_greeting(result: dict[str, Any]) -> dict[str, Any]:
    """An InitializeResult with objects where careless servers have lists (PHP's empty one) or true."""
    info = _object(result.get("serverInfo"))
    return {
        **_mended(result),
        "serverInfo": {name: str(info.get(name) or "") for name in ("name", "version")},
    }


def mended_discovery(result: dict[str, Any]) -> dict[str, Any]:
    """A DiscoverResult likewise; what names no version is none. How long it may be kept is not looked at."""
    versions = result.get("supportedVersions")
    if not versions:
        return result
    listed = [one for one in (versions if isinstance(versions, list) else [versions]) if isinstance(one, str)]
    rest = {name: value for name, value in result.items() if name not in ("ttlMs", "cacheScope")}
    return {**_mended(rest), "supportedVersions": listed}


def _mended(result: dict[str, Any]) -> dict[str, Any]:
    capabilities, instructions = _object(result.get("capabilities")), result.get("instructions")
    known = {name: _object(value) for name, value in capabilities.items() if value not in (None, False)}
    return {
        **result,
        "capabilities": known,
        "instructions": instructions if isinstance(instructions, str) else None,
    }


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
