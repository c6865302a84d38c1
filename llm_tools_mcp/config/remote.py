"""A server with a url, as the caller would reach it: headers, proxies, and how to log in."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .advice import about_url
from .context import Context
from .definition import ServerDefinition, Transport
from .expansion import Expansion
from .oauth import CLIENT_CREDENTIALS, OAuth
from .problems import nested_key
from .variables import PROXY_VARIABLES, is_indifferent, is_inherited

if TYPE_CHECKING:
    from .model import OAuthEntry, RemoteEntry

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OF_EACH_REQUEST = ("content-length", "transfer-encoding")
_HEADER_VALUE = re.compile(r"[ -~]*")
_URL = re.compile(r"[^\x00-\x20\x7f]+")


def remote_server(
    entry: RemoteEntry, context: Context, expansion: Expansion, common: dict[str, Any]
) -> ServerDefinition:
    url = expansion.text("url", entry.url)
    headers = expansion.mapping("headers", entry.headers or {})
    helper = expansion.text("headersHelper", entry.headers_helper or "")
    oauth = _oauth(entry.oauth, expansion)
    _check_request(expansion, url, headers)
    return ServerDefinition(
        transport=_remote_transport(entry.type, url),
        url=url,
        headers=MappingProxyType(headers),
        proxy_env=MappingProxyType(
            {name: value for name, value in context.environment.items() if name in PROXY_VARIABLES}
        ),
        headers_helper=helper,
        helper_env=MappingProxyType(_helper_env(context) if helper else {}),
        oauth=oauth,
        confided=frozenset(expansion.used),
        **common,
    )


def _remote_transport(written_type: str | None, url: str) -> Transport:
    if written_type in (None, "remote"):
        return Transport.SSE if "/sse" in url else Transport.HTTP
    return Transport.SSE if written_type == "sse" else Transport.HTTP


def _helper_env(context: Context) -> dict[str, str]:
    """Of the caller: who it is, and its way to the network."""
    environment = context.environment.items()
    return {name: value for name, value in environment if is_inherited(name) and not is_indifferent(name)}


def _check_request(expansion: Expansion, url: str, headers: dict[str, str]) -> None:
    if not expansion.problems and not _is_http_url(url):
        what = "should be an http:// or https:// url with a host, without spaces"
        expansion.complain("url", f"{what}{about_url(url)}")
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            expansion.complain("headers", "the name of a header is empty or holds a character it may not")
        elif name.lower() in _OF_EACH_REQUEST:
            reason = "says how long one request is: leave it out"
            expansion.complain(nested_key("headers", name), reason)
        elif not _HEADER_VALUE.fullmatch(value):
            reason = "holds a control character (a line end?) or one that is not ASCII"
            expansion.complain(nested_key("headers", name), reason)
    expansion.check()


def _oauth(entry: OAuthEntry | None, expansion: Expansion) -> OAuth | None:
    """None where the entry says that there is no login."""
    from .model import NO_LOGIN

    if entry is None or entry is NO_LOGIN:
        return OAuth() if entry is None else None
    key = "oauth"
    scopes = entry.scopes.split() if isinstance(entry.scopes, str) else entry.scopes or ()
    texts = {
        "client_id": ("clientId", entry.client_id),
        "client_secret": ("clientSecret", entry.client_secret),
        "redirect_uri": ("redirectUri", entry.redirect_uri),
        "client_metadata_url": ("clientMetadataUrl", entry.client_metadata_url),
        "private_key": ("privateKey", entry.private_key),
        "algorithm": ("algorithm", entry.algorithm),
        "issuer": ("issuer", entry.issuer),
        "idp_issuer": ("idpIssuer", entry.idp_issuer),
        "idp_client_id": ("idpClientId", entry.idp_client_id),
        "idp_client_secret": ("idpClientSecret", entry.idp_client_secret),
        "id_token": ("idToken", entry.id_token),
    }
    resolved = OAuth(
        scopes=expansion.texts(nested_key(key, "scopes"), scopes),
        callback_port=entry.callback_port or 0,
        grant_type=entry.grant_type or "authorization_code",
        **{
            name: expansion.text(nested_key(key, spelled), text or "")
            for name, (spelled, text) in texts.items()
        },
    )
    _check_oauth(expansion, resolved)
    return resolved


def _check_oauth(expansion: Expansion, oauth: OAuth) -> None:
    """What contradicts itself or cannot be sent; the rest shows when somebody logs in."""
    is_machine = oauth.grant_type == CLIENT_CREDENTIALS
    if is_machine and not (oauth.client_id and (oauth.client_secret or oauth.private_key)):
        reason = "client_credentials needs `clientId`, and `clientSecret` or `privateKey`"
        expansion.complain("oauth.grantType", reason)
    if oauth.private_key and not is_machine and not oauth.is_managed:
        expansion.complain("oauth.privateKey", 'is for `"grantType": "client_credentials"`')
    if (oauth.id_token or oauth.idp_client_id or oauth.idp_client_secret) and not oauth.is_managed:
        expansion.complain("oauth.idpIssuer", "is missing: the url of the identity provider")
    if oauth.is_managed:
        _check_managed(expansion, oauth)
    if oauth.client_metadata_url and not _is_document_url(oauth.client_metadata_url):
        expansion.complain("oauth.clientMetadataUrl", "should be an https:// url with a path")
    if oauth.redirect_uri and not _is_loopback_url(oauth.redirect_uri):
        reason = "should be http:// on localhost or 127.0.0.1, with a port: the browser comes back to it"
        expansion.complain("oauth.redirectUri", reason)


def _check_managed(expansion: Expansion, oauth: OAuth) -> None:
    if not (oauth.client_id and oauth.idp_client_id):
        reason = "needs `idpClientId`, and `clientId`: this program at the provider, and at the server's own"
        expansion.complain("oauth.idpIssuer", reason)
    if oauth.grant_type == CLIENT_CREDENTIALS:
        expansion.complain("oauth.grantType", "client_credentials has no identity provider (`idpIssuer`)")
    if not _is_http_url(oauth.idp_issuer):
        expansion.complain("oauth.idpIssuer", "should be an https:// url")


def _is_http_url(url: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and bool(_URL.fullmatch(url))


def _is_document_url(url: str) -> bool:
    from urllib.parse import urlsplit

    return _is_http_url(url) and url.startswith("https://") and urlsplit(url).path not in ("", "/")


def _is_loopback_url(url: str) -> bool:
    from urllib.parse import urlsplit

    if not _is_http_url(url):
        return False
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1") and bool(parts.port)
