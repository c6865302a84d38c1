"""A client secret of the config goes to one authorization server: the first, or the one of the entry."""

from __future__ import annotations

from llm_tools_mcp.config.oauth import OAuth
from llm_tools_mcp.errors import LoginRefused

from .records import Pin, Records, place_of


def pinned(records: Records, oauth: OAuth, url: str, issuer: str) -> Records:
    """With this issuer as the one that the secret goes to, unless the entry names one.

    Raises LoginRefused where it is another one: who runs the resource could have the secret sent to himself.
    """
    if not oauth.client_secret or oauth.issuer:
        return records
    known = records.pin(url, oauth.client_id)
    if known is None:
        return records.with_pin(Pin(place_of(url), oauth.client_id, issuer))
    if known.issuer == issuer:
        return records
    raise LoginRefused(
        f"its client secret has been used with {known.issuer}, and the server names {issuer} now; not sent. "
        f'If you trust that one: "issuer": "{issuer}" in `oauth` of its entry'
    )
