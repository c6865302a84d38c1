"""Enterprise-managed authorization (SEP-990): who somebody is → what that allows at one server.

The identity provider exchanges its ID token for a grant (ID-JAG, RFC 8693), which the server's authorization
server takes for an access token (RFC 7523).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from llm_tools_mcp.config.oauth import OAuth
from llm_tools_mcp.errors import LoginError

from .discovery import AuthorizationServer
from .registration import configured_client
from .token import Grant, asked
from .values import seconds, text

if TYPE_CHECKING:
    import httpx2

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - the name of a kind


async def exchange_identity(
    http: httpx2.AsyncClient,
    provider: AuthorizationServer,
    oauth: OAuth,
    id_token: str,
    audience: str,
    resource: str,
    scopes: Iterable[str],
) -> str:
    """The grant for `audience`, the issuer whose authorization server guards `resource`.

    Raises LoginRefused for the provider's no, LoginUnreachable where trying again may help, LoginError.
    """
    client = configured_client(oauth.for_person, provider)
    assert client is not None  # the config was checked
    form = {
        "grant_type": _EXCHANGE,
        "requested_token_type": _ID_JAG,
        "subject_token": id_token,
        "subject_token_type": _ID_TOKEN,
        "audience": audience,
        "resource": resource,
    }
    if scope := " ".join(scopes):
        form["scope"] = scope
    found = await asked(http, provider.token_endpoint, client, form, [id_token])
    grant = text(found, "access_token")
    if found.get("issued_token_type") != _ID_JAG or not grant:
        raise LoginError(f"{provider.issuer} gave no grant for {audience} (ID-JAG): it may not offer this")
    return grant


def lifetime_of(grant: Grant) -> float:
    """Seconds for which the ID token lasts: by itself, else as long as what came with it; 0 is unknown.

    It is not verified: it came from the provider itself, which is also the one to take it.
    """
    try:
        payload = grant.id_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        end = seconds(claims["exp"])
    except (ValueError, IndexError, KeyError, TypeError, RecursionError):
        end = None
    return max(0.001, end - time.time()) if end is not None else grant.expires_in or 0.0
