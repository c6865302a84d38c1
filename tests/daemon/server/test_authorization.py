"""What requests carry that were refused together: others, which are asked for once."""

from __future__ import annotations

import asyncio

from llm_tools_mcp.daemon.server.transport.authorization import Authorization
from llm_tools_mcp.daemon.server.transport.link import Link
from llm_tools_mcp.login.challenge import Demand, demand_in
from tests.daemon.live import Live, with_live
from tests.daemon.web import at
from tests.login.browsing import definition
from tests.servers.guarded import guarded

WANTS_WRITE = demand_in(['Bearer error="insufficient_scope", scope="write"'])


@with_live
async def test_later_of_two_that_lack_a_right_gets_the_same_token(live: Live) -> None:
    """Of two that were refused with one token; a token that has the right is not replaced for it."""
    with guarded() as server:
        server.clients["robot"] = "s3cr3t-of-robot"
        oauth = {"grantType": "client_credentials", "clientId": "robot", "clientSecret": "s3cr3t-of-robot"}
        robot = definition(server.url, oauth=oauth)
        assert await live.call(robot, "whoami") == "robot"
        authorization = Authorization(robot, Link(lambda _: None), live.renewals)
        sent = await authorization.headers()
        wider = await authorization.renewed(sent, WANTS_WRITE)
        assert wider not in (None, sent)
        assert await authorization.renewed(sent, WANTS_WRITE) == wider
        assert await authorization.renewed(wider or {}, WANTS_WRITE) is None
        await live.pool.aclose()


@with_live
async def test_helper_is_asked_once_for_all_who_are_refused(live: Live) -> None:
    """With the same headers; and once for all who begin."""
    runs = live.folder / "runs"
    helper = f'echo >> {runs}; echo "{{\\"x-key\\": \\"$(wc -l < {runs})\\"}}"'
    helped = live.define(at("http://127.0.0.1:1/mcp", headersHelper=helper))
    authorization = Authorization(helped, Link(lambda _: None), live.renewals)
    (sent, *_) = await asyncio.gather(*(authorization.headers() for _ in range(5)))
    others = await asyncio.gather(*(authorization.renewed(sent, Demand()) for _ in range(5)))
    assert len(runs.read_text()) == 2
    assert others == [await authorization.headers()] * 5
