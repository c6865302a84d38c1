"""A person's login, against a real authorization server: what is sent, what is refused, and the words."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import re
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from llm_tools_mcp.errors import LoginError
from llm_tools_mcp.login.records import Challenge, Login, Records
from llm_tools_mcp.login.store import LoginStore
from tests.login.browsing import Browser, Paster, definition, logged_in, redirected, with_parameters
from tests.servers.guarded import RESOURCE_METADATA, SERVER_METADATA, Guarded, error, guarded, repeating
from tests.waiting import wait_until

NOBODY = 65534


def with_guarded(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(tmp_path: Path, **kwargs: Any) -> None:
        with guarded() as server:
            asyncio.run(asyncio.wait_for(test(server, tmp_path, **kwargs), 30))

    del run.__wrapped__  # type: ignore[attr-defined]  # pytest looks at the signature
    import inspect

    extra = list(inspect.signature(test).parameters.values())[2:]
    own = inspect.Parameter("tmp_path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in extra]
    run.__signature__ = inspect.Signature([own, *keywords])  # type: ignore[attr-defined]
    return run


@with_guarded
async def test_login(server: Guarded, folder: Path) -> None:
    """The whole flow asks for what is due, once, and stores what it got where only the user can read it."""
    browser = Browser()
    server.announces["scopes_supported"] = ["read", "offline_access"]
    login = await logged_in(folder, definition(server.url), browser, ("extra",))
    browser.wait()
    (asked,) = server.asked("/authorize")
    assert asked["scope"] == "read extra offline_access"
    assert (asked["resource"], asked["code_challenge_method"]) == (server.url, "S256")
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    assert (login.issuer, login.scopes) == (server.origin, ("read", "extra", "offline_access"))
    assert "You are logged in" in browser.pages[0]
    store = LoginStore(folder / "logins.json")
    assert store.read().login("guarded", server.url) == login
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert not [secret for secret in server.secrets if secret in repr(login) + repr(store.read())]


@with_guarded
async def test_second_login_keeps_the_registration(server: Guarded, folder: Path) -> None:
    """A client registers once at an issuer; for more rights, and once it was forgotten, again."""
    first = await logged_in(folder, definition(server.url))
    again = await logged_in(folder, definition(server.url))
    assert (len(server.clients), again.client_id) == (1, first.client_id)
    assert again.id != first.id
    wider = await logged_in(folder, definition(server.url), None, ("write",))
    assert (len(server.clients), wider.scopes) == (2, ("read", "write"))
    server.clients.clear()
    server.faults["/token"] = lambda: error("invalid_client", 401)
    with pytest.raises(LoginError, match="invalid_client"):
        await logged_in(folder, definition(server.url), None, ("write",))
    server.faults.clear()
    assert (await logged_in(folder, definition(server.url), None, ("write",))).client_id in server.clients


@with_guarded
async def test_pasted_address(server: Guarded, folder: Path) -> None:
    """Without a browser the address is pasted, whole or its query; one of another login is asked for anew."""
    person = Paster(
        "what?",
        lambda url: with_parameters(redirected(url), state="another"),
        lambda url: redirected(url).partition("?")[2],
    )
    assert (await logged_in(folder, definition(server.url), person)).is_usable
    assert "paste" in person.said[0]
    assert "another login" in person.said[1]


@with_guarded
async def test_strangers_at_the_callback(server: Guarded, folder: Path) -> None:
    """A request with a wrong state, or none, and a second one, change nothing and are told so."""
    server.held["/token"] = threading.Event()

    def intruded(url: str) -> str:
        target = redirected(url)
        browser.visit(with_parameters(target, state="wrong"))
        browser.visit(target.partition("/callback")[0] + "/elsewhere")
        browser.visit_meanwhile(target)
        wait_until(lambda: server.asked("/token"))
        browser.visit(target)
        server.held["/token"].set()
        return ""

    browser = Browser(intruded)
    await logged_in(folder, definition(server.url), browser)
    browser.wait()
    words = " ".join(browser.pages)
    for said in ("another login", "nothing here", "answered already", "You are logged in"):
        assert said in words
    assert any("wrong `state`" in line for line in browser.said)
    assert any("second time" in line for line in browser.said)


@with_guarded
async def test_server_that_says_nothing_of_a_login(server: Guarded, folder: Path) -> None:
    """A bare 401 without any metadata may want a token: that is said, with where it goes."""
    for path in (RESOURCE_METADATA, SERVER_METADATA, "/register"):
        server.faults[path] = lambda: error("not_found", 404)
    with pytest.raises(LoginError, match='it may want a token instead: "headers"'):
        await logged_in(folder, definition(server.url))


REFUSALS: dict[str, tuple[Callable[[Guarded], Any], str]] = {
    "denied": (lambda s: setattr(s, "deny", True), "denied in the browser"),
    "iss missing": (lambda s: setattr(s, "iss", None), "does not say that it comes from"),
    "iss wrong": (lambda s: setattr(s, "iss", "https://evil.example"), "comes from another server"),
    "no pkce": (
        lambda s: s.announces.update(code_challenge_methods_supported=None),
        "does not announce PKCE",
    ),
    "issuer": (lambda s: s.announces.update(issuer="https://evil.example"), "says that it is"),
    "insecure": (
        lambda s: s.announces.update(token_endpoint="http://evil.example/token"),
        "is not an https",
    ),
    "no registration": (lambda s: s.announces.update(registration_endpoint=None), "register a client there"),
    "token": (lambda s: s.faults.update({"/token": lambda: error("invalid_grant")}), "invalid_grant"),
    "trouble": (lambda s: s.faults.update({"/token": lambda: error("oops", 503)}), "HTTP 503"),
    "metadata": (
        lambda s: s.faults.update({SERVER_METADATA: lambda: error("x", 404)}),
        "publishes no metadata",
    ),
    "resource": (lambda s: s.faults.update({RESOURCE_METADATA: _foreign}), "another server"),
}


def _foreign() -> Any:
    from starlette.responses import JSONResponse

    return JSONResponse({"resource": "https://else.example/mcp", "authorization_servers": ["https://a.b"]})


@pytest.mark.parametrize("reason", REFUSALS)
@with_guarded
async def test_refusals(server: Guarded, folder: Path, reason: str) -> None:
    """What is not as it has to be ends the login, with its reason, and nothing is stored of it."""
    arrange, words = REFUSALS[reason]
    arrange(server)
    with pytest.raises(LoginError, match=words) as caught:
        await logged_in(folder, definition(server.url))
    assert not [secret for secret in server.secrets if secret in f"{caught.value}{caught.value!r}"]
    assert LoginStore(folder / "logins.json").read().logins == ()


@with_guarded
async def test_configured_client(server: Guarded, folder: Path) -> None:
    """A client of the config is used as it stands there; its secret stays there."""
    server.clients["mine"] = "s3cr3t-of-mine"
    server.announces["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    oauth = {"clientId": "mine", "clientSecret": "s3cr3t-of-mine", "scopes": "a b"}
    login = await logged_in(folder, definition(server.url, oauth=oauth))
    assert (login.client_id, login.scopes, server.asked("/register")) == ("mine", ("a", "b"), [])
    assert server.asked("/token")[0]["client_secret"] == "s3cr3t-of-mine"
    assert "s3cr3t" not in (folder / "logins.json").read_text()
    assert "s3cr3t" not in repr(definition(server.url, oauth=oauth))


@with_guarded
async def test_no_error_repeats_a_secret(server: Guarded, folder: Path) -> None:
    """What was sent is taken out of what an authorization server says, whatever its form and length."""
    server.clients["mine"] = secret = "s3cr3t+mine"
    server.faults["/token"] = lambda: repeating(server, "invalid_grant")
    for method in ("client_secret_post", "client_secret_basic"):
        server.announces["token_endpoint_auth_methods_supported"] = [method]
        oauth = {"clientId": "mine", "clientSecret": secret}
        with pytest.raises(LoginError, match=r"invalid_grant: no: .*\[redacted\]") as caught:
            await logged_in(folder, definition(server.url, oauth=oauth))
        sent = server.asked("/token")[-1]
        hidden = (secret, sent["code"], sent["code_verifier"], sent["authorization"].split(" ")[-1])
        assert not [each for each in hidden if each and each in str(caught.value)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_store_of_another_user_is_refused(tmp_path: Path) -> None:
    """Whose tokens they are is unknown: it is neither read nor replaced, and what to type is said."""
    store = LoginStore(tmp_path / "logins.json")
    store.path.write_text('{"version": 1}')
    store.path.chmod(0o600)
    os.chown(store.path, NOBODY, -1)
    for use in (store.read, lambda: store.change(lambda records: records)):
        with pytest.raises(LoginError, match=rf"another user \(uid {NOBODY}\).*sudo chown 0 "):
            use()
    assert (store.path.stat().st_uid, store.path.read_text()) == (NOBODY, '{"version": 1}')


HUGE = "1" + "0" * 400
LONE = chr(92) + "ud800"
# What an answer holds at a path, and whether a login is possible with it.
STRANGE: tuple[tuple[str, dict[str, Any], bool], ...] = (
    ("/token", {"access_token": "a", "token_type": "bearer", "expires_in": "HUGE"}, True),
    ("/token", {"access_token": "a", "token_type": "bearer", "expires_in": "HUGEHUGEHUGE" * 9}, True),
    ("/token", {"access_token": "a", "refresh_token": "LONE", "scope": "LONE"}, True),
    *(
        ("/token", {"access_token": "a", "expires_in": wrong, "scope": ["x"], "refresh_token": "r\n"}, True)
        for wrong in (-5, "soon", [], 1e300)
    ),
    ("/token", {"access_token": "LONE"}, False),
    *(("/token", {"access_token": wrong}, False) for wrong in ("a\r\nb: c", ["a"], "a" * 70000)),
    ("/token", {"access_token": "a", "token_type": 5}, False),
    ("/register", {"client_id": "x", "client_secret_expires_at": "HUGE"}, True),
    ("/register", {"client_id": "LONE"}, False),
    ("/register", {"client_id": ["x"]}, False),
    (SERVER_METADATA, {"issuer": "LONE"}, False),
    (RESOURCE_METADATA, {"resource": "http://[", "authorization_servers": ["https://a.b"]}, False),
    *(
        (RESOURCE_METADATA, {"resource": "URL", "authorization_servers": [issuer]}, False)
        for issuer in ("https://a\x00b", "https://LONE", "https://[", "https://a\tb", "https://" + "a" * 300)
    ),
)


@with_guarded
async def test_strange_answers(server: Guarded, folder: Path) -> None:
    """Whatever stands in an answer, it is passed over or refused with a reason; nothing else is raised."""
    for number, (path, content, is_possible) in enumerate(STRANGE):
        text = json.dumps(content).replace("LONE", LONE).replace("URL", server.url)
        text = text.replace('"HUGE"', HUGE) if '"HUGE"' in text else re.sub('"(HUGE)+"', "9" * 5000, text)
        server.faults = {path: lambda text=text: Response(text, media_type="application/json")}  # type: ignore[misc]
        server.clients["x"] = ""
        store = folder / str(number)
        if is_possible:
            login = await logged_in(store, definition(server.url))
            assert LoginStore(store / "logins.json").read().logins == (login,)
        else:
            with pytest.raises(LoginError):
                await logged_in(store, definition(server.url))


@with_guarded
async def test_strange_place_of_metadata(server: Guarded, folder: Path) -> None:
    """So with what a server says in its refusal."""
    for url in ("https://a\tb/", "http://[", "https://\ud800/"):
        challenge = Challenge("guarded", server.url, (), url)
        LoginStore(folder / "logins.json").change(lambda records, it=challenge: records.with_challenge(it))  # type: ignore[misc]
        with pytest.raises(LoginError):
            await logged_in(folder, definition(server.url))


def test_damaged_store_is_refused(tmp_path: Path) -> None:
    """A store that is damaged, of a later version or open to others is neither used nor written."""
    store = LoginStore(tmp_path / "logins.json")
    store.change(lambda records: records)
    whole = Login("a", "https://a/", "https://b", "", "c", "none", "https://b/t")
    as_json = json.dumps({"version": 1, **Records((whole,)).to_json()})
    store.path.write_text(as_json)
    store.path.chmod(0o600)
    assert store.read().logins == (whole,)
    broken = [as_json.replace('"since": 0.0', f'"since": {bad}') for bad in (HUGE, "9" * 5000, "NaN", "true")]
    broken.append(as_json.replace('"client_id": "c"', f'"client_id": "{LONE}"'))
    broken += ["{", "[]", json.dumps({"version": 1, "logins": [{"server": 5}]}), '{"version": 9}']
    for content in broken:
        store.path.write_text(content)
        store.path.chmod(0o600)
        with pytest.raises(LoginError, match="to go on: mv"):
            store.read()
        with pytest.raises(LoginError):
            store.change(lambda records: records)
        assert store.path.read_text() == content
    store.path.chmod(0o644)
    with pytest.raises(LoginError, match="chmod 600"):
        store.read()
