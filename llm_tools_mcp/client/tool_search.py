"""Tools by what they are for: the daemon ranks, and what it found are the offers of a listing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llm_tools_mcp import v1
from llm_tools_mcp.errors import DaemonUnreachable

from .daemon import Daemon
from .tools import Listing, Offer


@dataclass(frozen=True, slots=True)
class Ranking:
    """`offers`: the best one first. `servers`: name → why it cannot be used, or nothing."""

    offers: tuple[Offer, ...]
    servers: dict[str, str]


def search(
    daemon: Daemon, listing: Listing, query: str, servers: Sequence[str] = (), limit: int = 5
) -> Ranking:
    """The offers of `listing` that fit a query best. Raises DaemonError."""
    request = v1.SearchToolsRequest(
        caller=listing.caller,
        query=query,
        servers=servers,
        # A listing may be narrower than what the daemon knows.
        limit=10 * limit,
        protocol=listing.protocol,
    )
    try:
        response = daemon.client().search(request)
    except DaemonUnreachable:  # it went away just now; nothing is lost by asking again
        daemon.forget_client()
        response = daemon.client().search(request)
    offers = {(offer.server, offer.tool): offer for offer in listing.offers}
    found = [offers[key] for one in response.found if (key := (one.server, one.tool)) in offers]
    failed = {one.server: one.reason for one in listing.failed}
    wanted = {offer.server for offer in listing.offers} | set(failed)
    return Ranking(
        tuple(found[:limit]),
        {
            one.server: failed.get(one.server) or one.trouble
            for one in response.servers
            if one.server in wanted
        },
    )
