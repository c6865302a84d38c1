"""A page that a server wants a person to visit: where it really leads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import SplitResult, urlsplit

from llm_tools_mcp.text.plain import plain

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass
class Address:
    """Checked by the daemon: http or https, with a host, without spaces and controls."""

    url: str

    @cached_property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def host(self) -> str:
        """As the network knows it: letters of other scripts look like others."""
        host, port = _ascii(self._parts.hostname or ""), self._parts.port
        return host if port is None else f"{host}:{port}"

    @property
    def whole(self) -> str:
        """What is shown is what is opened: the host in ASCII, what else is not as %XX."""
        from urllib.parse import quote

        parts = self._parts
        bracketed = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else _ascii(parts.hostname or "")
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        port = "" if parts.port is None else f":{parts.port}"
        return quote(parts._replace(netloc=f"{user}{bracketed}{port}").geturl(), safe="%:/?#[]@!$&'()*+,;=~")

    @property
    def warnings(self) -> list[str]:
        host = self._parts.hostname or ""
        found = []
        if "@" in self._parts.netloc:
            before = plain(self._parts.netloc.rpartition("@")[0])
            found.append(
                f"{before!r} before the @ is a user name and leads nowhere; the host is the one above"
            )
        if "xn--" in _ascii(host):
            found.append(f"the host is written in letters that may look like others: {_unicode(host)!r}")
        if self._parts.scheme.lower() == "http" and host not in _LOOPBACK:
            found.append("the connection is not encrypted")
        return found


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host.encode("punycode").decode()


def _unicode(host: str) -> str:
    try:
        return plain(_ascii(host).encode().decode("idna"))
    except UnicodeError:
        return host
