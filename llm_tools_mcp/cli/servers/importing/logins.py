"""How another client logs in to a server → `oauth` and `headersHelper`; the login itself is made anew."""

from __future__ import annotations

import shlex
from typing import Any

from .documents import Json
from .shapes import number_in

# As Claude Code, Gemini CLI and Codex spell them.
_KEYS = {
    "clientId": "clientId",
    "client_id": "clientId",
    "clientSecret": "clientSecret",
    "client_secret": "clientSecret",
    "scopes": "scopes",
    "callbackPort": "callbackPort",
    "callback_port": "callbackPort",
    "redirectUri": "redirectUri",
    "clientMetadataUrl": "clientMetadataUrl",
    "grantType": "grantType",
    "issuer": "issuer",
    # Of opencode and LibreChat
    "scope": "scopes",
    "redirect_uri": "redirectUri",
    # Cursor's
    "CLIENT_ID": "clientId",
    "CLIENT_SECRET": "clientSecret",
}
# Ways to say that there is a login, and nothing about it.
_JUST_OAUTH = {"auth": "oauth", "authentication": "oauth", "authProviderType": "dynamic_discovery"}


def take_login(rest: Json, entry: Json, name: str) -> list[str]:
    """Moves what there is from `rest` to `entry`; a note says how to log in."""
    if "headersHelper" in rest:
        entry["headersHelper"] = rest.pop("headersHelper")
    given = rest.pop("auth") if isinstance(rest.get("auth"), dict) else rest.pop("oauth", None)
    says_oauth = given is True or isinstance(given, dict)
    for key, word in _JUST_OAUTH.items():
        if rest.get(key) == word:
            rest.pop(key)
            says_oauth = True
    oauth = _known(given) if isinstance(given, dict) and given.get("enabled") is not False else {}
    if isinstance(scopes := rest.get("scopes"), list):
        oauth.setdefault("scopes", scopes)
        rest.pop("scopes")
        says_oauth = True
    if oauth:
        entry["oauth"] = oauth
    if given is False:
        entry["oauth"] = False
    is_due = says_oauth and "headersHelper" not in entry
    return [f"to log in: llm mcp login {shlex.quote(name)}"] if is_due else []


def _known(given: dict[str, Any]) -> dict[str, Any]:
    oauth = {ours: given[key] for key, ours in _KEYS.items() if given.get(key) not in (None, "", [])}
    if "callbackPort" in oauth:
        oauth["callbackPort"] = number_in(oauth["callbackPort"])
    if "clientId" in oauth and "callbackPort" in oauth:  # it was registered so, by hand
        oauth.setdefault("redirectUri", f"http://localhost:{oauth['callbackPort']}/callback")
    return oauth
