"""How near an address may be that a server names: no stranger sends us into the user's network."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import httpx2

from llm_tools_mcp.errors import LoginError

_WORLD, _NETWORK, _LINK, _MACHINE = "the internet", "a private network", "the local link", "this machine"
# Who is where, and what it may name. Cloud providers hand out credentials on the local link.
_MAY_NAME = {
    _WORLD: {_WORLD},
    _NETWORK: {_WORLD, _NETWORK},
    _LINK: {_WORLD, _NETWORK, _LINK},
    _MACHINE: {_WORLD, _NETWORK, _MACHINE},
}
# Seconds to look a name up; behind a proxy it may be known to nobody here.
_LOOKUP_SECONDS = 3.0


async def check_reach(url: str, what: str, named_by: str, issuer: str = "") -> str:
    """`url`, which came from the server at the url `named_by`. Raises LoginError where it is too near.

    An employer's `issuer` in the private network may be right: a person may trust it.
    """
    wheres = await _wheres(url)
    if wheres == {_WORLD}:
        return url
    allowed = set().union(*(_MAY_NAME[where] for where in await _wheres(named_by)))
    if too_near := sorted(wheres - allowed):
        host = httpx2.URL(url).host
        may_trust = too_near == [_NETWORK] and issuer not in ("", named_by)
        way_out = f'. If you trust it: "issuer": "{issuer}" in `oauth` of its entry' if may_trust else ""
        raise LoginError(
            f"{what} is at {host[:100]}, on {too_near[0]}, where a server elsewhere "
            f"({httpx2.URL(named_by).host}) has no business; refused{way_out}"
        )
    return url


async def _wheres(url: str) -> set[str]:
    """Of all addresses of its host; of an unknown name it is the internet."""
    host = httpx2.URL(url).host.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return {_MACHINE}
    return {_where(address) for address in await _addresses(host)} or {_WORLD}


async def _addresses(host: str) -> list[IPv4Address | IPv6Address]:
    """Looked up as a connection would do it, which takes 127.1 and 2130706433 for addresses, too."""
    try:
        return [ip_address(host)]
    except ValueError:
        looking = asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    try:
        found = await asyncio.wait_for(looking, _LOOKUP_SECONDS)
    except (OSError, UnicodeError, asyncio.TimeoutError):
        return []
    return [ip_address(address[0]) for *_, address in found]


def _where(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback or address.is_unspecified:  # 0.0.0.0 is answered by this machine
        return _MACHINE
    if address.is_link_local:
        return _LINK
    return _WORLD if address.is_global else _NETWORK
