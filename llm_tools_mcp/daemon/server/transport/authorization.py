"""What the requests to a remote server carry beside the headers of its entry, and what a refusal means.

Three sources: a person's login, a client that logs in as itself, a helper that prints headers. All that is
secret in them is made known to the link, which takes it out of whatever the server repeats.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import anyio
import httpx2

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import ServerFailure
from llm_tools_mcp.daemon.server.logins import login_command
from llm_tools_mcp.daemon.server.machine_tokens import MachineTokens
from llm_tools_mcp.daemon.server.renewal import LoginNeeded
from llm_tools_mcp.daemon.server.tokens import Renewals
from llm_tools_mcp.errors import LoginError, LoginsUnusable
from llm_tools_mcp.login.challenge import Demand, demand_in
from llm_tools_mcp.login.records import Challenge, place_of
from llm_tools_mcp.login.web import origin

from .headers_helper import helper_headers
from .http_client import client_for, http_client, via_proxy
from .link import Link, Verdict

Headers = dict[str, str]

_HEADER = "authorization"
# Where a response says what its refusal means: (Verdict, text).
REFUSED = "llm_mcp.refused"


def authorized_client(definition: ServerDefinition, link: Link, renewals: Renewals) -> httpx2.AsyncClient:
    """The client of one server."""
    link.via = via_proxy(definition)
    authorization = Authorization(definition, link, renewals)
    return http_client(definition, partial(AuthorizedTransport, authorization, definition.url))


class Authorization:
    """One connection's."""

    def __init__(self, definition: ServerDefinition, link: Link, renewals: Renewals) -> None:
        self._definition = definition
        self._link = link
        self._logins = renewals.logins
        self._tokens = renewals.tokens_of(definition, client_for)
        self._helped: Headers | None = None
        self._helping = anyio.Lock()

    async def headers(self) -> Headers:
        """For the next request. Raises LoginError, ServerFailure."""
        if self._tokens is not None:
            return self._bearer(await self._tokens.bearer())
        if self._definition.headers_helper:
            return await self._helped_after(None)
        return {}

    async def renewed(self, sent: Headers, demand: Demand) -> Headers | None:
        """After a 401, or a 403 that wants more rights: others, if there are any that need no person.

        Raises LoginError, ServerFailure.
        """
        if self._tokens is not None:
            refused = sent.get(_HEADER, "").removeprefix("Bearer ")
            if not self._tokens.note(demand, refused):
                return None
            return self._bearer(await self._tokens.renewed(refused)) or None
        if self._definition.headers_helper and not demand.lacks_scope:
            helped = await self._helped_after(sent)
            return helped if helped != sent else None
        return None

    def _bearer(self, token: str) -> Headers:
        self._link.hide(token)
        return {_HEADER: f"Bearer {token}"} if token else {}

    async def _helped_after(self, stale: Headers | None) -> Headers:
        """Asked once for all requests that were refused with the same headers."""
        async with self._helping:
            if self._helped is None or self._helped == stale:
                self._helped = await self._ask_helper()
            return self._helped

    async def _ask_helper(self) -> Headers:
        headers = await helper_headers(self._definition)
        tokens = (value.rpartition(" ")[2] for value in headers.values())  # of "Bearer TOKEN"
        self._link.hide(*headers.values(), *tokens)
        return headers

    # --- what a refusal means -----------------------------------------------------------------------

    async def verdict(self, status: int, demand: Demand) -> tuple[Verdict, str] | None:
        """None where it says nothing about a login. What the server asks for is noted for the next one."""
        if not self._definition.can_log_in:
            return None
        if self._tokens is None and self._definition.headers and demand == Demand():
            return None  # its headers may be what is wrong
        if isinstance(self._tokens, MachineTokens):
            wanted = (
                f"; it wants more rights{self._named(demand)}" if demand.lacks_scope and demand.scopes else ""
            )
            text = f"answered HTTP {status} to the token that its `oauth` client was given{wanted}"
            return Verdict.REFUSED, text
        if status == httpx2.codes.UNAUTHORIZED:
            await self._note(demand)
            return Verdict.NEEDS_LOGIN, self.needs_login()
        if status == httpx2.codes.FORBIDDEN and demand.lacks_scope:
            await self._note(demand)
            return Verdict.NEEDS_SCOPE, self._needs_scope(demand)
        return None

    def needs_login(self) -> str:
        return self._logins.needs_login(self._definition)

    def _needs_scope(self, demand: Demand) -> str:
        login = self._logins.of(self._definition)
        named = self._named(demand)
        if login is not None and demand.scopes and set(demand.scopes) <= set(login.requested):
            return f"refuses though its login asked for these rights{named}: the account may not have them"
        return f"needs more rights{named}: {login_command(self._definition.name)}"

    def _named(self, demand: Demand) -> str:
        return f" ({' '.join(map(self._link.cleaned, demand.scopes))})" if demand.scopes else ""

    async def _note(self, demand: Demand) -> None:
        name, place = self._definition.name, place_of(self._definition.url)
        with suppress(LoginsUnusable):  # `trouble` says it
            await self._logins.note(Challenge(name, place, demand.scopes, demand.metadata_url))


