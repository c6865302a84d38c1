"""An identity provider: says who somebody is, and grants what that allows at a server that trusts it."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .guarded import Guarded, error

ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
KNOWN_AS, CLIENT = "llm-at-provider", "llm-at-server"


@dataclass
class Provider(Guarded):
    """`trusting` takes its grants. `id_lifetime` is of an ID token, in seconds."""

    id_lifetime: float = 3600
    id_tokens: set[str] = field(default_factory=set)
    trusting: Guarded | None = None

    def _token(self, request: Request, form: dict[str, str]) -> Response:
        if form.get("grant_type", "").endswith(":token-exchange"):
            return self._exchanged(form)
        answer = super()._token(request, form)
        if answer.status_code != 200:
            return answer
        return JSONResponse(json.loads(answer.body) | {"id_token": self.id_token()})

    def id_token(self) -> str:
        claims = {"sub": "ada", "exp": time.time() + self.id_lifetime, "nonce": self._secret("id")}
        made = ".".join(map(_encoded, ({"alg": "none"}, claims, {})))
        self.id_tokens.add(made)
        self.secrets.add(made)
        return made

    def _exchanged(self, form: dict[str, str]) -> Response:
        if form["client_id"] != KNOWN_AS or form["requested_token_type"] != ID_JAG or self.trusting is None:
            return error("invalid_request")
        if form["subject_token"] not in self.id_tokens:
            return error("invalid_grant")
        grant = self._secret("grant")
        self.trusting.grants[grant] = (form["audience"], form["resource"], CLIENT)
        return JSONResponse({"access_token": grant, "issued_token_type": ID_JAG, "token_type": "N_A"})


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
