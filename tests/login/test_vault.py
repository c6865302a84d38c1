"""Tokens in the keyring: of a real one in a file, which may be locked, missing, or give nothing back."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked
from keyrings.alt.file import PlaintextKeyring

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import Kind
from llm_tools_mcp.daemon.server.login_tokens import LoginTokens
from llm_tools_mcp.daemon.server.logins import Logins
from llm_tools_mcp.daemon.server.transport.http_client import client_for
from llm_tools_mcp.errors import KeyringUnusable, LoginError, LoginsUnusable
from llm_tools_mcp.login import vault
from llm_tools_mcp.login.records import LOGGED_OUT, Login
from llm_tools_mcp.login.store import LoginStore
from tests.daemon.live import Live, failure_of, living
from tests.login.browsing import definition, expired, logged_in
from tests.servers.guarded import Guarded, guarded
from tests.waiting import wait_until


class Lockable(PlaintextKeyring):
    """Says what that of a desktop says while it is locked."""

    locked = False

    def get_password(self, service: str, user: str) -> str | None:
        self._check_lock()
        return super().get_password(service, user)

    def set_password(self, service: str, user: str, password: str) -> None:
        self._check_lock()
        super().set_password(service, user, password)

    def _check_lock(self) -> None:
        if self.locked:
            raise KeyringLocked("Failed to unlock the collection!")


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lockable]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    before, made = keyring.get_keyring(), Lockable()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def seen(folder: Path, server: Guarded) -> list[str]:
    """Secrets that are in the file of logins."""
    text = (folder / "logins.json").read_text()
    return [secret for secret in server.secrets if secret in text]


def test_tokens_are_in_the_keyring_alone(tmp_path: Path, ring: Lockable) -> None:
    """The daemon uses and renews them there, so does the next one; a later login stays where one was."""

    async def body() -> None:
        with guarded() as server:
            entry = definition(server.url)
            login = await logged_in(tmp_path, entry, in_keyring=True)
            assert seen(tmp_path, server) == []
            for _ in range(2):
                async with living(tmp_path) as live:
                    known = known_to(live, entry.with_login(login.id))
                    assert await live.call(known, "whoami") == "client-1"
                    await expired(tmp_path)
                    texts = await asyncio.gather(*(live.call(known, "echo", text=str(n)) for n in range(20)))
                    assert texts == [str(n) for n in range(20)]
                    await live.renewals.aclose()
            assert len(server.asked("/token")) == 3
            assert seen(tmp_path, server) == []
            again = await logged_in(tmp_path, entry)
            assert (again.in_keyring, again.sealed().refresh_token, again.can_be_renewed) == (True, "", True)
            with pytest.raises(KeyringUnusable, match="has no tokens of 'guarded' any more"):
                vault.opened(login)
            last = await logged_in(tmp_path, entry, in_keyring=False)
            assert (last.in_keyring, len(seen(tmp_path, server))) == (False, 2)

    asyncio.run(asyncio.wait_for(body(), 60))


def test_logout_during_a_renewal_leaves_nothing(tmp_path: Path, ring: Lockable) -> None:
    """What was given meanwhile is not kept: the logout has been told that it was the end."""

    async def body() -> None:
        with guarded() as server:
            entry = definition(server.url)
            login = await logged_in(tmp_path, entry, in_keyring=True)
            async with living(tmp_path) as live:
                known = known_to(live, entry)
                await live.names(known)
                await expired(tmp_path)
                server.held["/token"] = threading.Event()
                calling = asyncio.ensure_future(failure_of(live.call(known, "whoami")))
                await asyncio.to_thread(wait_until, lambda: len(server.asked("/token")) == 2)
                over = login.over(LOGGED_OUT)
                await live.logins.change(lambda records: records.with_changed_login(over))
                vault.forget(login)
                server.held["/token"].set()
                assert (await calling).kind == Kind.NEEDS_LOGIN
                await live.renewals.aclose()
            assert ring.get_password("llm-tools-mcp", login.id) is None

    asyncio.run(asyncio.wait_for(body(), 60))


def known_to(live: Live, entry: ServerDefinition) -> ServerDefinition:
    live.logins.notice_change()
    return live.logins.applied_to(entry)


def test_locked_keyring_loses_nothing(tmp_path: Path, ring: Lockable) -> None:
    """What to do is said; once it is unlocked, all goes on, also with what could not be stored meanwhile."""

    async def body() -> None:
        with guarded() as server:
            entry = definition(server.url)
            await logged_in(tmp_path, entry, in_keyring=True)
            async with living(tmp_path) as live:
                known = known_to(live, entry)
                ring.locked = True
                failure = await failure_of(live.call(known, "whoami"))
                assert failure.kind == Kind.START_FAILED
                assert "the keyring is locked; to go on: unlock it" in failure.text
                ring.locked, live.forward = False, 60.0
                assert await live.call(known, "whoami") == "client-1"
                await expired(tmp_path)
                ring.locked = True
                assert "is locked" in (await failure_of(live.call(known, "whoami"))).text
                ring.locked = False
                live.renewals._tokens[live.logins.store.read().logins[0].id]._next_try = 0.0
                assert await live.call(known, "whoami") == "client-1"
                assert len(server.asked("/token")) == 2
                await live.renewals.aclose()

    asyncio.run(asyncio.wait_for(body(), 60))


def test_missing_keyring_is_said_first(
    tmp_path: Path, ring: Lockable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is sent to a page for tokens that could not be kept; the login in the file stays."""

    async def body() -> None:
        with guarded() as server:
            entry = definition(server.url)
            login = await logged_in(tmp_path, entry)
            asked = len(server.requests)
            keyring.set_keyring(NoKeyring())
            with pytest.raises(LoginError, match=r"the keyring is missing.*to go on: .*--no-keyring"):
                await logged_in(tmp_path, entry, in_keyring=True)
            monkeypatch.setitem(sys.modules, "keyring", None)
            with pytest.raises(LoginError, match="needs the library keyring; to go on: llm install keyring"):
                await logged_in(tmp_path, entry, in_keyring=True)
            assert len(server.requests) == asked
            assert LoginStore(tmp_path / "logins.json").read().logins == (login,)

    asyncio.run(asyncio.wait_for(body(), 60))


