"""Requests to authorization servers: bounded, in time and size, and never to where others could listen."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from llm_tools_mcp.errors import LoginError, LoginUnreachable
from llm_tools_mcp.system.reasons import network_reason

from .values import integer

_SECONDS = 30.0
_MAX_BYTES = 1 << 20
_MAX_REDIRECTS = 3
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def object(self) -> dict[str, Any]:
        """The JSON object that it is; an empty one where it is none."""
        try:
            value = json.loads(self.body, parse_int=integer)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


def own_client() -> httpx2.AsyncClient:
    """With the proxies and certificates of this process' environment."""
    return httpx2.AsyncClient(verify=ssl.create_default_context())


def is_secure(url: str) -> bool:
    """https, or on this machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port, httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):
        return False
    is_here = parts.scheme == "http" and parts.hostname in _LOOPBACK
    return bool(parts.hostname) and (parts.scheme == "https" or is_here) and parts.username is None


def check_secure(url: str, what: str) -> str:
    """Raises LoginError."""
    if is_secure(url):
        return url
    scheme, colon, _ = url.partition(":")
    if scheme.lower() == "http" or not colon or not _SCHEME.fullmatch(scheme.lower()):
        raise LoginError(f"{what} is not an https:// url; refused, since others could listen")
    named = "without a host, or with a name in it" if scheme.lower() == "https" else f"but {scheme[:20]}:"
    raise LoginError(f"{what} is not an https:// url, {named}; refused")


async def get(client: httpx2.AsyncClient, url: str, what: str) -> Answer:
    """Follows redirects within the url's origin. Raises LoginError, LoginUnreachable."""
    headers = {"accept": "application/json"}
    request = client.build_request("GET", check_secure(url, what), headers=headers, timeout=_SECONDS)
    for _ in range(_MAX_REDIRECTS):
        answer, following = await _sent(client, request, what)
        if following is None:
            return answer
        request = following
    raise LoginError(f"{what} redirects in a circle")


async def post(
    client: httpx2.AsyncClient, url: str, what: str, headers: Mapping[str, str] | None = None, **body: Any
) -> Answer:
    """`body` is httpx's: `data` of a form, or `json`. Raises LoginError, LoginUnreachable."""
    accepting = {"accept": "application/json", **(headers or {})}
    url = check_secure(url, what)
    request = client.build_request("POST", url, headers=accepting, timeout=_SECONDS, **body)
    answer, _ = await _sent(client, request, what)
    return answer


async def _sent(
    client: httpx2.AsyncClient, request: httpx2.Request, what: str
) -> tuple[Answer, httpx2.Request | None]:
    """No cause is kept of an error: a traceback of it might show the request."""
    place = f"{request.url.scheme}://{request.url.netloc.decode()}"
    try:
        response, body = await asyncio.wait_for(_exchanged(client, request, what), _SECONDS)
    except (httpx2.TimeoutException, asyncio.TimeoutError):
        reason = f"did not answer within {_SECONDS:g} s"
    except (httpx2.TransportError, httpx2.DecodingError, httpx2.InvalidURL, ValueError) as error:
        reason = f"cannot be reached: {network_reason(error) or error or type(error).__name__}"
    else:
        following = response.next_request
        is_near = following is not None and origin(following.url) == origin(request.url)
        return Answer(response.status_code, body), following if is_near else None
    raise LoginUnreachable(f"{what} at {place} {reason}")


async def _exchanged(
    client: httpx2.AsyncClient, request: httpx2.Request, what: str
) -> tuple[httpx2.Response, bytes]:
    """In one bound of time: httpx bounds the time between two bytes alone."""
    response = await client.send(request, stream=True, auth=None, follow_redirects=False)
    try:
        return response, await _body(response, what)
    finally:
        await response.aclose()


async def _body(response: httpx2.Response, what: str) -> bytes:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise LoginError(f"{what} sent more than {_MAX_BYTES >> 20} MiB")
    return body


def origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
