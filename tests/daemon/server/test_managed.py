"""Enterprise-managed authorization: whoever the identity provider knows is let in, without being asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import Kind
from llm_tools_mcp.errors import LoginError
from tests.daemon.live import failure_of, living
from tests.login.browsing import definition, expired, logged_in
from tests.parsing import parsed
from tests.servers.guarded import Guarded, error, guarded
from tests.servers.provider import CLIENT, KNOWN_AS, Provider


@contextmanager
def employed() -> Iterator[tuple[Guarded, Provider]]:
    """A server, and the provider whose grants it takes."""
    with guarded() as server, guarded(Provider) as provider:
        server.clients[CLIENT] = "s3cr3t-of-llm"
        provider.clients[KNOWN_AS] = ""
        provider.trusting = server
        yield server, provider


def managed(server: Guarded, provider: Provider, **keys: Any) -> ServerDefinition:
    oauth = {"clientId": CLIENT, "clientSecret": "s3cr3t-of-llm", "idpClientId": KNOWN_AS}
    return definition(server.url, oauth={**oauth, "idpIssuer": provider.origin, **keys})


def test_login_at_the_provider(tmp_path: Path) -> None:
    """A person logs in there, once; the daemon gets what the server wants, and renews who one is in time."""

    async def body() -> None:
        with employed() as (server, provider):
            async with living(tmp_path) as live:
                entry = managed(server, provider)
                assert (await failure_of(live.call(entry, "whoami"))).kind == Kind.NEEDS_LOGIN
                login = await logged_in(tmp_path, entry)
                assert (login.issuer, login.scopes, login.access_token) == (provider.origin, ("openid",), "")
                assert server.asked("/authorize") == []
                live.logins.notice_change()
                known = live.logins.applied_to(entry)
                assert await live.call(known, "whoami") == CLIENT
                server.tokens.clear()
                await expired(tmp_path)
                assert await live.call(known, "whoami") == CLIENT
                now = live.logins.store.read().logins[0]
                assert (now.id, now.id_token != login.id_token) == (login.id, True)
                server.tokens.clear()
                provider.id_tokens.clear()  # which is renewed once more, before a person is asked
                assert await live.call(known, "whoami") == CLIENT
                server.tokens.clear()
                provider.id_tokens.clear()
                provider.refreshes.clear()
                assert (await failure_of(live.call(known, "whoami"))).kind == Kind.NEEDS_LOGIN
                ended = live.logins.store.read().logins[0]
                assert (ended.id_token, "invalid_grant" in ended.ended) == ("", True)
                assert live.logins.applied_to(managed(server, provider, idpClientId="another")).login == ""

    asyncio.run(asyncio.wait_for(body(), 60))


def test_id_token_of_the_entry(tmp_path: Path) -> None:
    """Needs no login; what the provider says to it is told, and no token with it."""

    async def body() -> None:
        with employed() as (server, provider):
            async with living(tmp_path) as live:
                entry = managed(server, provider, idToken=provider.id_token())
                assert await live.call(entry, "whoami") == CLIENT
                assert provider.asked("/token")[0]["audience"] == server.origin
                assert "eyJ" not in repr(entry)
                stale = managed(server, provider, idToken="eyJ.eyJ.eyJ")
                text = (await failure_of(live.call(stale, "whoami"))).text
                assert f"{provider.origin} refused the `idToken` of its entry: invalid_grant" in text
                provider.faults["/token"] = lambda: error("access_denied", 403)
                again = managed(server, provider, idToken=provider.id_token())
                text = (await failure_of(live.call(again, "whoami"))).text
                assert "access_denied" in text
                assert not [secret for secret in provider.secrets if secret in text]
            server.clients[KNOWN_AS] = ""
            with pytest.raises(LoginError, match="no ID token"):
                await logged_in(tmp_path, managed(server, server))  # type: ignore[arg-type]

    asyncio.run(asyncio.wait_for(body(), 60))


@pytest.mark.parametrize(
    ("oauth", "words"),
    [
        ({"idToken": "x"}, "idpIssuer"),
        ({"idpIssuer": "https://idp.example", "clientId": "x"}, "needs `idpClientId`, and `clientId`"),
        ({"idpIssuer": "idp", "clientId": "x", "idpClientId": "y"}, "should be an https:// url"),
    ],
)
def test_half_an_entry(oauth: dict[str, str], words: str) -> None:
    """What is missing is said, with its key."""
    entry = {"url": "https://a.example/mcp", "oauth": oauth}
    assert words in str(parsed({"x": entry}).servers["x"])
