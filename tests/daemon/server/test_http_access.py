"""Headers, redirects, certificates and proxies on the way to servers behind http."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from llm_tools_mcp.daemon.failure import Kind
from llm_tools_mcp.daemon.server.transport import http_client
from llm_tools_mcp.daemon.server.transport.http_client import proxy_for
from llm_tools_mcp.daemon.server.transport.link import Link
from llm_tools_mcp.errors import SERVER_SAID
from tests.daemon.live import Live, failure_of, with_live
from tests.daemon.web import Answer, Legacy, Request, Web, at, reply, serving
from tests.programs import run
from tests.waiting import wait_until_async


@pytest.mark.parametrize("kind", ["mcp", "sse"])
@with_live
async def test_transport_is_loaded_beside_the_loop(
    live: Live, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first server behind http takes nobody's turn while its libraries are loaded."""
    name = f"llm_tools_mcp.daemon.server.transport.{'http' if kind == 'mcp' else kind}"
    seen: list[threading.Thread] = []

    class Finder:
        @staticmethod
        def find_spec(wanted: str, *_: object) -> None:
            if wanted == name:
                seen.append(threading.current_thread())

    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    await failure_of(live.names(live.define(at(f"http://127.0.0.1:9/{kind}"))))
    assert seen
    assert threading.main_thread() not in seen


