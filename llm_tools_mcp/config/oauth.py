"""How a remote server is logged in to: the key `oauth` of its entry, resolved."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

AUTHORIZATION_CODE = "authorization_code"
CLIENT_CREDENTIALS = "client_credentials"


@dataclass(frozen=True, slots=True)
class OAuth:
    """Empty is what the entry does not say: then it is found out. `private_key` is PEM text.

    `redirect_uri` and `callback_port` are for clients that were registered by hand.
    """

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    callback_port: int = 0
    redirect_uri: str = ""
    client_metadata_url: str = ""
    grant_type: str = AUTHORIZATION_CODE
    private_key: str = field(default="", repr=False)
    algorithm: str = ""
    issuer: str = ""

    @property
    def is_for_machines(self) -> bool:
        """Whether the daemon gets its tokens without a person."""
        return self.grant_type == CLIENT_CREDENTIALS

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset({self.client_secret, self.private_key}) - {""}

    def as_list(self) -> list[object]:
        """For an identity."""
        return [getattr(self, each.name) for each in fields(self)]
