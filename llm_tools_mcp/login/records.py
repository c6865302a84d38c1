"""What is kept of logins. Frozen, so that a reader may hold one while another process writes."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from .values import seconds

LOGGED_OUT = "logged out"
_TOKENS = ("access_token", "refresh_token", "id_token", "client_secret")
_LAST = 1e11  # seconds since the epoch: what comes later is no time


@dataclass(frozen=True, slots=True)
class Login:
    """One server's. Times are seconds since the epoch, and 0 is unknown. `ended` says why it is over.

    `id` is random: sessions are told apart by it. `client_secret` is of a client that registered itself; one
    that stands in the config is never copied. `id_token` is there where the login is at an identity provider:
    then the times are its own. Of one that is `in_keyring` the file has no tokens: another `revision` of them
    is to be looked up there, and `renews` says whether one of them is for that.
    """

    server: str
    url: str
    issuer: str
    resource: str
    client_id: str
    auth_method: str
    token_endpoint: str
    revocation_endpoint: str = ""
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    requested: tuple[str, ...] = ()
    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)
    lifetime: float = 0.0
    expires_at: float = 0.0
    since: float = 0.0
    ended: str = ""
    in_keyring: bool = False
    renews: bool = False
    revision: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def is_usable(self) -> bool:
        if self.in_keyring:
            return not self.ended
        return not self.ended and bool(self.access_token or self.refresh_token or self.id_token)

    @property
    def can_be_renewed(self) -> bool:
        return bool(self.refresh_token) or (self.in_keyring and self.renews and not self.ended)

    @property
    def tokens(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in _TOKENS}

    def with_tokens(self, tokens: Mapping[str, str]) -> Login:
        """Raises TypeError for what is none of ours."""
        return replace(self, **{name: _checked("str", tokens.get(name, "")) for name in _TOKENS})

    def sealed(self) -> Login:
        """As the file has it."""
        if not self.in_keyring:
            return self
        return replace(self.with_tokens({}), renews=self.renews or bool(self.refresh_token))

    def over(self, why: str) -> Login:
        """The same without its tokens."""
        return replace(self.with_tokens({}), expires_at=0.0, ended=why)


@dataclass(frozen=True, slots=True)
class Registration:
    """Ourselves as an authorization server knows us. Never used at another one."""

    issuer: str
    redirect_uri: str
    client_id: str
    auth_method: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    expires_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server asked for when it refused: a login, or more rights than the login has."""

    server: str
    url: str
    scopes: tuple[str, ...] = ()
    metadata_url: str = ""


@dataclass(frozen=True, slots=True)
class Pin:
    """The only authorization server that the config's client secret for this resource goes to: the first."""

    url: str
    client_id: str
    issuer: str


Record = TypeVar("Record", Login, Registration, Challenge, Pin)
OfServer = TypeVar("OfServer", Login, Challenge)


@dataclass(frozen=True, slots=True)
class Records:
    """Everything in the store."""

    logins: tuple[Login, ...] = ()
    registrations: tuple[Registration, ...] = ()
    challenges: tuple[Challenge, ...] = ()
    pins: tuple[Pin, ...] = ()

    def login(self, server: str, url: str) -> Login | None:
        return _of(self.logins, server, url)

    def challenge(self, server: str, url: str) -> Challenge | None:
        return _of(self.challenges, server, url)

    def by_id(self, login_id: str) -> Login | None:
        return next((login for login in self.logins if login.id == login_id), None)

    def with_login(self, login: Login) -> Records:
        """In place of the one that the server had; what it had asked for is settled."""
        return replace(
            self,
            logins=(*_others(self.logins, login), login),
            challenges=tuple(_others(self.challenges, login)),
        )

    def with_changed_login(self, login: Login) -> Records:
        """Only where it is still the login of its server."""
        if self.by_id(login.id) is None:
            return self
        return replace(self, logins=(*_others(self.logins, login), login))

    def with_challenge(self, challenge: Challenge) -> Records:
        return replace(self, challenges=(*_others(self.challenges, challenge), challenge))

    def renamed(self, old: str, new: str) -> Records:
        """Of a server whose entry is called otherwise now."""
        others = [login for login in self.logins if login.server not in (old, new)]
        moved = [replace(login, server=new) for login in self.logins if login.server == old]
        return replace(self, logins=(*others, *moved))

    def with_registration(self, registration: Registration) -> Records:
        others = [
            each
            for each in self.registrations
            if (each.issuer, each.redirect_uri) != (registration.issuer, registration.redirect_uri)
        ]
        return replace(self, registrations=(*others, registration))

    def without_client(self, issuer: str, client_id: str) -> Records:
        """The authorization server does not know this client any more."""
        kept = [each for each in self.registrations if (each.issuer, each.client_id) != (issuer, client_id)]
        return replace(self, registrations=tuple(kept))

    def pin(self, url: str, client_id: str) -> Pin | None:
        place = place_of(url)
        return next((each for each in self.pins if (each.url, each.client_id) == (place, client_id)), None)

    def with_pin(self, pin: Pin) -> Records:
        return replace(self, pins=(*self.pins, pin))

    # --- as JSON ------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(replace(self, logins=tuple(login.sealed() for login in self.logins)))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Records:
        """Raises ValueError, TypeError or KeyError for what is none of ours."""
        return cls(
            tuple(_made(Login, each) for each in value["logins"]),
            tuple(_made(Registration, each) for each in value["registrations"]),
            tuple(_made(Challenge, each) for each in value["challenges"]),
            tuple(_made(Pin, each) for each in value.get("pins", ())),
        )


def place_of(url: str) -> str:
    """The url's origin and path: what a login is for. Raises ValueError for what is no url."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port is not None else ""
    return f"{parts.scheme.lower()}://{host}{port}{parts.path}"


def _of(records: Iterable[OfServer], server: str, url: str) -> OfServer | None:
    place = place_of(url)
    return next((each for each in records if (each.server, each.url) == (server, place)), None)


def _others(records: Iterable[OfServer], one: Login | Challenge) -> list[OfServer]:
    return [each for each in records if (each.server, each.url) != (one.server, one.url)]


def _made(kind: type[Record], value: Mapping[str, Any]) -> Record:
    """Checked, since a file may be damaged; keys of a later version are passed over."""
    known = {each.name: each for each in dataclasses.fields(kind)}
    values = {name: _checked(str(known[name].type), given) for name, given in value.items() if name in known}
    return kind(**values)


def _checked(kind: str, given: Any) -> Any:
    if kind.startswith("tuple") and isinstance(given, list):
        return tuple(_checked("str", each) for each in given)
    if kind == "float" and not isinstance(given, str) and (number := seconds(given, _LAST)) is not None:
        return number
    if kind == "bool" and isinstance(given, bool):
        return given
    if kind == "str" and isinstance(given, str):
        given.encode()  # refuses halves of characters, which no request could carry
        return given
    raise TypeError(kind)
