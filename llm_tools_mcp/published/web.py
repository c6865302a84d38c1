"""Requests to registries and for bundles: bounded in time and size, over https or on this machine."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2

from llm_tools_mcp.errors import LoginError, PublishedError
from llm_tools_mcp.login.address_guard import check_reach
from llm_tools_mcp.login.web import is_secure
from llm_tools_mcp.system import access

# Seconds: between two pieces of an answer, and for a whole answer of a registry, or a whole bundle.
_SECONDS, _ALTOGETHER, _DOWNLOADING = 20.0, 60.0, 1800.0
_MAX_ANSWER, MAX_BUNDLE = 16 << 20, 512 << 20
_MAX_REDIRECTS = 5


class NotThere(PublishedError):
    """404: the text is for where nothing better can be said."""


Client = httpx2.Client


def client() -> Client:
    """With the proxies and certificates of this process' environment."""
    return httpx2.Client(verify=ssl.create_default_context(), timeout=_SECONDS)


def get_object(web: Client, url: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON object that the url answers with. Raises PublishedError, NotThere."""
    body = bytearray()
    whole = str(httpx2.URL(url, params=query)) if query else url
    with _answered(web, whole, named_by=whole) as response:
        for piece in _pieces(response, _MAX_ANSWER, _ALTOGETHER):
            body += piece
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise PublishedError(
            f"{url} answers with something else than a JSON object; is it a registry of MCP?"
        )
    return value


def download(web: Client, url: str, path: Path, sha256: str, *, named_by: str) -> None:
    """Write what the url answers with to `path`, 0600. `named_by` is the address of who names it.

    Raises PublishedError, also for another hash.
    """
    digest = hashlib.sha256()
    try:
        with _answered(web, url, named_by) as response, path.open("xb") as file:
            path.chmod(0o600)
            for piece in _pieces(response, MAX_BUNDLE, _DOWNLOADING):
                digest.update(piece)
                file.write(piece)
    except OSError as error:
        raise PublishedError(f"what is fetched cannot be written: {access.obstacle(error, path)}") from None
    if digest.hexdigest() != sha256.lower():
        raise PublishedError(f"{url} is not the file that was published: its SHA-256 is another one")


@contextmanager
def _answered(web: Client, url: str, named_by: str) -> Iterator[httpx2.Response]:
    """The answer at the end of all redirects, for `_pieces`. Raises PublishedError, NotThere."""
    for _ in range(_MAX_REDIRECTS):
        with ExitStack() as stack:
            with _reached(url):
                _check_secure(url)
                _check_reach(url, named_by)
                response = stack.enter_context(web.stream("GET", url, follow_redirects=False))
            if response.next_request is None:
                _check_status(response, url)
                yield response
                return
            url = str(response.next_request.url)
    raise PublishedError(f"{_place(url)} redirects without end")


@contextmanager
def _reached(url: str) -> Iterator[None]:
    """Around what asks the network, and nothing else: a full disk is no host that cannot be reached."""
    try:
        yield
    except httpx2.TimeoutException:
        raise PublishedError(f"{_place(url)} did not answer within {_SECONDS:g} s; try again later") from None
    except (httpx2.TransportError, httpx2.DecodingError, httpx2.InvalidURL, OSError) as error:
        raise PublishedError(f"{_place(url)} cannot be reached: {error or type(error).__name__}") from None


def _check_secure(url: str) -> None:
    if not is_secure(url):
        raise PublishedError(f"{url!a} is no https:// url; refused, since others could change what comes")


def _check_reach(url: str, named_by: str) -> None:
    """What is published on the internet may not have us ask the user's own machine, or network."""
    try:
        if url != named_by:
            asyncio.run(check_reach(url, "what it names", named_by))
    except LoginError as error:
        raise PublishedError(str(error)) from None


def _check_status(response: httpx2.Response, url: str) -> None:
    if response.status_code == httpx2.codes.NOT_FOUND:
        raise NotThere(f"there is nothing at {url} (404)")
    if not response.is_success:
        raise PublishedError(
            f"{_place(url)} answers with {response.status_code} {response.reason_phrase}".strip()
        )


def _pieces(response: httpx2.Response, most: int, seconds: float) -> Iterator[bytes]:
    read, until = 0, time.monotonic() + seconds
    url = str(response.url)
    with _reached(url):  # what the caller's loop raises does not come in here
        for piece in response.iter_bytes():
            read += len(piece)
            if read > most:
                raise PublishedError(f"{_place(url)} sends more than {most >> 20} MiB")
            if time.monotonic() > until:
                raise PublishedError(f"{_place(url)} takes longer than {seconds:g} s")
            yield piece


def _place(url: str) -> str:
    """Without what may be a key in path or query."""
    try:
        parts = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        return "the address"
    return f"{parts.scheme}://{parts.netloc.decode()}"