@pytest.mark.parametrize("kind", ["mcp", "sse"])
@with_live
async def test_connection_that_does_not_come_about_is_told(
    live: Live, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that takes connections and never speaks TLS is no server that is slow to start."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(http_client, "_CONNECT_SECONDS", 0.1)
    async with await asyncio.start_server(listen, "127.0.0.1") as listening:
        port = listening.sockets[0].getsockname()[1]
        failure = await failure_of(live.names(live.define(at(f"https://127.0.0.1:{port}/{kind}"))))
    assert "cannot be reached: no connection within 0.1 s" in failure.text


@pytest.mark.parametrize("kind", ["mcp", "sse"])
@with_live
async def test_redirects_never_carry_headers_elsewhere(live: Live, kind: str) -> None:
    """A redirect to another origin is refused, with its reason; that origin hears nothing."""
    async with serving(lambda _: Answer(404)) as elsewhere:
        moved = Answer(307, {"location": elsewhere.url()})
        async with serving(lambda _: moved) as web:
            server = live.define(at(web.url(f"/{kind}"), headers={"Authorization": "Bearer sk-secret-1"}))
            failure = await failure_of(live.names(server))
            assert "redirect" in failure.text.lower()
            assert "sk-secret-1" not in str(failure.to_wire())
            assert elsewhere.requests == []


@with_live
async def test_redirects_within_the_origin_are_followed(live: Live) -> None:
    """A trailing slash that the server wants costs nothing."""
    legacy = Legacy()

    def slash(request: Request) -> Answer:
        return legacy(request) if request.path == "/mcp/" else Answer(307, {"location": "/mcp/"})

    async with serving(slash) as web:
        server = live.define(at(web.url(), headers={"X-Token": "t"}))
        assert await live.call(server, "echo") == "hi"
        assert {request.headers["x-token"] for request in web.requests} == {"t"}
        await live.pool.aclose()


@with_live
async def test_redirect_of_a_call_is_not_remembered(live: Live) -> None:
    """It is refused, and what comes later goes where it always went."""
    legacy = Legacy()
    legacy.faults["tools/call"] = lambda request: (
        Answer(307, {"location": "/elsewhere"})
        if request.message["params"]["arguments"]
        else legacy.answer(request)
    )
    async with serving(legacy) as web:
        server = live.define(at(web.url()))
        failure = await failure_of(live.call(server, "echo", redirect=True))
        assert failure.kind == Kind.OUTCOME_UNKNOWN
        assert await live.call(server, "echo") == "hi"
        assert {request.path for request in web.requests} == {"/mcp"}
        await live.pool.aclose()


@with_live
async def test_wrong_token_says_so(live: Live, serve_http: Any) -> None:
    """A server behind a token: 401 names the headers, the right token works, both beside each other."""
    url = serve_http("http", "--token", "right").url
    wrong = live.define(at(url, headers={"Authorization": "Bearer wrong-token"}))
    right = live.define(at(url, headers={"Authorization": "Bearer right"}))
    failure = await failure_of(live.names(wrong))
    assert failure.kind == Kind.START_FAILED
    assert "answered HTTP 401; check its `headers`" in failure.text
    assert "wrong-token" not in str(failure.to_wire())
    assert await live.call(right, "echo", text="in") == "in"
    await live.pool.aclose()


@with_live
async def test_proxy_of_the_caller_is_used(live: Live, monkeypatch: Any) -> None:
    """HTTP_PROXY of the caller counts, not the daemon's own; NO_PROXY spares a host."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    legacy = Legacy()
    async with serving(legacy) as proxy:
        env = {"HTTP_PROXY": proxy.url("")}
        server = live.define(at("http://mcp.invalid/mcp"), env=env)
        assert await live.call(server, "echo") == "hi"
        assert {request.path for request in proxy.requests} == {"http://mcp.invalid/mcp"}
        seen = len(proxy.requests)
        spared = live.define(at("http://mcp.invalid/mcp"), env={**env, "NO_PROXY": "mcp.invalid"})
        assert "cannot be reached" in (await failure_of(live.names(spared))).text
        assert len([r for r in proxy.requests if r.method == "POST"]) == seen - sum(
            r.method != "POST" for r in proxy.requests[:seen]
        )
        await live.pool.aclose()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@with_live
async def test_proxy_that_is_gone_is_named(live: Live, scheme: str) -> None:
    """What cannot be reached is the proxy, which the message names without its secrets."""
    env = {"ALL_PROXY": f"{scheme}://user:sk-secret-1@127.0.0.1:1"}
    text = (await failure_of(live.names(live.define(at("http://mcp.invalid/mcp"), env=env)))).text
    assert f"through the caller's proxy {scheme}://127.0.0.1:1: " in text
    assert "sk-secret-1" not in text


@with_live
async def test_refusal_that_wants_a_login_says_what_the_server_said(live: Live) -> None:
    """Of an old token, say: the reason stands behind what to type."""
    body = {"error": "invalid_token", "error_description": "the token has expired"}
    async with serving(lambda _: Answer.json(body, 401)) as web:
        server = live.define(at(web.url()))
        failure = await failure_of(live.names(server))
        assert failure.kind == Kind.NEEDS_LOGIN
        assert failure.text == f"needs a login: llm mcp login {server.name}{SERVER_SAID}the token has expired"


@with_live
async def test_refusal_is_read_in_the_charset_that_it_names(live: Live) -> None:
    """Also where it wants a login."""
    body = json.dumps({"error_description": "令牌已过期"}, ensure_ascii=False).encode("gbk")
    refusal = Answer(401, {"content-type": "application/json; charset=gbk"}, body)
    async with serving(lambda _: refusal) as web:
        failure = await failure_of(live.names(live.define(at(web.url()))))
        assert failure.text.endswith(f"{SERVER_SAID}令牌已过期")


@with_live
async def test_refusal_is_closed_where_no_other_headers_can_be_had(live: Live) -> None:
    """A helper that fails after a 401, or a caller that gives up meanwhile, leaves no connection open."""
    ran, may_end = live.folder / "ran", live.folder / "end"
    helper = (
        f'[ -e {may_end} ] && exit 1; [ -e {ran} ] && sleep 60; touch {ran}; echo \'{{"x-key": "12345678"}}\''
    )
    refusal = Answer(401, {"www-authenticate": "Bearer"}, b"no", hold=True)
    legacy = Legacy()
    async with serving(legacy) as web:
        server = live.define(at(web.url(), headersHelper=helper))
        await live.call(server, "echo")
        legacy.faults["tools/call"] = lambda _: refusal
        given_up = asyncio.ensure_future(live.call(server, "echo"))
        await wait_until_async(lambda: web.held == 1)
        given_up.cancel()
        await wait_until_async(lambda: web.held == 0)
        may_end.touch()
        assert "its `headersHelper` ended with code 1" in (await failure_of(live.call(server, "echo"))).text
        await wait_until_async(lambda: web.held == 0)
        await live.pool.aclose()


@with_live
async def test_token_of_a_helper_is_repeated_nowhere(live: Live) -> None:
    """Neither with what stands in front of it in the header, nor alone; of a connection that lives for weeks
    the last ones count.
    """
    legacy = Legacy()
    legacy.faults["tools/call"] = lambda request: reply(
        request, error={"code": -32001, "message": "hunter2-2 is no good, as is Bearer hunter2-2"}
    )
    async with serving(legacy) as web:
        helper = 'echo \'{"authorization": "Bearer hunter2-2"}\''
        failure = await failure_of(live.call(live.define(at(web.url(), headersHelper=helper)), "echo"))
        assert "[redacted] is no good, as is [redacted]" in failure.text
        assert "hunter2" not in str(failure.to_wire())
        await live.pool.aclose()
    link = Link(lambda _: None, ["secret-of-the-entry"])
    for number in range(100):
        link.hide(f"token-{number}")
    assert link.redacted("token-99 secret-of-the-entry token-0") == "[redacted] [redacted] token-0"


def test_proxy_names() -> None:
    """Both spellings, ALL_PROXY, and a proxy without a scheme, as curl takes them."""
    assert proxy_for("http://a/", {"http_proxy": "p:3128"}) == "http://p:3128"
    assert proxy_for("https://a/", {"HTTP_PROXY": "http://p"}) is None
    for env in (
        {"https_proxy": "http://p", "HTTPS_PROXY": "http://q"},
        {"HTTPS_PROXY": "q", "https_proxy": "p"},
    ):
        assert proxy_for("https://a/", env) == "http://p"
    assert proxy_for("https://a/", {"ALL_PROXY": "socks5://p"}) == "socks5://p"
    assert proxy_for("https://a.example/", {"ALL_PROXY": "http://p", "NO_PROXY": ".example"}) is None


@with_live
async def test_missing_certificate_file_is_named(live: Live) -> None:
    """An SSL_CERT_FILE that does not exist fails this server, and the error names it."""
    server = live.define(at("https://127.0.0.1:1/mcp"), env={"SSL_CERT_FILE": "/no/such.pem"})
    assert "SSL_CERT_FILE (/no/such.pem) cannot be used" in (await failure_of(live.names(server))).text


@with_live
async def test_certificates_of_the_caller_are_trusted(live: Live, tmp_path_factory: Any) -> None:
    """SSL_CERT_FILE of the caller is what an https server is checked against; errors say what to do."""
    key, bundle = (tmp_path_factory.mktemp("ca") / name for name in ("key.pem", "cert.pem"))
    make_certificate(key, bundle)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle, key)
    web = Web(Legacy())
    listening = await asyncio.start_server(web._serve, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/mcp"
    assert "export SSL_CERT_FILE=" in (await failure_of(live.names(live.define(at(url))))).text
    plainly = live.define(at(url.replace("https:", "http:")))
    assert "should the url begin with https://?" in (await failure_of(live.names(plainly))).text
    trusted = live.define(at(url), env={"SSL_CERT_FILE": str(bundle)})
    assert await live.call(trusted, "echo") == "hi"
    await live.pool.aclose()
    listening.close()


@with_live
async def test_https_to_what_speaks_no_tls_is_told(live: Live) -> None:
    """The error asks whether the scheme is the right one."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as listening:
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/mcp"
        failure = await failure_of(live.names(live.define(at(url))))
        assert "should the url begin with http://?" in failure.text


def make_certificate(key: Path, certificate: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("needs the command openssl, to make a certificate")
    words = (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    run(["openssl", *words.split(), "-keyout", str(key), "-out", str(certificate)])


@with_live
async def test_proxy_that_does_not_answer_is_named(live: Live) -> None:
    """The server may well be there. Of the proxy's url its password is left out."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for scheme in ("http", "socks5"):
        env = {"ALL_PROXY": f"{scheme}://u:s3cr3t@127.0.0.1:{port}"}
        failure = await failure_of(live.names(live.define({"s": {"url": "http://mcp.invalid/mcp"}}, env=env)))
        assert f"cannot be reached through the caller's proxy {scheme}://127.0.0.1:{port}: " in failure.text
        assert "s3cr3t" not in failure.text
    wrong = live.define({"s": {"url": "http://mcp.invalid/mcp"}}, env={"ALL_PROXY": "socks4://127.0.0.1:1"})
    assert "there are http, https, socks5 and socks5h" in (await failure_of(live.names(wrong))).text
