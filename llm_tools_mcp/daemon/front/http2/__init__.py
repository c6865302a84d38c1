"""HTTP/2 (RFC 9113) for one client at a time: `connection` moves the bytes, `engine` knows the protocol (h2).

A `stream` is one request and its answer; `shutdown` says when a connection may end.
"""

from .connection import Connection
from .shutdown import GOAWAY, SETTLING
from .stream import ClientGone, Stream

__all__ = ["GOAWAY", "SETTLING", "ClientGone", "Connection", "Stream"]
