"""Why there is no connection, in the operating system's words."""

from __future__ import annotations

import os
import socket
import ssl


def network_reason(error: BaseException | None) -> str:
    """Of the causes the one with a number: httpx says that all attempts failed, and not why. "" for none."""
    if error is None:
        return ""
    if isinstance(error, socket.gaierror):
        return error.strerror or ""
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and (error.errno or 0) > 0:
        return os.strerror(error.errno or 0)
    within = next(iter(getattr(error, "exceptions", ())), None)  # of several addresses the first
    return network_reason(within or error.__cause__ or error.__context__)
