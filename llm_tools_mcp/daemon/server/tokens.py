"""Where tokens come from: a person's login, a client that logs in as itself, or an identity provider."""

from __future__ import annotations

import asyncio

from llm_tools_mcp.config import ServerDefinition

from .login_tokens import LoginTokens
from .logins import Logins
from .machine_tokens import MachineTokens
from .managed_tokens import ManagedTokens
from .renewal import ClientFor, Tokens


class Renewals:
    """Of one daemon: sessions that share a login share its tokens."""

    def __init__(self, logins: Logins) -> None:
        self.logins = logins
        self._tokens: dict[str, Tokens] = {}

    def tokens_of(self, definition: ServerDefinition, client_for: ClientFor) -> Tokens | None:
        """None for a server that nobody is logged in to."""
        oauth = definition.oauth
        if oauth is None or not definition.can_log_in:
            return None
        if not oauth.is_for_machines and not definition.login:
            return None
        kind = ManagedTokens if oauth.is_managed else MachineTokens if oauth.is_for_machines else LoginTokens
        key = definition.login or definition.identity
        tokens = self._tokens.setdefault(key, kind(definition, self.logins, client_for))
        tokens.adopt(definition)
        return tokens

    async def aclose(self) -> None:
        """What is being renewed is stored first."""
        await asyncio.gather(*(tokens.settle() for tokens in self._tokens.values()))
