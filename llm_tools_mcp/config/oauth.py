"""How a remote server is logged in to: the key `oauth` of its entry, resolved."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

AUTHORIZATION_CODE = "authorization_code"
CLIENT_CREDENTIALS = "client_credentials"


@dataclass(frozen=True, slots=True)
class OAuth:
    """Empty is what the entry does not say: then it is found out. `private_key` is PEM text.

    `redirect_uri` and `callback_port` are for clients that were registered by hand. `idp_…` are of an
    employer's identity provider, which decides who may use the server; `id_token` is what it says who one is.
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
    idp_issuer: str = ""
    idp_client_id: str = ""
    idp_client_secret: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)

    @property
    def is_managed(self) -> bool:
        """Whether an identity provider decides (enterprise-managed authorization)."""
        return bool(self.idp_issuer)

    @property
    def is_for_machines(self) -> bool:
        """Whether the daemon gets its tokens without a person."""
        return self.grant_type == CLIENT_CREDENTIALS or bool(self.id_token)

    @property
    def for_person(self) -> OAuth:
        """How a person logs in: at the identity provider, if there is one."""
        if not self.is_managed:
            return self
        return replace(
            self,
            client_id=self.idp_client_id,
            client_secret=self.idp_client_secret,
            issuer=self.idp_issuer,
            client_metadata_url="",
            private_key="",
            scopes=(),
        )

    @property
    def secrets(self) -> frozenset[str]:
        given = {self.client_secret, self.private_key, self.idp_client_secret, self.id_token}
        return frozenset(given) - {""}

    def as_list(self) -> list[object]:
        """For an identity."""
        return [getattr(self, each.name) for each in fields(self)]