class AuthorizedTransport(httpx2.AsyncHTTPTransport):
    """Adds what a request needs, and sends it again once where that has become stale."""

    def __init__(self, authorization: Authorization, url: str, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # passed through
        self._authorization = authorization
        self._origin = origin(httpx2.URL(url))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if origin(request.url) != self._origin:
            return await super().handle_async_request(request)
        try:
            return await self._authorized(request, super().handle_async_request)
        except LoginNeeded:
            return _refused(request, Verdict.NEEDS_LOGIN, self._authorization.needs_login())
        except (LoginError, ServerFailure) as error:
            return _refused(request, Verdict.NOT_SENT, str(error))

    async def _authorized(
        self, request: httpx2.Request, send: Callable[[httpx2.Request], Awaitable[httpx2.Response]]
    ) -> httpx2.Response:
        sent = await self._authorization.headers()
        request.headers.update(sent)
        response = await send(request)
        if _wants_others(response):
            async with _closed_on_error(response):
                renewed = await self._renewed(sent, response)
            if renewed:
                await response.aclose()
                request.headers.update(renewed)
                response = await send(request)
        if response.status_code in (httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
            async with _closed_on_error(response):
                verdict = await self._authorization.verdict(response.status_code, _demand(response))
            if verdict is not None:
                response.extensions[REFUSED] = verdict
        return response

    async def _renewed(self, sent: Headers, response: httpx2.Response) -> Headers | None:
        """A 403 stands where no other token is to be had: it says what the server wants."""
        try:
            return await self._authorization.renewed(sent, _demand(response))
        except LoginError:
            if response.status_code != httpx2.codes.FORBIDDEN:
                raise
            return None


@asynccontextmanager
async def _closed_on_error(response: httpx2.Response) -> AsyncIterator[None]:
    """Whoever sent the request has not got it yet, and cannot close it: also where they give up meanwhile."""
    try:
        yield
    except BaseException:
        with anyio.CancelScope(shield=True):
            await response.aclose()
        raise


def _demand(response: httpx2.Response) -> Demand:
    return demand_in(response.headers.get_list("www-authenticate"))


def _wants_others(response: httpx2.Response) -> bool:
    status = response.status_code
    lacks_scope = status == httpx2.codes.FORBIDDEN and _demand(response).lacks_scope
    return lacks_scope or status == httpx2.codes.UNAUTHORIZED


def _refused(request: httpx2.Request, verdict: Verdict, text: str) -> httpx2.Response:
    """In the server's place, which was not asked."""
    return httpx2.Response(
        httpx2.codes.UNAUTHORIZED,
        headers={"www-authenticate": "Bearer"},
        request=request,
        extensions={REFUSED: (verdict, text)},
    )


def refused(response: httpx2.Response) -> tuple[Verdict, str] | None:
    """What its refusal means, if that is known."""
    found: tuple[Verdict, str] | None = response.extensions.get(REFUSED)
    return found
