"""Servers of which only one can run (a browser's profile, a port) fail when a second folder wants one."""

from __future__ import annotations

from collections.abc import Iterable

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import Kind, ServerFailure

from .session import Session

_TWIN = "it runs for another folder already"


def tell_of_twin(definition: ServerDefinition, failure: ServerFailure, awake: Iterable[Session]) -> None:
    """Add to a failed start that one of these runs in another folder, and what to do."""
    if failure.kind != Kind.START_FAILED or definition.cwd_is_pinned or _TWIN in failure.text:
        return  # several may wait for one start
    for session in awake:
        twin = session.definition
        if definition.cache_key in session.cache_keys and twin.cwd != definition.cwd and session.is_live:
            failure.text += (
                f"; {_TWIN}, {twin.public_cwd}: if there can be only one of it, give its entry a `cwd`, "
                "and all folders share it"
            )
            return