def test_keyring_that_waits_for_its_owner_holds_up_nobody(
    ring: Lockable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while a dialog asks for its password: it is said, and the process may end meanwhile."""
    unlocked = threading.Event()
    monkeypatch.setattr(ring, "get_password", lambda *_: unlocked.wait(20) and None)
    login = Login("a", "https://a/", "https://i", "r", "c", "none", "https://i/t", in_keyring=True)
    with pytest.raises(
        KeyringUnusable, match=r"did not answer within 0.05 s; to go on: unlock it.*no-keyring a"
    ):
        asyncio.run(vault.patiently(vault.opened, login, 0.05))
    unlocked.set()


def test_keyring_that_does_not_answer_is_asked_once(
    tmp_path: Path, ring: Lockable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often its tokens are wanted meanwhile; once it answers, they are there."""
    unlocked, get = threading.Event(), ring.get_password

    def asking() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "keyring"}

    async def body() -> None:
        with guarded() as server:
            login = await logged_in(tmp_path, definition(server.url), in_keyring=True)
            logins = Logins(LoginStore(tmp_path / "logins.json"))
            tokens = LoginTokens(definition(server.url).with_login(login.id), logins, client_for)
            monkeypatch.setattr(ring, "get_password", lambda *named: unlocked.wait(20) and get(*named))
            monkeypatch.setattr(vault, "PATIENCE", 0.05)
            before = asking()
            for _ in range(3):
                with pytest.raises(KeyringUnusable, match=r"did not answer within 0.05 s"):
                    await tokens.bearer()
            assert len(asking() - before) == 1
            monkeypatch.setattr(vault, "PATIENCE", 20.0)
            unlocked.set()
            assert await tokens.bearer() in server.tokens

    asyncio.run(asyncio.wait_for(body(), 60))


def test_login_that_cannot_be_stored_leaves_nothing_in_the_keyring(
    tmp_path: Path, ring: Lockable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would look under its id."""
    kept: list[str] = []

    def put(service: str, user: str, password: str) -> None:
        Lockable.set_password(ring, service, user, password)
        if user != "probe":
            kept.append(user)
            (tmp_path / "logins.json").write_text("{")

    async def body() -> None:
        with guarded() as server:
            monkeypatch.setattr(ring, "set_password", put)
            with pytest.raises(LoginsUnusable):
                await logged_in(tmp_path, definition(server.url), in_keyring=True)
            assert [ring.get_password("llm-tools-mcp", user) for user in kept] == [None]

    asyncio.run(asyncio.wait_for(body(), 60))
