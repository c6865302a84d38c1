"""The reason that there is no connection."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import pytest

from llm_tools_mcp.system.reasons import network_reason


def test_reason_is_found_among_the_causes() -> None:
    """Of a port where nobody listens it is the system's, however deep it lies; else there is none."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="refused") as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{closed.getsockname()[1]}", timeout=5)
    assert network_reason(caught.value) == "Connection refused"
    assert network_reason(ValueError("x")) == network_reason(None) == ""
