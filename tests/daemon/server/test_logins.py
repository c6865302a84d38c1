"""Logins as the daemon uses them: sent, renewed in time, shared, ended."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from starlette.responses import JSONResponse

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import Kind
from llm_tools_mcp.daemon.pool.statistics import State
from llm_tools_mcp.errors import LoginError
from llm_tools_mcp.login.records import LOGGED_OUT, Challenge, Records
from tests.daemon.live import Live, failure_of, living
from tests.login.browsing import definition, expired, logged_in
from tests.servers.guarded import RESOURCE_METADATA, Guarded, error, guarded, repeating

PEM = Encoding.PEM


def with_login(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A pool, a guarded server, and a login of it that the pool knows."""

    @functools.wraps(test)
    def run(tmp_path: Path) -> None:
        async def body() -> None:
            with guarded() as server:
                async with living(tmp_path) as live:
                    await logged_in(tmp_path, definition(server.url))
                    await asyncio.wait_for(test(live, server), 30)
                    await live.pool.aclose()
                    await live.renewals.aclose()

        asyncio.run(body())

    del run.__wrapped__  # type: ignore[attr-defined]  # pytest looks at the signature
    own = inspect.Parameter("tmp_path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = inspect.Signature([own])  # type: ignore[attr-defined]
    return run


def known(live: Live, server: Guarded, **keys: Any) -> ServerDefinition:
    """As the front would have it: with the login of the moment."""
    live.logins.notice_change()
    return live.logins.applied_to(definition(server.url, **keys))


def refreshes(server: Guarded) -> int:
    return sum(form["grant_type"] == "refresh_token" for form in server.asked("/token"))


@with_login
async def test_login_is_sent(live: Live, server: Guarded) -> None:
    """Calls carry the login, at no request more; what a server repeats of its token is taken out."""
    guest = known(live, server)
    assert await live.call(guest, "whoami") == "client-1"
    before = len(server.requests)
    assert await live.call(guest, "echo", text="one") == "one"
    assert len(server.requests) == before + 1
    failure = await failure_of(live.call(guest, "repeat_token"))
    wire = failure.to_wire()
    assert "I was given [redacted]" in failure.text
    assert not [secret for secret in server.secrets if secret in f"{wire.message}{wire.traceback}"]


@with_login
async def test_many_calls_across_an_expiry(live: Live, server: Guarded) -> None:
    """A hundred calls at once, with a token whose time is over, make one refresh, and none is lost."""
    guest = known(live, server)
    await live.call(guest, "whoami")
    server.tokens.clear()
    server.slow["/token"] = 0.2
    texts = await asyncio.gather(*(live.call(guest, "echo", text=str(n)) for n in range(100)))
    assert texts == [str(n) for n in range(100)]
    assert refreshes(server) == 1
    await expired(live.folder)
    await asyncio.gather(*(live.call(guest, "echo", text=str(n)) for n in range(100)))
    assert refreshes(server) == 2


@with_login
async def test_good_token_waits_for_no_renewal(live: Live, server: Guarded) -> None:
    """Near its end a token is renewed in the background; calls go on with it meanwhile."""
    guest = known(live, server)
    await live.call(guest, "whoami")
    stored = live.logins.store.read().logins[0]

    def nearly_over(records: Any) -> Any:
        soon = dataclasses.replace(stored, expires_at=stored.since + 20, lifetime=3600.0)
        return records.with_changed_login(soon)

    await live.logins.change(nearly_over)
    server.held["/token"] = threading.Event()
    assert await live.call(guest, "echo", text="meanwhile") == "meanwhile"
    server.held["/token"].set()
    await live.renewals.aclose()
    assert refreshes(server) == 1
    now = live.logins.store.read().logins[0]
    assert (now.id, now.refresh_token != stored.refresh_token) == (stored.id, True)


@with_login
async def test_refused_renewal_ends_the_login(live: Live, server: Guarded) -> None:
    """The authorization server's no means that a person is needed, which is known from then on."""
    guest = known(live, server)
    await live.names(guest)
    server.refreshes.clear()
    await expired(live.folder)
    failure = await failure_of(live.call(guest, "echo"))
    assert (failure.kind, failure.text) == (Kind.NEEDS_LOGIN, "needs a login: llm mcp login guarded")
    assert live.session(guest).state is State.NEEDS_LOGIN
    login = live.logins.store.read().logins[0]
    assert (login.access_token, login.refresh_token, "invalid_grant" in login.ended) == ("", "", True)
    stranger = known(live, server)
    assert (stranger.login, live.logins.has_ended(stranger)) == ("", True)
    assert live.known(stranger) == live.known(guest) != []
    await logged_in(live.folder, definition(server.url))
    assert await live.call(known(live, server), "echo", text="back") == "back"


@with_login
async def test_renewal_after_one_that_was_cut_off(live: Live, server: Guarded) -> None:
    """Where a daemon was killed meanwhile and the server takes the old token no more, the reason says so."""
    guest = known(live, server)
    live.logins.store.refresh_lock(guest.login).write_bytes(b"renewing")
    server.refreshes.clear()
    await expired(live.folder)
    assert (await failure_of(live.call(guest, "echo"))).kind == Kind.NEEDS_LOGIN
    assert "an earlier renewal was cut off" in live.logins.store.read().logins[0].ended


@with_login
async def test_no_word_of_a_renewal_tells_a_token(live: Live, server: Guarded) -> None:
    """A server that repeats what it was sent tells it neither to the caller nor to the store."""
    guest = known(live, server)
    await live.names(guest)
    server.faults["/token"] = lambda: repeating(server, "invalid_request")
    await expired(live.folder)
    failure = await failure_of(live.call(guest, "echo"))
    ended = live.logins.store.read().logins[0].ended
    assert ended.startswith("invalid_request: no: [redacted]")
    assert not [secret for secret in server.secrets if secret in f"{failure.to_wire()}{ended}"]
    robot = {"grantType": "client_credentials", "clientId": "robot", "clientSecret": "s3cr3t+robot"}
    text = (await failure_of(live.call(definition(server.url, oauth=robot), "echo"))).text
    assert ("[redacted]" in text, "s3cr3t" in text) == (True, False)


@with_login
async def test_network_trouble_keeps_the_login(live: Live, server: Guarded) -> None:
    """What a network error hinders is tried again after a pause, and the old token stays."""
    guest = known(live, server)
    before = live.logins.store.read().logins[0]
    await live.call(guest, "whoami")
    server.faults["/token"] = lambda: error("busy", 503)
    await expired(live.folder)
    failure = await failure_of(live.call(guest, "echo"))
    assert failure.kind == Kind.START_FAILED
    assert "HTTP 503" in failure.text
    asked = len(server.asked("/token"))
    assert "next try in" in (await failure_of(live.call(guest, "echo"))).text
    assert len(server.asked("/token")) == asked
    assert live.logins.store.read().logins[0].refresh_token == before.refresh_token
    server.faults.clear()
    live.renewals._tokens[guest.login]._next_try = 0.0  # the pause is over
    assert await live.call(guest, "echo", text="again") == "again"


@with_login
async def test_logout_ends_what_it_opened(live: Live, server: Guarded) -> None:
    """The session of a login that is over ends; a login of another account is another session."""
    guest = known(live, server)
    await live.call(guest, "whoami")
    other = definition(server.url, "other")
    await logged_in(live.folder, other)
    live.logins.notice_change()
    second = live.logins.applied_to(other)
    assert second.identity != guest.identity
    await live.call(second, "whoami")
    login = live.logins.store.read().login("guarded", server.url)
    assert login is not None
    await live.logins.change(lambda records: records.with_changed_login(login.over(LOGGED_OUT)))
    assert live.logins.notice_change()
    live.pool.sessions.keep_logins(live.logins.usable_ids())
    assert (live.is_ready(guest), live.is_ready(second)) == (False, True)


@with_login
async def test_more_rights(live: Live, server: Guarded) -> None:
    """A tool that wants more rights says so, once; the next login asks for all without being told."""
    guest = known(live, server)
    before = len(server.requests)
    failure = await failure_of(live.call(guest, "write"))
    assert failure.kind == Kind.NEEDS_SCOPE
    assert failure.text == "needs more rights (write): llm mcp login guarded"
    assert [path for path, _ in server.requests[before:]].count("/authorize") == 0
    login = await logged_in(live.folder, definition(server.url))
    assert login.scopes == ("read", "write")
    assert await live.call(known(live, server), "write", text="x") == "x"


@with_login
async def test_refusals_that_vary_are_written_once(live: Live, server: Guarded) -> None:
    """A server that asks for other scopes each time keeps neither the disk nor other servers' logins busy."""
    store, written, gate = live.logins.store, [], threading.Event()
    real = store.change

    def slowly(change: Callable[[Records], Records]) -> Records:
        gate.wait(20)
        written.append(change)
        return real(change)

    store.change = slowly  # type: ignore[method-assign]
    asked = [Challenge("guarded", server.url, (f"s{number}",)) for number in range(40)]
    notes = [asyncio.ensure_future(live.logins.note(one)) for one in asked]
    await asyncio.sleep(0)  # each has begun
    gate.set()
    await asyncio.gather(*notes)
    assert store.read().challenge("guarded", server.url) == asked[0]
    await live.logins.note(asked[0])
    assert len(written) == 1
    await live.logins.note(asked[1])
    assert store.read().challenge("guarded", server.url) == asked[1]


@with_login
async def test_changed_entry_gets_no_old_token(live: Live, server: Guarded) -> None:
    """Another url, client or issuer in the entry is another login, which nobody has made."""
    assert known(live, server).login
    for keys in ({"clientId": "another"}, {"issuer": "https://elsewhere.example"}):
        assert known(live, server, oauth=keys).login == ""
    for changed in (definition(f"{server.url}/v2"), definition(server.url, headers={"Authorization": "x"})):
        assert live.logins.applied_to(changed).login == ""


@with_login
async def test_machine_logs_in_by_itself(live: Live, server: Guarded) -> None:
    """client_credentials: the daemon gets a token at the first 401, and a new one when that is over."""
    server.clients["robot"] = "s3cr3t-of-robot"
    oauth = {"grantType": "client_credentials", "clientId": "robot", "clientSecret": "s3cr3t-of-robot"}
    robot = definition(server.url, oauth=oauth)
    assert await live.call(robot, "whoami") == "robot"
    server.tokens.clear()
    assert await live.call(robot, "whoami") == "robot"
    server.clients.clear()
    server.tokens.clear()
    assert "invalid_client" in (await failure_of(live.call(robot, "whoami"))).text


@with_login
async def test_machine_proves_itself_as_the_server_takes_it(live: Live, server: Guarded) -> None:
    """By its secret in the form where only that is offered; by a key, which signs for this server alone."""
    server.clients["robot"] = "s3cr3t-of-robot"
    server.announces["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    oauth = {"grantType": "client_credentials", "clientId": "robot", "clientSecret": "s3cr3t-of-robot"}
    assert await live.call(definition(server.url, oauth=oauth), "whoami") == "robot"
    assert server.asked("/token")[-1]["client_secret"] == "s3cr3t-of-robot"
    key = ec.generate_private_key(ec.SECP256R1())
    server.keys["signer"] = key.public_key().public_bytes(PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    pem = key.private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    signer = {"grantType": "client_credentials", "clientId": "signer", "privateKey": pem}
    guest = definition(server.url, oauth=signer)
    assert await live.call(guest, "whoami") == "signer"
    assert pem.splitlines()[1] not in repr(guest)
    wrong = definition(server.url, oauth={**signer, "privateKey": pem[:60]})
    text = (await failure_of(live.call(wrong, "whoami"))).text
    assert ("`privateKey` cannot sign" in text, pem[30:60] in text) == (True, False)


@with_login
async def test_machine_takes_more_rights_by_itself(live: Live, server: Guarded) -> None:
    """A 403 that names scopes is answered by a token with them, once; where that is refused, it is said."""
    server.clients["robot"] = "s3cr3t-of-robot"
    oauth = {"grantType": "client_credentials", "clientId": "robot", "clientSecret": "s3cr3t-of-robot"}
    robot = definition(server.url, oauth=oauth)
    assert await live.call(robot, "write", text="x") == "x"
    assert [form["scope"] for form in server.asked("/token")[1:]] == ["read", "read write"]
    assert await live.call(robot, "write", text="y") == "y"
    other = definition(server.url, oauth={**oauth, "scopes": "read"})
    assert await live.call(other, "whoami") == "robot"
    server.faults["/token"] = lambda: error("invalid_scope")
    text = (await failure_of(live.call(other, "write"))).text
    assert "answered HTTP 403" in text
    assert "it wants more rights (write)" in text
    assert await live.call(other, "whoami") == "robot"


@with_login
async def test_secret_goes_to_the_first_issuer_alone(live: Live, server: Guarded) -> None:
    """A resource that names another authorization server gets no secret, unless the entry says so."""
    server.clients["robot"] = "s3cr3t-of-robot"
    client = {"clientId": "robot", "clientSecret": "s3cr3t-of-robot"}
    robot = definition(server.url, oauth={"grantType": "client_credentials", **client})
    assert await live.call(robot, "whoami") == "robot"
    await live.renewals.aclose()
    with guarded() as thief:
        thief.clients["robot"] = "s3cr3t-of-robot"
        thief.announces["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
        named = {"resource": server.url, "authorization_servers": [thief.origin]}
        server.faults[RESOURCE_METADATA] = lambda: JSONResponse(named)
        server.tokens.clear()
        later = definition(server.url, oauth={"grantType": "client_credentials", "scopes": "b", **client})
        words = f"used with {server.origin}, and the server names {thief.origin} now"
        text = (await failure_of(live.call(later, "whoami"))).text
        assert (words in text, f'"issuer": "{thief.origin}"' in text) == (True, True)
        with pytest.raises(LoginError, match=words):
            await logged_in(live.folder, definition(server.url, oauth=client))
        assert thief.asked("/token") == []
        trusting = definition(server.url, oauth={**client, "issuer": thief.origin})
        assert (await logged_in(live.folder, trusting)).issuer == thief.origin


@with_login
async def test_headers_helper(live: Live, server: Guarded) -> None:
    """A command gives the headers: when the server is connected, and again after a 401."""
    token = live.folder / "token"
    token.write_text(next(iter(server.tokens)))
    command = f'printf \'{{"Authorization": "Bearer %s"}}\' "$(cat {token})"'
    helped = definition(server.url, headersHelper=command)
    assert await live.call(helped, "whoami") == "client-1"
    fresh = dataclasses.replace(next(iter(server.tokens.values())))
    server.tokens.clear()
    server.tokens["another-token"] = fresh
    token.write_text("another-token")
    assert await live.call(helped, "whoami") == "client-1"
    for command, words in (
        ("exit 3", "ended with code 3"),
        ("echo no", "printed no JSON object"),
        ("yes", "printed more than 64 KiB"),
    ):
        failure = await failure_of(live.call(definition(server.url, headersHelper=command), "whoami"))
        assert words in failure.text


@with_login
async def test_secret_that_was_changed_in_the_entry_is_used(live: Live, server: Guarded) -> None:
    """A login that is renewed later is renewed with the client's secret of today."""
    server.announces["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    server.clients["mine"] = ""
    before, now = ({"clientId": "mine", "clientSecret": f"{word}-s3cr3t"} for word in ("former", "new"))
    await logged_in(live.folder, definition(server.url, oauth=before))
    assert await live.call(known(live, server, oauth=before), "whoami") == "mine"
    await expired(live.folder)
    assert await live.call(known(live, server, oauth=now), "whoami") == "mine"
    assert server.asked("/token")[-1]["client_secret"] == "new-s3cr3t"


@with_login
async def test_damaged_store_is_said_where_it_matters(live: Live, server: Guarded) -> None:
    """What cannot be read is no login: the server that wants one says why, and the file stays as it is."""
    live.logins.store.path.write_text("{")
    guest = known(live, server)
    failure = await failure_of(live.call(guest, "echo"))
    assert failure.kind == Kind.NEEDS_LOGIN
    assert "needs a login: llm mcp login guarded; the store of logins" in failure.text
    assert "is damaged; to go on: mv" in failure.text
    assert live.logins.store.path.read_text() == "{"


@with_login
async def test_repair_counts_at_once(live: Live, server: Guarded) -> None:
    """After the chmod that the message tells, the next call goes on: nothing else has to be touched."""
    assert await live.call(known(live, server), "whoami") == "client-1"
    live.logins.store.path.chmod(0o644)
    failure = await failure_of(live.call(known(live, server), "whoami"))
    assert "chmod 600" in failure.text
    live.logins.store.path.chmod(0o600)
    assert await live.call(known(live, server), "whoami") == "client-1"
