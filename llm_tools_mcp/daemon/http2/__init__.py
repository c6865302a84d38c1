"""HTTP/2 (RFC 9113) for one client at a time: `connection` moves the bytes, `engine` knows the protocol (h2).

A `stream` is one request and its answer.
"""

from .connection import GOAWAY, SETTLING, Connection
from .stream import ClientGone, Stream

__all__ = ["GOAWAY", "SETTLING", "ClientGone", "Connection", "Stream"]
