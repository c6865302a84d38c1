"""The HTTP client of one server: its headers, and the proxies and certificates of its caller."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from llm_tools_mcp import __version__
from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import TOO_MANY_FILES, Kind, ServerFailure, lacks_files
from llm_tools_mcp.system.reasons import network_reason

from .link import Link

# Seconds to write, and to connect: less than a start may take by default, so that its failure can be told.
# Reading has no limit: calls have their own.
_HTTP_SECONDS, _CONNECT_SECONDS = 30.0, 20.0
# Guards in front of servers turn away what calls itself a library of Python.
_OWN = {"user-agent": f"llm-tools-mcp/{__version__}"}
Transport = Callable[..., httpx2.AsyncHTTPTransport]
# OpenSSL's words for an answer that is no TLS.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "record layer failure")
# Errors of a request that had no connection, and so was not sent.
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)


def http_client(definition: ServerDefinition, transport: Transport) -> httpx2.AsyncClient:
    """With the definition's headers and the proxies and certificates of its caller's environment."""
    return _client(definition.url, dict(definition.proxy_env), transport, dict(definition.headers))


def client_for(url: str, environment: dict[str, str]) -> httpx2.AsyncClient:
    """For requests to another server at this url, such as one that gives tokens. It carries no headers."""
    return _client(url, environment, httpx2.AsyncHTTPTransport, {})


def _client(
    url: str, environment: dict[str, str], transport: Transport, headers: dict[str, str]
) -> httpx2.AsyncClient:
    options: dict[str, Any] = {
        "verify": _ssl_context(environment.get("SSL_CERT_FILE", ""), environment.get("SSL_CERT_DIR", "")),
        "trust_env": False,  # the environment that counts is the caller's, not this daemon's
        "limits": httpx2.Limits(max_connections=None, max_keepalive_connections=20),
    }
    try:
        made = transport(proxy=proxy_for(url, environment), **options)
    except (ValueError, ImportError) as error:
        text = f"the caller's proxy cannot be used: {error}; there are http, https, socks5 and socks5h"
        raise ServerFailure(Kind.START_FAILED, text) from error
    return httpx2.AsyncClient(
        headers=headers if "user-agent" in map(str.lower, headers) else {**_OWN, **headers},
        timeout=httpx2.Timeout(_HTTP_SECONDS, read=None, connect=_CONNECT_SECONDS),
        transport=made,
        trust_env=False,
    )


# --- words ------------------------------------------------------------------------------------------


def unreachable(target: str, error: BaseException, link: Link) -> str:
    return f"{target} cannot be reached{link.via}: {described(error, link)}"


def described(error: BaseException, link: Link) -> str:
    if lacks_files(error):
        return TOO_MANY_FILES
    if isinstance(error, httpx2.ConnectTimeout):
        return f"no connection within {_CONNECT_SECONDS:g} s"
    said = network_reason(error) or str(error)
    return f"{link.cleaned(said) or type(error).__name__}{_tls_advice(str(error))}"


def _tls_advice(error: str) -> str:
    """What to do where the two ends do not agree on encryption, or on whom to trust."""
    if "CERTIFICATE_VERIFY_FAILED" in error:
        return "; where its authority is one of your own: export SSL_CERT_FILE=/path/to/ca.pem"
    if any(word in error for word in _NO_TLS):
        return "; it speaks no TLS there: should the url begin with http://?"
    return ""


# --- certificates, proxies --------------------------------------------------------------------------


def _ssl_context(cafile: str, capath: str) -> ssl.SSLContext:
    try:
        changed = Path(cafile).stat().st_mtime_ns if cafile else 0
        return _made_ssl_context(cafile, capath, changed)
    except (OSError, ssl.SSLError) as error:
        what = f"SSL_CERT_FILE ({cafile})" if cafile else f"SSL_CERT_DIR ({capath})"
        text = f"the caller's {what} cannot be used: {error.strerror}"
        raise ServerFailure(Kind.START_FAILED, text) from error


@lru_cache(maxsize=16)
def _made_ssl_context(cafile: str, capath: str, _changed: int) -> ssl.SSLContext:
    """Shared by all connections: a context costs 21 ms and 0.8 MB to make."""
    return ssl.create_default_context(cafile=cafile or None, capath=capath or None)


def via_proxy(definition: ServerDefinition) -> str:
    """For messages: a server may well be there, and the proxy not."""
    proxy = proxy_for(definition.url, dict(definition.proxy_env))
    if proxy is None:
        return ""
    parts = urlsplit(proxy)
    return f" through the caller's proxy {parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def proxy_for(url: str, environment: dict[str, str]) -> str | None:
    """The proxy that the caller's environment names for the url, as curl and httpx understand it."""
    proxies = {
        name[: -len("_proxy")].lower(): value
        for name, value in sorted(environment.items())  # of both spellings the lower one counts
        if name.lower().endswith("_proxy") and value
    }
    parts = urlsplit(url)
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # not in the stub

    if proxy_bypass_environment(parts.netloc.rpartition("@")[2], proxies):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy
