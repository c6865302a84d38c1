"""The token endpoint: a code, a refresh token or the client itself → an access token."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from llm_tools_mcp.errors import LoginError, LoginRefused, LoginUnreachable
from llm_tools_mcp.text.redaction import redactor

from . import values
from .web import Answer, post

if TYPE_CHECKING:
    import httpx2

BASIC, POST, NONE, PRIVATE_KEY_JWT = "client_secret_basic", "client_secret_post", "none", "private_key_jwt"

_ENDPOINT, _REVOCATION = "the token endpoint", "the revocation endpoint"
_SECRET_FIELDS = (
    *("code", "code_verifier", "refresh_token", "token", "client_secret", "client_assertion"),
    *("assertion", "subject_token"),
)
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_WORDS = 300
_CODE = re.compile(r"[a-z0-9_.-]{1,60}")


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are at one authorization server."""

    id: str
    auth_method: str
    issuer: str
    secret: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    algorithm: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """What was given. `expires_in` is seconds, None where it is not said; so with `scopes`."""

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_in: float | None = None
    scopes: tuple[str, ...] | None = None
    id_token: str = field(default="", repr=False)


async def request_token(
    http: httpx2.AsyncClient,
    endpoint: str,
    client: Client,
    form: Mapping[str, str],
    secrets: Iterable[str] = (),
) -> Grant:
    """`secrets` are what the server knows besides those of the form and the client: no error repeats them.

    Raises LoginRefused for a no, LoginUnreachable where trying again may help.
    """
    return _grant(await asked(http, endpoint, client, form, secrets))


async def asked(
    http: httpx2.AsyncClient,
    endpoint: str,
    client: Client,
    form: Mapping[str, str],
    secrets: Iterable[str] = (),
) -> dict[str, Any]:
    """What a token endpoint answers; parameters and errors as above."""
    headers, credentials = await _authenticated(client)
    whole = {**form, **credentials}
    answer = await post(http, endpoint, _ENDPOINT, headers, data=whole)
    if answer.is_success:
        return answer.object()
    raise _refused(answer, _ENDPOINT, {*_secrets_in(client, headers, whole), *secrets})


async def revoke(
    http: httpx2.AsyncClient,
    endpoint: str,
    client: Client,
    token: str,
    hint: str,
    secrets: Iterable[str] = (),
) -> None:
    """RFC 7009. `secrets` as above. Raises LoginError."""
    headers, credentials = await _authenticated(client)
    form = {"token": token, "token_type_hint": hint, **credentials}
    answer = await post(http, endpoint, _REVOCATION, headers, data=form)
    if not answer.is_success:
        raise _refused(answer, _REVOCATION, {*_secrets_in(client, headers, form), *secrets})


def _secrets_in(client: Client, headers: Mapping[str, str], form: Mapping[str, str]) -> Iterator[str]:
    """All that a server was sent and may repeat."""
    yield from (client.secret, client.private_key)
    yield from (form[name] for name in _SECRET_FIELDS if name in form)
    for value in headers.values():
        yield value.partition(" ")[2]


async def _authenticated(client: Client) -> tuple[dict[str, str], dict[str, str]]:
    """Headers, and what the form has besides."""
    if client.auth_method == BASIC:
        pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"  # RFC 6749, 2.3.1
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}, {}
    if client.auth_method == PRIVATE_KEY_JWT:
        assertion = await _assertion(client)
        return {}, {
            "client_id": client.id,
            "client_assertion_type": _ASSERTION,
            "client_assertion": assertion,
        }
    secret = {"client_secret": client.secret} if client.auth_method == POST else {}
    return {}, {"client_id": client.id, **secret}


async def _assertion(client: Client) -> str:
    """Signed for the issuer, and for nobody else (RFC 7523). Raises LoginError."""
    from mcp.client.auth.extensions.client_credentials import SignedJWTParameters  # it loads cryptography

    key = client.private_key.replace("\\n", "\n")  # as many environments hold it
    try:
        parameters = SignedJWTParameters(
            issuer=client.id,
            subject=client.id,
            signing_key=key,
            signing_algorithm=client.algorithm or _algorithm_of(key),
        )
        return await parameters.create_assertion_provider()(client.issuer)
    except Exception as error:  # noqa: BLE001 - cryptography and jwt have dozens, and some quote the key
        reason = type(error).__name__
    raise LoginRefused(f"`privateKey` cannot sign ({reason}): it has to be PEM, and fit `algorithm`")


def _algorithm_of(key: str) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    loaded = load_pem_private_key(key.encode(), None)
    if isinstance(loaded, ec.EllipticCurvePrivateKey):
        return {256: "ES256", 384: "ES384", 521: "ES512"}[loaded.curve.key_size]
    return "EdDSA" if isinstance(loaded, ed25519.Ed25519PrivateKey) else "RS256"


def _grant(found: dict[str, Any]) -> Grant:
    token, kind = values.text(found, "access_token"), found.get("token_type", "bearer")
    if not re.fullmatch(r"[!-~]+", token):
        raise LoginError(f"{_ENDPOINT} sent no access token that can be used")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise LoginError(f"{_ENDPOINT} sent a token of another kind than Bearer")
    return Grant(
        token,
        values.text(found, "refresh_token"),
        values.seconds(found.get("expires_in")),
        values.words(found, "scope"),
        values.text(found, "id_token"),
    )


def _refused(answer: Answer, endpoint: str, secrets: Collection[str]) -> LoginError:
    found = answer.object()
    code = str(found.get("error", ""))
    code = code if _CODE.fullmatch(code) and redactor(secrets)(code) == code else ""
    if answer.status >= 500 or answer.status in (408, 429):
        return LoginUnreachable(f"{endpoint} answered HTTP {answer.status}")
    said = describe(code, found.get("error_description"), secrets)
    return LoginRefused(said or f"{endpoint} answered HTTP {answer.status}", code)


def describe(code: str, description: object, secrets: Collection[str] = ()) -> str:
    """An error of OAuth in words, without the secrets; never the description alone."""
    code = "".join(c for c in code if c.isprintable())
    if not code:
        return ""
    words = "".join(c for c in " ".join(str(description or "").split()) if c.isprintable())
    cleaned = redactor(secrets)
    words = re.sub(r"[^\s]{40,}", "…", cleaned(words)[:_MAX_WORDS])  # a cut secret would not be found
    code = cleaned(code)
    return f"{code}: {words}" if words else code
