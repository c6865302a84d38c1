"""HTTP/2 (RFC 9113) for one client at a time: `connection` moves the bytes, `engine` knows the protocol (h2).

A `stream` is one request and its answer; `request_memory` bounds what comes and `outbox` sends what goes;
`shutdown` says when a connection may end.
"""

from .connection import Connection
from .engine import MAX_HEADERS
from .outbox import GOAWAY
from .request_memory import RequestMemory
from .shutdown import SETTLING
from .stream import ClientGone, Handler, Headers, Stream

__all__ = [
    "GOAWAY",
    "MAX_HEADERS",
    "SETTLING",
    "ClientGone",
    "Connection",
    "Handler",
    "Headers",
    "RequestMemory",
    "Stream",
]
