"""What a server may name: nothing nearer to us than itself, and nothing that is no https."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from llm_tools_mcp.errors import LoginError
from llm_tools_mcp.login.address_guard import check_reach
from llm_tools_mcp.login.discovery import Resource, find_resource, find_server
from tests.servers.guarded import Guarded, guarded

REMOTE, PRIVATE, LOCAL = "https://93.184.215.14/mcp", "https://10.1.2.3/mcp", "http://127.0.0.1:8000/mcp"
HERE = (
    *(
        "127.0.0.1",
        "127.9.9.9",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::]",
    ),
    *("localhost", "LOCALHOST.", "x.localhost"),
)
LINK = ("169.254.169.254", "[fe80::1]", "[::ffff:a9fe:a9fe]")
NETWORK = ("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fd00::1]", "[::ffff:10.0.0.1]")


@pytest.mark.parametrize(
    ("named_by", "refused", "taken"),
    [
        (REMOTE, (*HERE, *LINK, *NETWORK), ("93.184.215.15", "[2606:2800:21f::1]", "nobody.invalid")),
        (PRIVATE, (*HERE, *LINK), (*NETWORK, "93.184.215.15")),
        (LOCAL, LINK, (*HERE, *NETWORK, "93.184.215.15")),
    ],
)
def test_nearer_addresses_are_refused(
    named_by: str, refused: tuple[str, ...], taken: tuple[str, ...]
) -> None:
    """However they are written; what is as far away as the server that names it is taken."""

    async def body() -> None:
        for host in taken:
            assert await check_reach(f"https://{host}/x", "it", named_by) == f"https://{host}/x"
        for host in refused:
            with pytest.raises(LoginError, match="no business; refused"):
                await check_reach(f"https://{host}/x", "it", named_by)

    asyncio.run(body())


def refusal(step: object) -> str:
    async def body() -> None:
        async with httpx2.AsyncClient() as http:
            await step(http)  # type: ignore[operator]

    with pytest.raises(LoginError) as caught:
        asyncio.run(body())
    return str(caught.value)


def test_remote_server_sends_nobody_here() -> None:
    """Its metadata, its authorization server and that one's endpoints are not asked for on this machine."""
    with guarded() as server:
        text = refusal(lambda http: find_resource(http, REMOTE, f"{server.origin}/latest/meta-data"))
        assert "the server's metadata is at 127.0.0.1, on this machine" in text
        resource = Resource(REMOTE, (server.origin,))
        text = refusal(lambda http: find_server(http, resource, REMOTE))
        assert "the authorization server is at 127.0.0.1, on this machine" in text
        employer = Resource(REMOTE, ("https://10.1.1.1",))
        text = refusal(lambda http: find_server(http, employer, REMOTE))
        assert 'If you trust it: "issuer": "https://10.1.1.1" in `oauth` of its entry' in text
        assert server.requests == []
        for key in (
            "authorization_endpoint",
            "token_endpoint",
            "registration_endpoint",
            "revocation_endpoint",
        ):
            assert f"`{key}` of the authorization server is at 169.254" in _endpoint_refusal(server, key)
        server.announces.clear()
        told = refusal(
            lambda http: find_server(http, Resource(REMOTE, ("https://a.invalid",)), REMOTE, server.origin)
        )
        assert f"`issuer` in the config is {server.origin}" in told


def _endpoint_refusal(server: Guarded, key: str) -> str:
    server.announces = {key: "https://169.254.169.254/latest"}
    return refusal(lambda http: find_server(http, Resource(server.url, (server.origin,)), server.url))


OTHER_SCHEMES = {
    "file:///etc/passwd": "but file:",
    "javascript:alert(1)": "but javascript:",
    "data:text/html,x": "but data:",
    "https://user@host/": "a name in it",
    "http://example.com/x": "others could listen",
    "//example.com": "others could listen",
}


def test_other_schemes_are_refused() -> None:
    """A browser or a request goes to https alone; the words say what else it was."""
    with guarded() as server:
        named = Resource(server.url, (server.origin,))
        for url, words in OTHER_SCHEMES.items():
            assert words in refusal(lambda http, url=url: find_resource(http, server.url, url))
            server.announces["authorization_endpoint"] = url
            assert words in refusal(lambda http: find_server(http, named, server.url))
